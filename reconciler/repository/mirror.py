"""A URL's bare mirror in the cache, filled by the system's git under hard limits.

Rules:
- The system's git does the talking, so the user's ssh configuration, agents and credential helpers work;
  it never asks on a terminal.
- Exactly the URL's own protocol is allowed, also after rewriting and redirects. No hooks, no submodules, no
  tags but the remote's own, every object checked (fsck) before it is kept.
- Time is limited: the whole process group is killed. So is the size of every file that git writes.
- Secrets in the URL are neither in git's arguments nor in any error.
- Two processes may fetch into one mirror: a lock makes them take turns.

The mirror has ``refs/heads/*``, ``refs/tags/*``, ``refs/fleetward/statements/*`` and, if the remote has one,
``refs/remote-head/HEAD``.

>>> Mirror(location, Path("~/.cache/fleetward/git")).fetch(timeout=60)  # doctest: +SKIP
"""

import contextlib
import fcntl
import hashlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import pygit2

from reconciler.repository.errors import FetchError, FetchTimeoutError
from reconciler.repository.locations import Location
from reconciler.repository.text import printable

MAX_FILE: Final = 4 << 30  # bytes of one file (a pack) that git may write
REMOTE_HEAD: Final = "refs/remote-head/HEAD"
STATEMENTS: Final = "refs/fleetward/statements"  # signed tags: approvals and heartbeats
# "HEA*" instead of "HEAD": a pattern may match nothing, and many remotes have no valid HEAD.
_REFSPECS = (
    "+HEA*:refs/remote-head/HEA*",
    "+refs/heads/*:refs/heads/*",
    "+refs/tags/*:refs/tags/*",
    f"+{STATEMENTS}/*:{STATEMENTS}/*",
)
_CONFIG = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "fetch.fsckObjects=true",
    "fetch.writeCommitGraph=false",
    "submodule.recurse=false",
    "transfer.bundleURI=false",
)
_OPTIONS = (
    "--quiet",
    "--prune",
    "--force",
    "--no-tags",
    "--no-auto-gc",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
)
# Variables that point git at another repository, relax our limits, or trace secrets to a file.
_KEPT = ("GIT_SSH", "GIT_SSL_", "GIT_CONFIG_", "GIT_ASKPASS", "GIT_PROXY_", "GIT_HTTP_USER_AGENT")
_LIMITED = 'ulimit -f "$1" && shift && exec "$@"'  # ulimit counts blocks of 512 bytes


class Mirror:
    """The bare mirror of one URL below ``cache_dir``."""

    def __init__(self, location: Location, cache_dir: Path, *, max_file: int = MAX_FILE) -> None:
        self._location = location
        self._max_file = max_file
        self.path = cache_dir / hashlib.sha256(location.shown.encode()).hexdigest()

    def repository(self) -> pygit2.Repository:
        """The mirror, made if it is missing. Raises FetchError when the cache cannot be written."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (self.path / "HEAD").exists():
                pygit2.init_repository(str(self.path), bare=True)
            return pygit2.Repository(str(self.path))
        except (OSError, pygit2.GitError) as error:
            hint = f"make the cache writable, or delete {self.path}"
            raise FetchError("cannot use the cache", got=str(error), hint=hint) from error

    def fetch(self, timeout: float) -> None:
        """Bring the mirror up to date within ``timeout`` seconds. Raises FetchError, FetchTimeoutError."""
        end = time.monotonic() + timeout
        self.repository()
        with self._lock(end), tempfile.TemporaryFile() as output:
            self._run(self._command(), output, end)

    def push(self, commit: str, ref: str, timeout: float, expected: str = "") -> None:
        """Move ``ref`` in the remote from ``expected``; "": make it, the remote must not have it.

        Raises FetchError, FetchTimeoutError.
        """
        end = time.monotonic() + timeout
        config = [word for setting in _CONFIG for word in ("-c", setting)]
        lease = f"--force-with-lease={ref}:{expected}"  # compare and swap; empty expects no such ref
        command = [
            "git",
            f"--git-dir={self.path.absolute()}",
            *config,
            "push",
            "--quiet",
            "--no-verify",
            lease,
        ]
        with self._lock(end), tempfile.TemporaryFile() as output:
            self._run([*command, "--", self._location.shown, f"{commit}:{ref}"], output, end, "git push")

    def _run(self, command: list[str], output: IO[bytes], end: float, what: str = "git fetch") -> None:
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _LIMITED, "sh", str(self._max_file // 512), *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,  # a file, so that an ssh master which outlives git cannot hold us
                env=self._environment(),
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise FetchError("cannot start git", got=str(error), hint="install git") from error
        try:
            status = process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise self._timeout() from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if status:
            raise self._failed(status, output, what)

    def _command(self) -> list[str]:
        config = [word for setting in _CONFIG for word in ("-c", setting)]
        where = f"--git-dir={self.path.absolute()}"
        return ["git", where, *config, "fetch", *_OPTIONS, "--", self._location.shown, *_REFSPECS]

    def _environment(self) -> dict[str, str]:
        """The caller's environment less what would redirect git, plus our limits and the URL's secret."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith(_KEPT)}
        env |= {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": self._location.protocol, "LC_ALL": "C"}
        if self._location.url != self._location.shown:
            number = int(env.get("GIT_CONFIG_COUNT") or 0)
            env["GIT_CONFIG_COUNT"] = str(number + 1)
            env[f"GIT_CONFIG_KEY_{number}"] = f"url.{self._location.url}.insteadOf"
            env[f"GIT_CONFIG_VALUE_{number}"] = self._location.shown
        return env

    @contextlib.contextmanager
    def _lock(self, end: float) -> Iterator[None]:
        with self.path.with_suffix(".lock").open("ab") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= end:
                        raise self._timeout() from None
                    time.sleep(0.05)
            yield

    def _timeout(self) -> FetchTimeoutError:
        hint = "try `git ls-remote URL` as the same user, or raise the time limit"
        return FetchTimeoutError(
            "git did not end in time and was killed", where=self._location.shown, hint=hint
        )

    def _failed(self, status: int, output: IO[bytes], what: str) -> FetchError:
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - 2000))
        said = self._location.redacted(output.read(2000).decode("utf-8", "backslashreplace"))
        reason = printable(said.strip().replace("\n", "; "), 600) or f"exit status {status}"
        hint = "install git" if status == 127 else "try `git ls-remote URL` as the same user"
        return FetchError(f"{what} failed", got=reason, where=self._location.shown, hint=hint)
