"""Where the primary keeps the credentials of members that joined: sealed files, or Secrets on the primary.

Which one is the accepted commit's to say (``spec.credentials.store`` of the Federation: ``files``, the
default, or ``secrets``), so a change of it is reviewed and versioned. It holds for joins from then on; what
was stored stays where its registration says.

- files    ``CREDENTIALS/joined/NAME.token``, sealed with the key of ``Settings.seal_keys``
- secrets  the Secret ``member-NAME`` in namespace ``fleetward-system`` of the primary, key ``token``, label
           ``fleetward.io/cluster: NAME``; written with the credentials of the primary's own registration,
           which therefore are in a file

Either is durable before the log or the repository speaks of it, replaced as a whole, and may be stored again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from reconciler.documents.joined import file_of, in_file, in_secret, secret_of
from reconciler.model import PRIMARY_NAMESPACE
from reconciler.surfaces.settings import Settings

if TYPE_CHECKING:
    from reconciler.documents import Credentials, Fleet
    from reconciler.member.secret_slot import ApiSecrets
    from reconciler.member.slots import StoredSecret
    from reconciler.model import Json
    from reconciler.surfaces.wiring import Wiring

SECRETS = "secrets"  # the value of spec.credentials.store
LABEL_CLUSTER = "fleetward.io/cluster"


def store(wiring: Wiring, name: str, credential: str) -> dict[str, Json]:
    """Keep a member's bearer token; ``spec.credentials`` of its registration.

    Not for a running event loop. Raises SettingsError, MemberError.
    """
    fleet = wiring.accepted_fleet()
    if _goes_to_secret(fleet, name):
        asyncio.run(_keep_secret(wiring, fleet, name, credential))
        return in_secret(name)
    keep_file(wiring.settings, name, credential)
    return in_file(name)


def is_stored(wiring: Wiring, name: str) -> bool:
    """Whether a credential of that member is kept; a file that cannot be looked at counts as one.

    Not for a running event loop. Raises SettingsError, MemberError.
    """
    try:
        (wiring.settings.credentials / file_of(name)).lstat()
    except FileNotFoundError:
        fleet = wiring.accepted_fleet()
        return _may_be_secret(fleet, name) and asyncio.run(_is_secret(wiring, fleet, name))
    except OSError:
        pass
    return True


async def forget(wiring: Wiring, name: str) -> tuple[str, ...]:
    """Take away what is stored of a member's credential in either store; what it was, for people.

    Nothing is left that a renewal could bring back, and nothing stored is no error: it may be repeated. The
    token itself stays good until it ends or its account is deleted. Raises SettingsError, MemberError.
    """
    from reconciler.member.token_file import forget_token

    settings, gone = wiring.settings, []
    path = file_of(name)
    if forget_token(settings.credentials, path, settings.seal_keys):
        gone.append(path)
    fleet = wiring.accepted_fleet()
    if _may_be_secret(fleet, name) and await _forget_secret(wiring, fleet, name):
        gone.append(f"Secret {PRIMARY_NAMESPACE}/{secret_of(name)}")
    return tuple(gone)


def keep_file(settings: Settings, name: str, credential: str) -> None:
    """The token in a sealed file. Raises MemberError."""
    from reconciler.member.token_file import keep_token

    keep_token(settings.credentials, file_of(name), credential, settings.seal_keys)


def _registered(fleet: Fleet, name: str) -> Credentials | None:
    return next((cluster.credentials for cluster in fleet.clusters if cluster.name == name), None)


def _goes_to_secret(fleet: Fleet, name: str) -> bool:
    """A registration that waits for its cluster says where; for a new one it is the Federation's to say."""
    if (waiting := _registered(fleet, name)) is not None:
        return waiting.method == "secretRef"
    return fleet.federation.store == SECRETS and name != fleet.federation.primary


def _may_be_secret(fleet: Fleet, name: str) -> bool:
    """Whether there may be a Secret: new joins get one, or the member's registration names it."""
    found = _registered(fleet, name)
    place = (found.secret_namespace, found.secret_name) if found else ("", "")
    return fleet.federation.store == SECRETS or place == (PRIMARY_NAMESPACE, secret_of(name))


async def _keep_secret(wiring: Wiring, fleet: Fleet, name: str, credential: str) -> None:
    from reconciler.member import errors
    from reconciler.member.secret_slot import TOKEN, require_mutable, writing

    namespace, data = PRIMARY_NAMESPACE, {TOKEN: credential.encode("ascii")}
    async with wiring.open_secrets(fleet) as secrets:
        with writing(f"Secret {namespace}/{secret_of(name)} on the primary"):
            found = await _found(secrets, name)
            if found is None:
                with suppress(
                    errors.ConflictError
                ):  # made just now: our own request, sent twice, or another's
                    await secrets.create(namespace, secret_of(name), data, {LABEL_CLUSTER: name})
                found = await secrets.read(namespace, secret_of(name))
            _require_ours(found, name)
            if found.data != data:
                require_mutable(found)
                await secrets.write(found, data)


async def _is_secret(wiring: Wiring, fleet: Fleet, name: str) -> bool:
    async with wiring.open_secrets(fleet) as secrets:
        return await _found(secrets, name) is not None


async def _forget_secret(wiring: Wiring, fleet: Fleet, name: str) -> bool:
    from reconciler.member import errors
    from reconciler.member.secret_slot import writing

    async with wiring.open_secrets(fleet) as secrets:
        with writing(f"Secret {PRIMARY_NAMESPACE}/{secret_of(name)} on the primary"):
            found = await _found(secrets, name)
            if found is None:
                return False
            _require_ours(found, name)
            try:
                await secrets.delete(found)
            except errors.NotFoundError:  # our own deletion, sent twice
                return True
            return True


async def _found(secrets: ApiSecrets, name: str) -> StoredSecret | None:
    from reconciler.member import errors

    try:
        return await secrets.read(PRIMARY_NAMESPACE, secret_of(name))
    except errors.NotFoundError:
        return None


def _require_ours(secret: StoredSecret, name: str) -> None:
    """Raises StoreError for a Secret that somebody else made."""
    from reconciler.member import errors

    found = secret.body["metadata"].get("labels", {}).get(LABEL_CLUSTER, "")
    if found != name:
        raise errors.StoreError(
            "a Secret of that name is there, and it is not this member's", expected=f"{LABEL_CLUSTER}={name}",
            got=f"{LABEL_CLUSTER}={found}" if found else "no such label",
            where=f"Secret {PRIMARY_NAMESPACE}/{secret_of(name)} on the primary",
            hint=errors.CODES["FW1794"][1],
        )  # fmt: skip
