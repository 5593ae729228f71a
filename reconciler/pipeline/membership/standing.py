"""Which registered clusters were kicked and are left alone, and what of theirs is stored on this host.

Rules
- A kick holds for one registration, by the SHA-256 of its file's bytes: a changed one is a new one.
- A stored credential is a file below the credentials folder that the registration names, or that the join of
  that name made. One that another registration names too stays.

>>> registration_digest(b"")[:14]
'sha256:e3b0c44'
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from reconciler.audit.membership import Kicked
from reconciler.audit.state import LogState
from reconciler.documents import Cluster, Fleet
from reconciler.documents.fleet import Credentials
from reconciler.documents.joined import file_of
from reconciler.model import Blobs, Snapshot
from reconciler.pipeline.membership.registration import FOLDER, path_of
from reconciler.pipeline.states import Departed, MemberState


def registration_digest(data: bytes) -> str:
    """ "sha256:<hex>" of a registration's bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def digest_at(snapshot: Snapshot, name: str) -> str:
    """The digest of the registration in a commit, "" for none. Raises RepositoryError."""
    path = path_of(name)
    return registration_digest(snapshot.read(path)) if path in snapshot.files else ""


def kicked_of(state: LogState, fleet: Fleet, blobs: Blobs) -> Mapping[str, Kicked]:
    """The clusters of the fleet that were kicked as they are registered. Raises RepositoryError."""
    kicked = state.membership.kicked
    if not kicked:
        return {}
    found = {}
    for document in fleet.of_kind("Cluster"):
        one = kicked.get(document.name)
        if one and one.stands(registration_digest(blobs.read(document.digest.partition("#")[0]))):
            found[document.name] = one
    return found


def stored_credentials(
    name: str, cluster: Cluster | None, others: Iterable[bytes]
) -> tuple[list[str], list[str]]:
    """Paths below the credentials folder: (only this one's, named by ``others`` too: registrations)."""
    mine = {file_of(name)}
    for credentials in (cluster.credentials, cluster.viewer_credentials) if cluster else ():
        mine |= paths_of(credentials) if credentials else set()
    texts = list(others)
    shared = {path for path in mine if any(names(text, path) for text in texts)}
    return sorted(mine - shared), sorted(shared)


def paths_of(credentials: Credentials) -> set[str]:
    """The files that a registration names; none for a Secret or a command."""
    return set(filter(None, (credentials.path, credentials.cert_file, credentials.key_file)))


def other_registrations(name: str, *snapshots: Snapshot) -> Iterable[bytes]:
    """The bytes of all registrations but this one. Raises RepositoryError."""
    for snapshot in snapshots:
        for path in snapshot.files:
            if path.startswith(FOLDER) and path != path_of(name):
                yield snapshot.read(path)


def names(text: bytes, path: str) -> bool:
    """Whether the path stands in the text, and not as a part of another.

    >>> names(b"tokenFile: a.token", "a.token"), names(b"tokenFile: member-a.token", "a.token")
    (True, False)
    """
    return bool(re.search(rb"(?<![\w./-])" + re.escape(path.encode()) + rb"(?![\w./-])", text))


def departed_of(state: LogState, fleet: Fleet, blobs: Blobs) -> Mapping[str, Departed]:
    """The ends of memberships by name: of ``kicked_of``, and of clusters that are not registered any more.

    Raises RepositoryError.
    """
    names = {cluster.name for cluster in fleet.clusters}
    here = kicked_of(state, fleet, blobs)
    gone = {name: one for name, one in state.membership.kicked.items() if name not in names}
    return {name: _departed(name, one) for name, one in {**here, **gone}.items()}


def _departed(name: str, kicked: Kicked) -> Departed:
    said = [f"kicked by {kicked.actor}" + (f": {kicked.reason}" if kicked.reason else "")]
    if kicked.left is None:
        said.append(f"finish it: fleetward kick {name}")
    left = kicked.left is not None
    return Departed(MemberState.LEFT if left else MemberState.KICKED, kicked.time, "; ".join(said))
