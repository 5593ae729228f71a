"""What was last seen of each member: a cache for ``status`` and the circuit breaker, never the truth.

The log says what was applied. This says when a member last answered, and why it does not now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reconciler.errors import FleetwardError
from reconciler.member import errors
from reconciler.model import ClusterName


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
