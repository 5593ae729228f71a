"""Where the primary keeps the credentials of members that joined: sealed files, or Secrets on the primary.

Which one is the accepted commit's to say (``spec.credentials.store`` of the Federation: ``files``, the
default, or ``secrets``), so a change of it is reviewed and versioned. It holds for joins from then on; what
was stored stays where its registration says.

- files    ``CREDENTIALS/joined/NAME.token`` and ``NAME.viewer.token``, sealed with the key of
           ``Settings.seal_keys``
- secrets  the Secrets ``member-NAME`` and ``viewer-NAME`` in namespace ``fleetward-system`` of the primary,
           key ``token``, label ``fleetward.io/cluster: NAME``; written with the credentials of the
           primary's own registration, which therefore are in a file

Either is durable before the log or the repository speaks of it, replaced as a whole, and may be stored again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from reconciler.documents.joined import file_of, in_file, in_secret, secret_of
from reconciler.model import PRIMARY_NAMESPACE
from reconciler.surfaces.settings import Settings

if TYPE_CHECKING:
    from reconciler.documents import Cluster, Fleet
    from reconciler.member.secret_slot import ApiSecrets
    from reconciler.member.slots import StoredSecret
    from reconciler.model import Json
    from reconciler.surfaces.wiring import Wiring

SECRETS = "secrets"  # the value of spec.credentials.store
LABEL_CLUSTER = "fleetward.io/cluster"
_FIELDS = {False: "credentials", True: "viewerCredentials"}  # whether it only reads -> field of spec


def store(wiring: Wiring, name: str, credential: str, viewer: str) -> dict[str, Json]:
    """Keep a member's bearer token and its viewer's; what its registration's spec says of them.

    For a registration that waits for its cluster without viewerCredentials, the first alone. Not for a
    running event loop. Raises SettingsError, MemberError.
    """
    fleet = wiring.accepted_fleet()
    waiting = _registered(fleet, name)
    tokens = {False: credential, True: viewer}
    if waiting and waiting.viewer_credentials is None:
        del tokens[True]
    if to_secret := _goes_to_secret(fleet, name):
        asyncio.run(_keep_secrets(wiring, fleet, name, tokens))
    else:
        _keep_files(wiring.settings, name, tokens)
    place = in_secret if to_secret else in_file
    return {_FIELDS[reads]: place(name, viewer=reads) for reads in tokens}


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

    settings = wiring.settings
    paths = [file_of(name, viewer=reads) for reads in _FIELDS]
    gone = [path for path in paths if forget_token(settings.credentials, path, settings.seal_keys)]
    fleet = wiring.accepted_fleet()
    if _may_be_secret(fleet, name):
        async with wiring.open_secrets(fleet) as secrets:
            found = [secret_of(name, viewer=reads) for reads in _FIELDS]
            away = [secret for secret in found if await _forget_secret(secrets, secret, name)]
            gone += [f"Secret {PRIMARY_NAMESPACE}/{secret}" for secret in away]
    return tuple(gone)


async def stored_secrets(wiring: Wiring, fleet: Fleet, names: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The Secrets of members of these names that are there, for people, by name; see ``forget``.

    Raises SettingsError, MemberError.
    """
    if not names or fleet.federation.store != SECRETS:
        return {}
    found = {}
    async with wiring.open_secrets(fleet) as secrets:
        for name in names:
            wanted = [secret_of(name, viewer=reads) for reads in _FIELDS]
            there = [secret for secret in wanted if await _found(secrets, secret) is not None]
            if there:
                found[name] = tuple(f"Secret {PRIMARY_NAMESPACE}/{secret}" for secret in there)
    return found


def _registered(fleet: Fleet, name: str) -> Cluster | None:
    return next((cluster for cluster in fleet.clusters if cluster.name == name), None)


def _goes_to_secret(fleet: Fleet, name: str) -> bool:
    """A registration that waits for its cluster says where; for a new one it is the Federation's to say."""
    if (waiting := _registered(fleet, name)) is not None:
        return waiting.credentials.method == "secretRef"
    return fleet.federation.store == SECRETS and name != fleet.federation.primary


def _may_be_secret(fleet: Fleet, name: str) -> bool:
    """Whether there may be a Secret: new joins get one, or the member's registration names it."""
    found = _registered(fleet, name)
    place = (found.credentials.secret_namespace, found.credentials.secret_name) if found else ("", "")
    return fleet.federation.store == SECRETS or place == (PRIMARY_NAMESPACE, secret_of(name))


def _keep_files(settings: Settings, name: str, tokens: Mapping[bool, str]) -> None:
    from reconciler.member.token_file import keep_token

    for reads, token in tokens.items():
        keep_token(settings.credentials, file_of(name, viewer=reads), token, settings.seal_keys)


async def _keep_secrets(wiring: Wiring, fleet: Fleet, name: str, tokens: Mapping[bool, str]) -> None:
    async with wiring.open_secrets(fleet) as secrets:
        for reads, token in tokens.items():
            await _keep_secret(secrets, secret_of(name, viewer=reads), name, token)


async def _keep_secret(secrets: ApiSecrets, secret: str, cluster: str, token: str) -> None:
    from reconciler.member import errors
    from reconciler.member.secret_slot import TOKEN, require_mutable, writing

    data = {TOKEN: token.encode("ascii")}
    with writing(f"Secret {PRIMARY_NAMESPACE}/{secret} on the primary"):
        found = await _found(secrets, secret)
        if found is None:
            with suppress(errors.ConflictError):  # made just now: our own request, sent twice, or another's
                await secrets.create(PRIMARY_NAMESPACE, secret, data, {LABEL_CLUSTER: cluster})
            found = await secrets.read(PRIMARY_NAMESPACE, secret)
        _require_ours(found, secret, cluster)
        if found.data != data:
            require_mutable(found)
            await secrets.write(found, data)


async def _is_secret(wiring: Wiring, fleet: Fleet, name: str) -> bool:
    async with wiring.open_secrets(fleet) as secrets:
        return await _found(secrets, secret_of(name)) is not None


async def _forget_secret(secrets: ApiSecrets, secret: str, cluster: str) -> bool:
    from reconciler.member import errors
    from reconciler.member.secret_slot import writing

    with writing(f"Secret {PRIMARY_NAMESPACE}/{secret} on the primary"):
        found = await _found(secrets, secret)
        if found is None:
            return False
        _require_ours(found, secret, cluster)
        with suppress(errors.NotFoundError):  # our own deletion, sent twice
            await secrets.delete(found)
        return True


async def _found(secrets: ApiSecrets, secret: str) -> StoredSecret | None:
    from reconciler.member import errors

    try:
        return await secrets.read(PRIMARY_NAMESPACE, secret)
    except errors.NotFoundError:
        return None


def _require_ours(found: StoredSecret, secret: str, cluster: str) -> None:
    """Raises StoreError for a Secret that somebody else made."""
    from reconciler.member import errors

    label = found.body["metadata"].get("labels", {}).get(LABEL_CLUSTER, "")
    if label != cluster:
        raise errors.StoreError(
            "a Secret of that name is there, and it is not this member's",
            expected=f"{LABEL_CLUSTER}={cluster}",
            got=f"{LABEL_CLUSTER}={label}" if label else "no such label",
            where=f"Secret {PRIMARY_NAMESPACE}/{secret} on the primary",
        )  # fmt: skip
