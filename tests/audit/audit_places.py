"""A log by the name of its place, for programs that tests start: a folder, a Git remote or a bucket.

``open_place("/srv/log")``, ``open_place("git:/srv/remote.git:/srv/scratch")``, ``open_place("s3://b/prefix")``
with the variables of the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from audit_helpers import ORIGIN, SIGNER, ticking_clock

from reconciler.audit.log import Log
from reconciler.audit.store import Store
from reconciler.audit.store_directory import DirectoryStore
from reconciler.audit.store_git import GitStore
from reconciler.audit.store_s3 import S3Store


def open_place(place: str, environment: Mapping[str, str] = os.environ) -> Log:
    """The log there, with the key that all tests use."""
    return Log.open(_store(place, environment), SIGNER, origin=ORIGIN, clock=ticking_clock())


def _store(place: str, environment: Mapping[str, str]) -> Store:
    if place.startswith("s3://"):
        return S3Store(place, environment, timeout=20.0)
    if place.startswith("git:"):
        _, remote, scratch = place.split(":")
        return GitStore(f"file://{remote}", scratch=Path(scratch), clock=ticking_clock())
    return DirectoryStore(Path(place))
