"""The first commit: a person names it, and everything after is held against it.

What was named becomes the log's first entry, with the repository and ref that the log belongs to from then
on. The commit itself has to be signed by one of its own signers: a typo in the first key would otherwise
lock everybody out.
"""

from __future__ import annotations

from reconciler.audit.entry import TrustInitialized
from reconciler.audit.log import Log
from reconciler.errors import TrustError
from reconciler.pipeline.check import Checked, check
from reconciler.pipeline.ports import CheckPorts


class AlreadyInitializedError(TrustError):
    """A log that has a first commit takes no other."""

    code = "FW1253"


class FirstCommitError(TrustError):
    """The commit that was named does not pass its own rules."""

    code = "FW1254"


def initialize_trust(ports: CheckPorts, log: Log, rev: str, actor: str) -> Checked:
    """Log ``rev`` as the first trusted commit. Raises AlreadyInitializedError, FirstCommitError."""
    state = log.state()
    if state.accepted is not None:
        raise AlreadyInitializedError(
            "this log already trusts a commit",
            got=state.accepted.commit,
            hint="later commits are accepted by `fleetward reconcile`; another fleet needs another --state",
        )
    ports.repository.fetch()
    checked = check(ports, rev=rev)
    if not checked.ok:
        first = checked.errors[0]
        raise FirstCommitError(
            f"the commit has {len(checked.errors)} errors, first {first.code} {first.message}",
            where=str(first.source or checked.commit),
            hint=f"see them all with `fleetward check --rev {checked.commit}`",
        )
    entry = TrustInitialized(
        actor=actor,
        commit=checked.commit,
        repository=ports.repository.location,
        ref=checked.federation.ref,
        public_key=log.vkey,
        root_version=checked.federation.root.version,
    )
    log.append([entry])
    return checked
