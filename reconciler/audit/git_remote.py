"""The system's ``git`` as a subprocess: only what the log's ref store needs of a remote.

Rules: https, ssh and file only, never an option-like URL; no prompt, no hooks, no terminal; a hard time
limit, at which the whole process group is killed; the repository's variables of a surrounding git (a hook
that runs us) are not inherited, the user's credentials and configuration are. Messages show no userinfo.

>>> safe_url("git@forge.example:team/fleet.git"), shown_url("https://x:token@forge.example/f.git")
('git@forge.example:team/fleet.git', 'https://forge.example/f.git')
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reconciler.audit.codes import LogStorageError

_SCHEMES = ("https://", "ssh://", "file://", "git+ssh://", "ssh+git://")
_SCP = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9_.-]*:(?!/?/|:)[^\s]+")
_USERINFO = re.compile(r"([a-z+]+://)[^/@\s]*@")
_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MAX_OUTPUT = 64 << 10  # bytes of a message or answer that are read
_NOT_INHERITED = frozenset(
    f"GIT_{name}"
    for name in (
        "ALTERNATE_OBJECT_DIRECTORIES", "COMMON_DIR", "DIR", "GRAFT_FILE", "IMPLICIT_WORK_TREE", "INDEX_FILE",
        "NAMESPACE", "OBJECT_DIRECTORY", "PREFIX", "QUARANTINE_PATH", "REPLACE_REF_BASE", "SHALLOW_FILE",
        "WORK_TREE",
    )
)  # fmt: skip
_CONFIG = (
    "protocol.allow=never", "protocol.https.allow=always", "protocol.ssh.allow=always",
    "protocol.file.allow=always", "core.hooksPath=/dev/null", "core.fsmonitor=false", "gc.autoDetach=false",
    "maintenance.autoDetach=false", "transfer.fsckObjects=true", "push.gpgSign=false",
    "push.followTags=false", "fetch.writeCommitGraph=false", "submodule.recurse=false",
)  # fmt: skip


def shown_url(url: str) -> str:
    """The URL as a message may show it: without userinfo."""
    return _USERINFO.sub(r"\1", url)


def safe_url(url: str) -> str:
    """The URL if git may be given it. Raises LogStorageError."""
    is_path = url.startswith("/")
    host = url.partition("://")[2].rpartition("@")[2] if url.startswith(_SCHEMES) else "ok"
    allowed = is_path or url.startswith(_SCHEMES) or _SCP.fullmatch(url) is not None
    if not allowed or host.startswith("-") or "\\" in url or not url.isprintable():
        raise LogStorageError(
            "a URL that the log must not be kept at", got=shown_url(url[:200]),
            expected="https://, ssh://, user@host:path, file:// or an absolute path",
        )  # fmt: skip
    return url


@dataclass(frozen=True, slots=True)
class Answer:
    """What a git command said, the messages without userinfo."""

    code: int
    output: str
    messages: str
    late: bool = False  # killed at the time limit


@dataclass(frozen=True, slots=True)
class GitRemote:
    """One ref of one remote, with a bare repository at ``scratch`` as the cache of its objects."""

    url: str
    scratch: Path
    ref: str
    timeout: float  # seconds, for one command

    def tip(self) -> str:
        """The object id that the remote's ref has now, "" if it has no such ref. Raises LogStorageError."""
        answer = self._must("ls-remote", "--", self.url, self.ref)
        rows = [line.split("\t") for line in answer.output.splitlines()]
        found = [row[0] for row in rows if len(row) == 2 and row[1] == self.ref]
        if found and not _OBJECT_ID.fullmatch(found[0]):
            raise self._error("the remote's answer is not an object id", "")
        return found[0] if found else ""

    def fetch(self) -> None:
        """Bring the ref's newest commit, without its history, and its objects into ``scratch``."""
        refspec = f"+{self.ref}:{self.ref}"
        self._must(
            "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--depth=1",
            "--update-shallow", "--", self.url, refspec,
        )  # fmt: skip

    def push(self, new: str, old: str) -> Answer:
        """Move the remote's ref from ``old`` ("": absent) to ``new``, or not at all."""
        lease = f"--force-with-lease={self.ref}:{old}"
        return self._run("push", "--quiet", "--no-verify", lease, "--", self.url, f"{new}:{self.ref}")

    def _must(self, *arguments: str) -> Answer:
        answer = self._run(*arguments)
        if answer.code:
            raise self._error(f"git {arguments[0]} failed", answer.messages)
        return answer

    def _error(self, what: str, messages: str) -> LogStorageError:
        return LogStorageError(
            f"{what}: {' '.join(messages.split())[-500:]}" if messages else what,
            where=shown_url(self.url),
            hint="check the URL, the network and the credentials that git uses; nothing was published",
        )

    def _run(self, *arguments: str) -> Answer:
        """Run git; a time-out is an answer with code -9."""
        options = [part for setting in _CONFIG for part in ("-c", setting)]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                process = subprocess.Popen(
                    ["git", f"--git-dir={self.scratch}", *options, *arguments], stdin=subprocess.DEVNULL,
                    stdout=out, stderr=err, env=_environment(), start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise self._error(f"git cannot be started: {error.strerror}", "") from error
            late = _wait(process, self.timeout)
            for file in (out, err):
                file.seek(0)
            said = shown_url(err.read(_MAX_OUTPUT).decode(errors="replace"))
            messages = f"no answer within {self.timeout:g} s. {said}" if late else said
            return Answer(process.returncode, out.read(_MAX_OUTPUT).decode(errors="replace"), messages, late)


def _wait(process: subprocess.Popen[bytes], timeout: float) -> bool:
    """Wait for the end; kill the process and its helpers at the time limit, and say so."""
    try:
        process.wait(timeout)
    except BaseException as error:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            return True
        raise
    return False


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    return kept | {
        "GIT_TERMINAL_PROMPT": "0", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C",
        "GCM_INTERACTIVE": "never",
    }  # fmt: skip
