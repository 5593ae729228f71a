"""Makes signed statements in a person's own clone, with the person's own git and its settings.

Git signs (``gpg.format``, ``user.signingKey``, agents, hardware), so whoever can sign a commit can sign a
statement. Nothing is pushed unless it is asked for.

>>> ref = sign_statement(Path("fleet"), text, commit, folder=f"approvals/{commit}")  # doctest: +SKIP
>>> push(Path("fleet"), ref, "origin", timeout=60)  # doctest: +SKIP
"""

import os
import secrets
import subprocess
from pathlib import Path
from typing import Final

from reconciler.repository.errors import SigningError
from reconciler.repository.mirror import STATEMENTS
from reconciler.repository.text import printable

_HINT = "sign as for commits: `git config gpg.format ssh`, `git config user.signingKey KEY.pub`"
SIGN_TIMEOUT: Final = 300.0  # seconds; a person may have to touch a key


def sign_statement(path: Path, text: str, commit: str, *, folder: str, name: str = "") -> str:
    """Sign ``text`` about ``commit`` (full id); its ref refs/fleetward/statements/<folder>/<name>.

    Without a name the ref is named after the tag's id. Raises SigningError.
    """
    tag = f"fleetward-statement-{secrets.token_hex(8)}"
    _git(path, "tag", "--sign", "--cleanup=verbatim", "--file=-", tag, commit, stdin=f"{text}\n")
    try:
        oid = _git(path, "rev-parse", "--verify", f"refs/tags/{tag}")
        # git 2.39 says that all is well when it cannot load an SSH key, and makes a tag without a signature
        if "\n-----BEGIN " not in _git(path, "cat-file", "tag", oid):
            raise SigningError("git made the statement and did not sign it", hint=_HINT)
        ref = f"{STATEMENTS}/{folder}/{name or oid}"
        _git(path, "update-ref", ref, oid)
    finally:
        _git(path, "update-ref", "-d", f"refs/tags/{tag}")
    return ref


def push(path: Path, ref: str, remote: str, *, timeout: float) -> None:
    """Push one ref to ``remote``, over what is there. Raises SigningError."""
    _git(path, "push", "--quiet", "--", remote, f"+{ref}:{ref}", timeout=timeout)


def _git(path: Path, *arguments: str, stdin: str = "", timeout: float = SIGN_TIMEOUT) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(path), *arguments],
            input=stdin.encode(),
            capture_output=True,
            timeout=timeout,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SigningError("git did not do it", got=printable(str(error), 200)) from error
    if done.returncode:
        said = printable(done.stderr.decode("utf-8", "backslashreplace").strip().replace("\n", "; "), 400)
        raise SigningError(
            f"git {arguments[0]} failed", got=said or f"exit status {done.returncode}", hint=_HINT
        )
    return done.stdout.decode().strip()
