"""Settings: flags first, then ``FLEETWARD_*``, then federation.yaml, then the defaults here.

This is the only place that reads the environment. Directories follow the platform's conventions (XDG on
Linux); the state of each fleet has a folder of its own, named after the repository's location.

| variable | is | default |
|---|---|---|
| FLEETWARD_REPO | path or URL of the fleet repository | the current directory |
| FLEETWARD_STATE | folder with the reconciler's key, the log and what was last seen | per fleet, user state |
| FLEETWARD_CACHE | folder of derived values; can be deleted | user cache |
| FLEETWARD_CREDENTIALS | folder that credential paths of registrations are relative to | STATE/credentials |
| FLEETWARD_LOG | ``git`` (a ref of the fleet's own remote) or a directory | STATE/log |
| FLEETWARD_SIGNING_KEY | the reconciler's private key, PEM text, for throw-away hosts | the file in STATE |
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_cache_path, user_state_path

GIT_LOG = "git"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a run finds and leaves things."""

    repo: str
    state: Path
    cache: Path
    credentials: Path
    log: str  # GIT_LOG or a directory
    signing_key: str = field(default="", repr=False)  # PEM text; "" reads the key file in state

    @property
    def key_file(self) -> Path:
        """The reconciler's private key."""
        return self.state / "reconciler.key"


def resolve(flags: Mapping[str, str | None], environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from flags (None: not given) and the environment."""

    def chosen(name: str) -> str:
        return flags.get(name) or environment.get(f"FLEETWARD_{name.upper()}", "")

    repo = chosen("repo") or "."
    # The log is pinned to the location, so a path has one name, from wherever it is called.
    repo = repo if _is_url(repo) or repo.startswith("-") else str(Path(repo).resolve())
    state = Path(chosen("state") or user_state_path("fleetward") / fleet_id(repo))
    return Settings(
        repo=repo,
        state=state,
        cache=Path(chosen("cache") or user_cache_path("fleetward")),
        credentials=Path(chosen("credentials") or state / "credentials"),
        log=chosen("log") or str(state / "log"),
        signing_key=environment.get("FLEETWARD_SIGNING_KEY", ""),
    )


def fleet_id(repo: str) -> str:
    """A folder name for a repository: readable, and different for different locations.

    >>> fleet_id("https://git.example/team/fleet.git")
    'fleet-f7f11fc4'
    """
    location = repo if _is_url(repo) else str(Path(repo).resolve())
    name = re.sub(r"[^A-Za-z0-9._-]", "-", location.rstrip("/").rpartition("/")[2].removesuffix(".git"))
    return f"{name or 'fleet'}-{hashlib.sha256(location.encode()).hexdigest()[:8]}"


def _is_url(repo: str) -> bool:
    return "://" in repo or re.match(r"[^/]+@[^/]+:", repo) is not None
