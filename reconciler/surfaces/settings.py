"""Settings: flags first, then ``FLEETWARD_*``, then federation.yaml, then the defaults here.

This is the only place that reads the environment. Directories follow the platform's conventions (XDG on
Linux); the state of each fleet has a folder of its own, named after the repository's location.

| variable | is | default |
|---|---|---|
| FLEETWARD_REPO | path or URL of the fleet repository | the current directory |
| FLEETWARD_STATE | folder with the reconciler's key, the log and what was last seen | per fleet, user state |
| FLEETWARD_CACHE | folder of derived values; can be deleted | user cache |
| FLEETWARD_CREDENTIALS | folder that credential paths of registrations are relative to | STATE/credentials |
| FLEETWARD_LOG | ``git`` (a ref of the fleet's remote), ``s3://bucket/prefix`` or a directory | STATE/log |
| AWS_... | how that bucket is reached; see ``audit/s3_access.py`` | as the AWS tools have them |
| FLEETWARD_SIGNING_KEY | the reconciler's private key: PEM text, or a PKCS#11 URI | the file in STATE |
| FLEETWARD_PIN | the PIN of that URI's token, where it names no pin-source | none |
| FLEETWARD_CREDENTIALS_KEY | the file with the key of sealed credentials | systemd's, else STATE |
| FLEETWARD_PUBLIC_KEY | the log's public key, or a file of some, to read without the private one | STATE |
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path, user_state_path

if TYPE_CHECKING:
    from reconciler.member.seal_keys import KeyFile

GIT_LOG = "git"
S3_LOG = "s3:"  # what a location in a bucket begins with
SYSTEMD_KEY = (
    "fleetward-credentials-key"  # the name of systemd's credential with the key of sealed credentials
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a run finds and leaves things."""

    repo: str
    state: Path
    cache: Path
    credentials: Path
    log: str  # GIT_LOG, s3://bucket/prefix or a directory
    signing_key: str = field(default="", repr=False)  # PEM text or PKCS#11 URI; "" reads the file in state
    public_key: str = ""  # a vkey or a file of vkeys; "" reads the file in state
    pin: str = field(default="", repr=False)
    aws: Mapping[str, str] = field(default_factory=dict, repr=False)  # AWS_... variables, with secrets
    credentials_key: str = ""  # the file with the key of sealed credentials; "" is ours in state

    @property
    def key_file(self) -> Path:
        """The reconciler's private key."""
        return self.state / "reconciler.key"

    @property
    def public_file(self) -> Path:
        """Its public key, as a vkey."""
        return self.state / "reconciler.pub"

    @property
    def seal_keys(self) -> KeyFile:
        """The key of sealed credentials: ours, unless another file was named."""
        from reconciler.member.seal_keys import KeyFile

        path = Path(self.credentials_key) if self.credentials_key else self.state / "credentials.key"
        return KeyFile(path, self.state / "credentials.lock", ours=not self.credentials_key)

    @property
    def token_file(self) -> Path:
        """The private key that signs join tokens, on the primary's host."""
        return self.state / "token.key"

    @property
    def join_authority(self) -> Path:
        """The join endpoint's CA with its key, on the primary's host."""
        return self.state / "join" / "ca.pem"


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
        public_key=environment.get("FLEETWARD_PUBLIC_KEY", ""),
        pin=environment.get("FLEETWARD_PIN", ""),
        aws={name: value for name, value in environment.items() if name.startswith("AWS_")},
        credentials_key=environment.get("FLEETWARD_CREDENTIALS_KEY", "") or _by_systemd(environment),
    )


def _by_systemd(environment: Mapping[str, str]) -> str:
    """The key that the service manager gives (systemd.exec(5), LoadCredential=), "" for none."""
    folder = environment.get("CREDENTIALS_DIRECTORY", "")
    path = Path(folder) / SYSTEMD_KEY
    return str(path) if folder and path.exists() else ""


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
