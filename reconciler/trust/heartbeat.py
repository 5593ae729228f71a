"""Whether what a remote shows is current: the heartbeats that speak for it.

Rules:
- A heartbeat counts when a signer of the root's role signed it for this repository and ref, when it has not
  expired, and when it lives no longer than ``maxAge`` from now on.
- At least one must count. Whether the ref's head builds on the commits that they name, the caller asks Git.
- Whoever can push can put anything there, so one that does not count is as if it were not there.

>>> current(heartbeats, root, "git@git.example:fleet.git", "refs/heads/main", now)  # doctest: +SKIP
(HeartbeatStatement(...),)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.documents import TrustRoot
from reconciler.documents.trust_root import Heartbeat
from reconciler.errors import TrustError
from reconciler.trust.commits import verify_signature
from reconciler.trust.errors import HeartbeatError, StatementError
from reconciler.trust.statements import HeartbeatStatement


@dataclass(frozen=True, slots=True)
class SignedHeartbeat:
    """A heartbeat as it was found, not yet believed."""

    heartbeat: HeartbeatStatement
    payload: bytes
    signature: bytes


def current(
    found: Sequence[SignedHeartbeat], root: TrustRoot, repository: str, ref: str, at: datetime
) -> tuple[HeartbeatStatement, ...]:
    """The heartbeats that count; the root must ask for one. Raises HeartbeatError when there is none."""
    asked = root.heartbeat
    if asked is None:
        raise ValueError("the root asks for no heartbeat")
    good, why = [], "none"
    for one in found:
        try:
            _check(one, asked, root, (repository, ref), at)
            good.append(one.heartbeat)
        except TrustError as error:
            why = f"{error.message} {error.got}".rstrip()
    if not good:
        raise HeartbeatError(
            "no valid heartbeat says that what the remote shows is current",
            expected=f"one signed for {repository} {ref}, at most {asked.max_age} old",
            got=why,
            hint="see that the job that runs `fleetward trust heartbeat` works; if so, the remote is frozen",
        )
    return tuple(good)


def _check(
    one: SignedHeartbeat, asked: Heartbeat, root: TrustRoot, place: tuple[str, str], at: datetime
) -> None:
    said = one.heartbeat
    if (said.repository, said.ref) != place:
        raise StatementError("it is for another repository or ref:", got=f"{said.repository} {said.ref}")
    if not at < said.expires <= at + asked.max_age:
        raise StatementError("it expired, or lives too long:", got=f"until {said.expires:%Y-%m-%dT%H:%M:%SZ}")
    signer = verify_signature(one.payload, one.signature, root, at)
    if signer.name not in {person.name for person in root.holding(asked.role)}:
        raise StatementError("it is signed by somebody without the role:", got=signer.name)
