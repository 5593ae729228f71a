"""A cluster whose registration was written, reviewed and merged before it joins: nothing is left to propose.

Rules (``require_prepared``), each by the last accepted commit, never by what a branch says:
- The registration is there, the same as at the ref's tip; its credential is to be that of its own join.
- The name is not another cluster's: the log knows no other uid for it, and no credential is stored for it,
  but by this very join when it broke off.
- The token is for exactly this name: a token for any name must not choose among the names that wait.
- API servers, CA and server name are those of the registration. What people reviewed is what is connected to.

>>> certificates("-----BEGIN CERTIFICATE-----\\nAA\\nBB\\n-----END CERTIFICATE-----")
('AABB',)
"""

from __future__ import annotations

import re
from dataclasses import replace

from reconciler.audit.membership import JoinToken
from reconciler.audit.state import LogState
from reconciler.documents import Cluster, load
from reconciler.documents.joined import is_joined
from reconciler.pipeline.membership.refused import (
    NameTakenError,
    RegistrationDiffersError,
    TokenNameError,
)
from reconciler.pipeline.membership.registration import Standing, path_of, uids_of
from reconciler.pipeline.membership.request import JoinRequest
from reconciler.repository import Repository

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


def require_prepared(
    request: JoinRequest, token: JoinToken, state: LogState, now: Standing, repository: Repository, *,
    stored: bool, again: bool,
) -> None:  # fmt: skip
    """The registered name waits for this cluster; ``stored``: there is a credential; ``again``: it is ours.

    Raises NameTakenError, TokenNameError, RegistrationDiffersError.
    """
    name, path = request.name, path_of(request.name)
    cluster = _accepted(state, now, repository, name)
    if not is_joined(cluster.credentials, name):
        raise _taken(name, f"credentials: {{tokenFile: joined/{name}.token}} in a registration that waits")
    if uids_of(state, name) - {request.uid}:
        raise _taken(name, "a cluster that the log does not know under another uid")
    if stored and not again:
        raise _taken(
            name, "no credential of that name on the primary",
            "remove what an earlier join left, see 'Giving up' in docs/joining.md; or choose another name",
        )  # fmt: skip
    if token.cluster != name and not again:
        raise TokenNameError(
            "a registration that is merged already needs a token for exactly its name", expected=name,
            got=token.cluster or "a token for any name", where=path,
            hint=f"make one: `fleetward token create --cluster {name}`",
        )  # fmt: skip
    _require_same(request, cluster)


def _accepted(state: LogState, now: Standing, repository: Repository, name: str) -> Cluster:
    """The registration in the last accepted commit. Raises NameTakenError."""
    path = path_of(name)
    snapshot = repository.snapshot(state.accepted.commit if state.accepted else now.tip)
    tip = repository.snapshot(now.tip)
    if path not in snapshot.files or snapshot.files[path] != tip.files.get(path):
        raise _taken(name, "a registration that is accepted as it stands: `fleetward reconcile` first")
    kept = {key: blob for key, blob in snapshot.files.items() if key in (path, "federation.yaml")}
    fleet = load(replace(snapshot, files=kept)).fleet
    found = next((one for one in fleet.clusters if one.name == name), None) if fleet else None
    if found is None:
        raise _taken(name, "a registration that can be read")
    return found


_TAKEN = "choose another name; see 'Registered beforehand' in docs/joining.md for one that was to wait"


def _taken(name: str, expected: str, hint: str = _TAKEN) -> NameTakenError:
    return NameTakenError(
        f"a cluster {name} is registered already", expected=expected, got="something else",
        where=path_of(name), hint=hint,
    )  # fmt: skip


def _require_same(request: JoinRequest, cluster: Cluster) -> None:
    servers = [sorted(url.rstrip("/") for url in each) for each in (cluster.api_servers, request.servers)]
    different = [
        field
        for field, same in {
            "apiServers": servers[0] == servers[1],
            "caBundle": certificates(cluster.ca_bundle) == certificates(request.ca_bundle),
            "tlsServerName": cluster.tls_server_name == request.server_name,
        }.items()
        if not same
    ]
    if different:
        raise RegistrationDiffersError(
            "the cluster is not as its registration says", expected=f"{path_of(request.name)} as accepted",
            got=f"another {', another '.join(different)}", where=path_of(request.name),
            hint="join with what the registration says, or have the registration changed and accepted first",
        )  # fmt: skip


def certificates(text: str) -> tuple[str, ...]:
    """The certificates of a PEM bundle as base64 without line ends, each once, in order of their text."""
    return tuple(sorted({"".join(found.split()) for found in _PEM.findall(text)}))
