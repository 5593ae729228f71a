"""What was last seen of each member: a cache for ``status`` and the circuit breaker, never the truth.

The log says what was applied. This says when a member last answered, and why it does not now; which of its
API servers did; and since when it is in its state (``states``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from reconciler.errors import FleetwardError
from reconciler.member import errors
from reconciler.member.endpoints import EndpointHealth
from reconciler.model import ClusterName

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_ENDPOINTS = 32  # that are remembered of one member


@dataclass(frozen=True, slots=True)
class Contact:
    """The last look at one member; times are UTC."""

    seen: datetime | None = None  # when it last answered
    error: str = ""  # why it did not, the last time; "" when it did
    failures: int = 0  # in a row
    retry_at: datetime | None = None  # the circuit breaker: not before
    version: str = ""  # of its API server
    objects: int = 0
    drift: int = 0
    credential_expires: datetime | None = None  # of the reconciler's own credential; None: it does not say
    credential_error: str = ""  # why it was not renewed
    viewer_expires: datetime | None = None  # of the viewer's, where this host has it as a file
    viewer_error: str = ""
    state: str = ""  # a ``MemberState``, "" for none that was seen
    since: datetime | None = None  # when that state was first seen, without another since
    reason: str = ""  # of that state
    endpoints: tuple[EndpointHealth, ...] = ()


# An answer that says no is still an answer.
_ANSWERED = (
    errors.UnauthorizedError,
    errors.ForbiddenError,
    errors.NotFoundError,
    errors.ConflictError,
    errors.InvalidError,
)


def unreachable(error: FleetwardError) -> bool:
    """Whether the member could not be talked to, as opposed to having answered with a refusal."""
    return isinstance(error, errors.ReplyError) and not isinstance(error, _ANSWERED)


class Contacts(Protocol):
    """Port to where contacts are kept. A lost one is as good as none."""

    def get(self, cluster: ClusterName) -> Contact: ...
    def put(self, cluster: ClusterName, contact: Contact) -> None: ...
    def update(self, cluster: ClusterName, change: Callable[[Contact], Contact]) -> None:
        """``put`` of what ``change`` makes of the contact as it is now, another process's writes included."""
        ...
