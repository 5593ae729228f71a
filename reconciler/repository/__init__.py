"""repository: Git, and nothing else, is spoken here. A location becomes commits and snapshots."""

from reconciler.repository.commits import Commit, Person
from reconciler.repository.errors import (
    CODES,
    CorruptObjectError,
    FetchError,
    FetchTimeoutError,
    LimitError,
    LocationError,
    MalformedObjectError,
    MissingObjectError,
    MissingPathError,
    NotDescendantError,
    OwnershipError,
    RevisionError,
    ShallowError,
    UnsafeTreeError,
    WorktreeError,
)
from reconciler.repository.repository import Repository

__all__ = [
    "CODES",
    "Commit",
    "CorruptObjectError",
    "FetchError",
    "FetchTimeoutError",
    "LimitError",
    "LocationError",
    "MalformedObjectError",
    "MissingObjectError",
    "MissingPathError",
    "NotDescendantError",
    "OwnershipError",
    "Person",
    "Repository",
    "RevisionError",
    "ShallowError",
    "UnsafeTreeError",
    "WorktreeError",
]
