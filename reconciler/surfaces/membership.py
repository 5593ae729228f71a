"""What the commands about membership share: the primary's keys on disk, credentials, the door's ports.

Rules:
- Keys and credentials are files of mode 0600, durable before the log or the repository speaks of them.
- Where a member's credential is kept is ``stores``'.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.surfaces.settings import Settings

if TYPE_CHECKING:
    from reconciler.audit.membership import Primary
    from reconciler.audit.state import LogState
    from reconciler.member.administrator import Administrator
    from reconciler.model import Finding
    from reconciler.pipeline.membership.door import DoorPorts
    from reconciler.pipeline.ports import Report
    from reconciler.surfaces.wiring import Wiring
    from reconciler.trust.jointoken import TokenKey
    from reconciler.trust.pinned import EndpointAuthority

_MAX_FILE = 64 << 10  # bytes
_EXEC = ("PATH", "HOME", "USER", "LANG")  # what a kubeconfig's exec command gets


def token_key(settings: Settings, *, make: bool = False) -> TokenKey:
    """The key in STATE/token.key; ``make``: made now if there is none. Raises KeyFileError, TokenError."""
    from reconciler.trust.jointoken import TokenKey

    if make and not settings.token_file.exists():
        _save(settings.token_file, TokenKey.new().pem())
    return TokenKey.parse(_private(settings.token_file))


def join_authority(settings: Settings, *, make_for: str = "") -> EndpointAuthority:
    """The CA in STATE/join; made now for that address if there is none. Raises KeyFileError."""
    from reconciler.trust.pinned import new_authority, parse_authority

    if make_for and not settings.join_authority.exists():
        _save(settings.join_authority, new_authority(make_for).pem)
    return parse_authority(_private(settings.join_authority))


def _private(path: Path) -> bytes:
    from reconciler.trust.keys import read_private

    return read_private(path, _MAX_FILE, "the key")


def _save(path: Path, secret: bytes) -> None:
    from reconciler.trust.errors import KeyExistsError
    from reconciler.trust.keys import save_private

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(KeyExistsError):  # another process was first: its key counts
        save_private(path, secret)


def _check(settings: Settings, report: Report, commit: str, base: str) -> Sequence[Finding]:
    """What a reconcile would say of the commit: with ports of its own, since the door works in threads."""
    from reconciler.pipeline.check import check
    from reconciler.surfaces.wiring import wired

    with wired(settings, report) as own:
        return check(own.checks(), rev=commit, base=base).findings


def require_keys(settings: Settings, state: LogState) -> tuple[Primary, TokenKey, EndpointAuthority]:
    """The primary, with the keys that the log names. Raises PrimaryError, KeyFileError."""
    from reconciler.pipeline.membership.promoting import require_primary
    from reconciler.pipeline.membership.refused import PrimaryError
    from reconciler.pipeline.membership.tokens import require_key
    from reconciler.pki import pin_of

    primary = require_primary(state)
    key, authority = token_key(settings), join_authority(settings)
    require_key(primary, key)
    if (found := pin_of(authority.certificate)) != primary.ca_pin:
        raise PrimaryError(
            "this machine's join CA is not the primary's", expected=primary.ca_pin, got=found,
            where=str(settings.join_authority),
            hint="use the state folder that `fleetward promote` ran with, or demote and promote again",
        )  # fmt: skip
    return primary, key, authority


def door_ports(wiring: Wiring, key: TokenKey, *, loopback: bool) -> DoorPorts:
    """Everything that the door needs, from the settings."""
    from reconciler.pipeline.membership.door import DoorPorts
    from reconciler.pipeline.membership.tokens import issuer_of
    from reconciler.surfaces.stores import is_stored, store
    from reconciler.surfaces.wiring import actor, clock

    return DoorPorts(
        open_log=lambda: wiring.log(wiring.fresh_key()),
        repository=wiring.repository(),
        issuer=issuer_of(wiring.log(wiring.key()).state()),
        token_key=key.public,
        signer=wiring.fresh_key,
        store=partial(store, wiring),
        stored=partial(is_stored, wiring),
        check=partial(_check, wiring.settings, wiring.report),
        clock=clock,
        actor=actor(),
        report=wiring.report,
        loopback=loopback,
    )


def is_loopback(address: str) -> bool:
    """Whether a primary at this address can only have members on its own machine."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def administrator_of(
    kubeconfig: str | None, context: str | None, environment: Mapping[str, str] = os.environ
) -> Administrator:
    """The administrator of --kubeconfig, else of the first file of KUBECONFIG that is there, else of
    ~/.kube/config. Several files are not merged. Raises CredentialError.
    """
    from reconciler.member.administrator import administrator

    listed = [Path(one) for one in environment.get("KUBECONFIG", "").split(os.pathsep) if one]
    listed = [Path(kubeconfig)] if kubeconfig else listed or [Path.home() / ".kube" / "config"]
    path = next((one for one in listed if one.exists()), listed[0])
    kept = {name: environment[name] for name in _EXEC if name in environment}
    return administrator(path, context or "", kept)
