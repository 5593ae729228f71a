"""``doctor``'s part about the reconciler's host: its folders, its key and its programs.

Nothing is repaired and nothing is written; a key is only looked at. Files are judged by their mode bits:
whoever else may write the state can replace what a run believes, whoever may read a credential can use it.
"""

from __future__ import annotations

import itertools
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

from reconciler.errors import FleetwardError
from reconciler.member.diagnosis.results import Result, failed, failed_by, ok, skipped, warning
from reconciler.member.errors import CODES
from reconciler.member.login import token_of
from reconciler.member.resealing import sealed_files
from reconciler.member.seal_keys import KeyFile
from reconciler.member.token_file import read_token


class HostCheck(StrEnum):
    """What is examined beside the members, in this order."""

    STATE = "state.folder"
    KEY = "state.key"
    CREDENTIALS = "credentials.files"
    SEALED = "credentials.sealed"
    GIT = "program.git"
    OPA = "program.opa"
    REPOSITORY = "repository.fetch"
    LOG = "log.opens"
    AGE = "log.age"
    OPEN_INTENTS = "log.open"
    WITNESSES = "log.witnesses"
    SPACE = "log.space"
    COMMIT = "fleet.commit"
    STORED = "credentials.unused"
    FLEET_VERSIONS = "version.fleet"


_MOST_FILES = 1000
_SECONDS = 10  # for a program to say its version
_OLDEST_GIT = (2, 34)  # the first that signs and verifies with SSH keys


def folder_result(state: Path) -> Result:
    """The state folder: only ours."""
    check, expected = HostCheck.STATE, "a folder of mode 0700"
    try:
        found = state.stat()
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        return warning(check, expected, reason, "`fleetward trust init` makes it", where=str(state))
    mode = f"mode {stat.S_IMODE(found.st_mode):04o}"
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o022:
        return failed(check, expected, mode, CODES["FW1736"][1], code="FW1736", where=str(state))
    if found.st_mode & 0o055:
        return warning(check, expected, mode, CODES["FW1736"][1], code="FW1736", where=str(state))
    return ok(check, expected, mode, str(state))


def key_result(path: Path, elsewhere: str) -> Result:
    """The reconciler's private key file; ``elsewhere`` says where the key is if not there."""
    from reconciler.trust import load

    check, expected = HostCheck.KEY, "a private key of mode 0600"
    if elsewhere:
        return skipped(check, f"the key is {elsewhere}")
    if not path.exists():
        hint = "a host that only reads needs none; `fleetward trust init` makes it"
        return warning(check, expected, "none", hint, where=str(path))
    try:
        load(path)
    except FleetwardError as error:
        return failed_by(check, error, expected, str(path))
    return ok(check, expected, "it can be read, by us alone", str(path))


def credentials_result(folder: Path) -> Result:
    """The members' credentials: nobody else may read them."""
    check, expected = HostCheck.CREDENTIALS, "files that only we can read"
    if not folder.is_dir():
        return skipped(check, "there is no credentials folder", str(folder))
    looked, open_files = 0, []
    for path in _files(folder):
        looked += 1
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        if mode & 0o077:
            open_files.append(f"{path.relative_to(folder)} {stat.S_IMODE(mode):04o}")
    if open_files and _reachable(folder):
        found = f"{', '.join(open_files[:5])} ({len(open_files)} of {looked} files)"
        return failed(check, expected, found, CODES["FW1736"][1], code="FW1736", where=str(folder))
    hidden = f"; {len(open_files)} hidden by a folder's mode alone" if open_files else ""
    return ok(check, expected, f"{looked} files{hidden}", str(folder))


def sealed_result(folder: Path, keys: KeyFile | None) -> Result:
    """The sealed credentials: the key is ours alone, and opens every one of them."""
    check, expected = HostCheck.SEALED, "sealed files that the key opens"
    key = str(keys.path) if keys else ""
    looked = 0
    try:
        files = sealed_files(folder) if folder.is_dir() else ()
        for path in itertools.islice(files, _MOST_FILES):
            looked += 1
            token = read_token(folder, str(path.relative_to(folder.resolve())), keys)
            token_of(token, path.name)
        if not looked and (keys is None or not keys.path.exists()):
            return skipped(check, "nothing is sealed here", str(folder))
        if keys and not looked:
            keys.load()
    except FleetwardError as error:
        return failed_by(check, error, expected, error.where or key)
    more = " (there may be more)" if looked == _MOST_FILES else ""
    return ok(check, expected, f"{looked} files{more}", key)


def _reachable(folder: Path) -> bool:
    """Whether somebody else gets into it: no folder on the way is closed to them."""
    whole = folder.resolve()
    return all(path.stat().st_mode & 0o011 for path in (whole, *whole.parents))


def _files(folder: Path) -> Iterator[Path]:
    number = 0
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            number += 1
            if number > _MOST_FILES:
                return
            yield Path(parent) / name


def git_result() -> Result:
    """The system's git: there, and new enough."""
    check, expected = HostCheck.GIT, f"git {'.'.join(map(str, _OLDEST_GIT))} or newer"
    hint = "install a newer git"
    said = _said(["git", "version"])
    words = said.split()
    numbers = words[2].split(".") if len(words) > 2 and words[:2] == ["git", "version"] else []
    if len(numbers) < 2 or not all(number.isdecimal() for number in numbers[:2]):
        return failed(check, expected, said[:80] or "none", hint)
    if tuple(map(int, numbers[:2])) < _OLDEST_GIT:
        return failed(check, expected, words[2], hint)
    return ok(check, expected, words[2])


def opa_result(find: Callable[[], Path], wanted: str) -> Result:
    """OPA: there, and the version that the product is tried with. A missing one is built when needed."""
    check, expected = HostCheck.OPA, f"OPA {wanted.removeprefix('v')}"
    try:
        path = find()
    except FleetwardError as error:
        return warning(
            check, expected, "none", f"{error.hint}; `fleetward check` builds it too", code=error.code
        )
    said = _said([str(path), "version"]).splitlines()
    found = said[0].removeprefix("Version: ").strip()[:80] if said else ""
    if not found:
        return failed(
            check, expected, "a program that does not run", "put a working OPA there", where=str(path)
        )
    if found != wanted.removeprefix("v"):
        hint = "another version may judge differently: use the one that is expected"
        return warning(check, expected, found, hint, where=str(path))
    return ok(check, expected, found, str(path))


def _said(command: list[str]) -> str:
    """A program's standard output, "" when it does not run."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout[:4096].decode("utf-8", "replace").strip() if done.returncode == 0 else ""
