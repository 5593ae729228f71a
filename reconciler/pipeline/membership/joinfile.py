"""A ``Join`` document: a join without flags, for a Job or a script. Strict; what it names are no secrets.

Rules: the fields are those of schemas/v1alpha1/Join.json; paths are relative to the file's own folder. The
token is in another file, never in this one.

>>> text = b"apiVersion: fleetward.io/v1alpha1\\nkind: Join\\nmetadata: {name: a}\\nspec: {tokenFile: t}\\n"
>>> parse_join_file(text, "join.yaml").token_file
't'
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from reconciler.documents.alone import read_alone
from reconciler.documents.durations import parse_duration
from reconciler.pipeline.membership.refused import JoinFileError

SHORTEST = timedelta(minutes=10)  # that a TokenRequest may ask for
LONGEST = timedelta(days=366)
LIFETIME = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class JoinFile:
    """What the file says; "" and () leave it to token and kubeconfig."""

    name: str
    api_servers: tuple[str, ...] = ()
    server_name: str = ""
    token_file: str = ""
    primary: str = ""
    kubeconfig: str = ""
    context: str = ""
    in_cluster: bool = False
    credential_seconds: int = int(LIFETIME.total_seconds())


def parse_join_file(data: bytes, path: str) -> JoinFile:
    """The file's content. Raises JoinFileError: the first thing that is wrong, and how many more."""
    body, findings = read_alone(data, "Join", path)
    if body is None:
        first = findings[0]
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        raise JoinFileError(
            f"{first.message}{more}", expected=first.expected, got=first.got, where=str(first.source),
            hint=first.hint,
        )  # fmt: skip
    spec: dict[str, Any] = body["spec"]
    return JoinFile(
        name=body["metadata"]["name"],
        api_servers=tuple(spec.get("apiServers", ())),
        server_name=spec.get("tlsServerName", ""),
        token_file=spec.get("tokenFile", ""),
        primary=spec.get("primary", ""),
        kubeconfig=spec.get("kubeconfig", ""),
        context=spec.get("context", ""),
        in_cluster=spec.get("inCluster", False),
        credential_seconds=_seconds(spec.get("credentialLifetime", "24h"), path),
    )


def _seconds(text: str, path: str) -> int:
    life = parse_duration(text)
    if not SHORTEST <= life <= LONGEST:
        raise JoinFileError(
            "the credential's life is out of bounds", expected="from 10m to 8784h", got=text, where=path,
            hint="what the API server gives may still be shorter",
        )  # fmt: skip
    return int(life.total_seconds())
