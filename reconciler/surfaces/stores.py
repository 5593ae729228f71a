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

from reconciler.surfaces.settings import Settings

if TYPE_CHECKING:
    from reconciler.documents import Fleet
    from reconciler.member.secret_slot import ApiSecrets
    from reconciler.member.slots import StoredSecret
    from reconciler.model import Json
    from reconciler.surfaces.wiring import Wiring

JOINED = "joined"
SECRETS = "secrets"  # the value of spec.credentials.store
LABEL_CLUSTER = "fleetward.io/cluster"


def store(wiring: Wiring, name: str, credential: str) -> dict[str, Json]:
    """Keep a member's bearer token; ``spec.credentials`` of its registration.

    Not for a running event loop. Raises SettingsError, MemberError.
    """
    fleet = wiring.accepted_fleet()
    if fleet.federation.store == SECRETS and name != fleet.federation.primary:
        asyncio.run(_keep_secret(wiring, fleet, name, credential))
        return {"secretRef": {"namespace": _namespace(), "name": secret_name(name)}}
    return {"tokenFile": keep_file(wiring.settings, name, credential)}


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
        gone.append(f"Secret {_namespace()}/{secret_name(name)}")
    return tuple(gone)


def file_of(name: str) -> str:
    """The file of a member that joined, below the credentials folder."""
    return f"{JOINED}/{name}.token"


def secret_name(name: str) -> str:
    """The Secret of a member that joined."""
    return f"member-{name}"


def keep_file(settings: Settings, name: str, credential: str) -> str:
    """The token in a sealed file; its path below the credentials folder. Raises MemberError."""
    from reconciler.member.token_file import keep_token

    keep_token(settings.credentials, file_of(name), credential, settings.seal_keys)
    return file_of(name)


def _may_be_secret(fleet: Fleet, name: str) -> bool:
    """Whether there may be a Secret: new joins get one, or the member's registration names it."""
    of_cluster = next((cluster.credentials for cluster in fleet.clusters if cluster.name == name), None)
    place = (of_cluster.secret_namespace, of_cluster.secret_name) if of_cluster else ("", "")
    return fleet.federation.store == SECRETS or place == (_namespace(), secret_name(name))


async def _keep_secret(wiring: Wiring, fleet: Fleet, name: str, credential: str) -> None:
    from reconciler.member import errors
    from reconciler.member.secret_slot import TOKEN, require_mutable, writing

    namespace, data = _namespace(), {TOKEN: credential.encode("ascii")}
    async with wiring.open_secrets(fleet) as secrets:
        with writing(f"Secret {namespace}/{secret_name(name)} on the primary"):
            found = await _found(secrets, name)
            if found is None:
                with suppress(
                    errors.ConflictError
                ):  # made just now: our own request, sent twice, or another's
                    await secrets.create(namespace, secret_name(name), data, {LABEL_CLUSTER: name})
                found = await secrets.read(namespace, secret_name(name))
            _require_ours(found, name)
            if found.data != data:
                require_mutable(found)
                await secrets.write(found, data)


async def _forget_secret(wiring: Wiring, fleet: Fleet, name: str) -> bool:
    from reconciler.member import errors
    from reconciler.member.secret_slot import writing

    async with wiring.open_secrets(fleet) as secrets:
        with writing(f"Secret {_namespace()}/{secret_name(name)} on the primary"):
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
        return await secrets.read(_namespace(), secret_name(name))
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
            where=f"Secret {_namespace()}/{secret_name(name)} on the primary",
            hint=errors.CODES["FW1794"][1],
        )  # fmt: skip


def _namespace() -> str:
    from reconciler.member.bootstrap import PRIMARY_NAMESPACE

    return PRIMARY_NAMESPACE
