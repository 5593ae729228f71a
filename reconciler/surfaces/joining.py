"""What ``fleetward join`` is to do: flags, and the file that they go before.

Rules: the token comes from one place, and from a file only if nobody but its owner can read it. --kubeconfig
or --context go before ``inCluster`` too. Without a file everything is as before.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.documents.formats import FORMATS, is_https_url
from reconciler.errors import SettingsError, TrustError
from reconciler.pipeline.membership.joinfile import JoinFile, parse_join_file
from reconciler.pipeline.membership.refused import JoinFileError

if TYPE_CHECKING:
    from reconciler.member.administrator import Administrator
    from reconciler.pipeline.membership.enrolling import Joining

MAX_TOKEN = 16 << 10  # bytes


@dataclass(frozen=True, slots=True)
class Flags:
    """What was said on the command line; "" and () say nothing."""

    file: str = ""
    token_file: str = ""
    name: str = ""
    api_servers: tuple[str, ...] = ()
    primary: str = ""
    kubeconfig: str = ""
    context: str = ""


def settled(flags: Flags) -> JoinFile:
    """File and flags together; paths are those of the file's folder. Raises JoinFileError, SettingsError."""
    if flags.primary:
        _require_https("--primary", flags.primary)
    for url in flags.api_servers:
        _require_https("--api-server", url)
    said = _read(Path(flags.file)) if flags.file else JoinFile("")
    if flags.kubeconfig or flags.context:
        said = replace(said, in_cluster=False)
    given: dict[str, Any] = {
        "name": flags.name, "api_servers": tuple(url.rstrip("/") for url in flags.api_servers),
        "primary": flags.primary, "token_file": flags.token_file, "kubeconfig": flags.kubeconfig,
        "context": flags.context,
    }  # fmt: skip
    return replace(said, **{field: value for field, value in given.items() if value})


def _require_https(flag: str, url: str) -> None:
    if not is_https_url(url):
        raise SettingsError(
            f"{flag} is no URL that a join can use", expected=FORMATS["https-url"].expected, got=url[:200]
        )


def _read(path: Path) -> JoinFile:
    try:
        with path.open("rb") as file:
            data = file.read((64 << 10) + 1)
    except OSError as error:
        raise JoinFileError(
            "the file cannot be read", got=error.strerror or "", where=str(path), hint="name it with --file"
        ) from error
    said = parse_join_file(data, str(path))
    return replace(said, token_file=_beside(path, said.token_file), kubeconfig=_beside(path, said.kubeconfig))


def _beside(path: Path, other: str) -> str:
    return str(path.parent / other) if other else ""


def token_in(path: str) -> str:
    """The join token in a file of mode 0600 or less. Raises JoinFileError."""
    from reconciler.trust.keys import read_private

    try:
        data = read_private(Path(path), MAX_TOKEN, "the join token")
    except TrustError as error:
        raise JoinFileError(
            error.message, expected=error.expected, got=error.got, where=path,
            hint=f"chmod 600 {path}; if others had access to it, revoke the token and make a new one",
        ) from None  # fmt: skip
    if len(data) > MAX_TOKEN or not data.isascii():
        raise JoinFileError("not a join token", expected="one line of ASCII", where=path)
    return data.decode("ascii").strip()


def joining_of(said: JoinFile, token: str) -> Joining:
    """What the pipeline is asked for."""
    from reconciler.pipeline.membership.enrolling import Joining

    return Joining(
        token, said.name, said.api_servers, said.primary, said.credential_seconds, said.server_name
    )


def cluster_of(said: JoinFile, environment: Mapping[str, str] = os.environ) -> Administrator:
    """Who joins it: the pod's service account, or a kubeconfig's administrator. Raises CredentialError."""
    from reconciler.member.in_cluster import in_cluster
    from reconciler.surfaces.membership import administrator_of

    if said.in_cluster:
        return in_cluster(environment)
    return administrator_of(said.kubeconfig or None, said.context or None, environment)
