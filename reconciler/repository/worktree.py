"""A work tree -> Snapshot, for editing (``check --worktree``); never for anything that reaches a member.

Rules:
- The files that ``git add --all`` would take: tracked ones that still exist, and untracked ones that are not
  ignored, in the fleet's folders. libgit2 reads index and ignore rules; no git command runs, so nothing that
  the repository configures (fsmonitor, filters, hooks) does either.
- The same refusals and bounds as for a commit. Links are never followed.
- Blob ids are those of ``git hash-object --no-filters``. A file that changes after that is an error.

>>> worktree_snapshot(repo).files["clusters/member-a.yaml"]  # doctest: +SKIP
'257cc5642cb1a054f08cc83f2d943e56fd3ebe99'
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType

import pygit2

from reconciler.model import Snapshot
from reconciler.repository import errors
from reconciler.repository.errors import MissingObjectError, WorktreeError
from reconciler.repository.objects import MAX_BLOB, git_id
from reconciler.repository.snapshot import (
    FLEET_FILES,
    FLEET_NAMES,
    Files,
    Problems,
    add_root_names,
    check_count,
    check_depth,
    check_total,
)
from reconciler.repository.text import printable


def worktree_snapshot(repo: pygit2.Repository) -> Snapshot:
    """The fleet's files as they are on disk now. Raises WorktreeError, UnsafeTreeError, LimitError."""
    if not repo.workdir:
        raise WorktreeError("repository is bare", hint="use a checkout, or check a commit with --rev")
    scan = _Scan(repo, Path(repo.workdir))
    try:
        scan.run()
    except OSError as error:
        raise WorktreeError(
            "cannot read the work tree", got=error.strerror or "", where=str(error.filename)
        ) from error
    files = MappingProxyType(Files(sorted(scan.files.items())))
    return Snapshot("", "", files, _WorktreeBlobs(scan.places))


class _WorktreeBlobs:
    """Reads a file again by the id it had; holds no contents."""

    def __init__(self, places: dict[str, str]) -> None:
        self._places = places

    def read(self, blob: str) -> bytes:
        if blob not in self._places:
            raise MissingObjectError("no such file content in the work tree", where=blob)
        path = self._places[blob]
        try:
            data = _content(path)
        except OSError as error:
            raise WorktreeError("cannot read a file", got=error.strerror or "", where=path) from error
        if git_id("blob", data) != blob:
            raise WorktreeError("file changed while it was read", hint="run again", where=path)
        return data


class _Scan:
    def __init__(self, repo: pygit2.Repository, root: Path) -> None:
        self.files: dict[str, str] = {}
        self.places: dict[str, str] = {}
        self._repo = repo
        self._root = str(root).rstrip("/") + "/"
        self._problems = Problems("the work tree")
        self._sizes: dict[str, int] = {}
        self._visited = 0
        self._tracked = {entry.path: int(entry.mode) for entry in repo.index}
        self._folders = _parents(self._tracked)

    def run(self) -> None:
        """Fill ``files`` and ``places``."""
        for path, mode in self._tracked.items():
            if mode == pygit2.enums.FileMode.COMMIT and path.split("/")[0] in FLEET_NAMES:
                self._problems.add(errors.SUBMODULE, path, "a submodule")
        with os.scandir(self._root) as entries:
            found = list(entries)
        add_root_names(self._problems, [entry.name for entry in found])
        for entry in found:
            if entry.name in FLEET_NAMES:
                self._visit("", entry, 1)
        self._problems.done()
        check_total(sum(self._sizes.values()))

    def _folder(self, path: str, depth: int) -> None:
        check_depth(path, depth)
        with os.scandir(self._root + path) as entries:
            found = [entry for entry in entries if self._wanted(f"{path}/{entry.name}", entry)]
        if any(entry.name == ".git" for entry in found):
            self._problems.add(errors.SUBMODULE, path, "a repository of its own")
            return
        self._visited += len(found)
        check_count(self._visited)
        self._problems.add_names(path + "/", [os.fsencode(entry.name) for entry in found])
        self._problems.add_collisions(path + "/", [entry.name for entry in found])
        for entry in found:
            self._visit(path + "/", entry, depth + 1)

    def _wanted(self, path: str, entry: os.DirEntry[str]) -> bool:
        if path in self._tracked or path in self._folders or entry.name == ".git":
            return True
        # A name that is not UTF-8 (it has surrogates here) cannot be asked about; it is refused later.
        if not path.isprintable():
            return True
        return not self._repo.path_is_ignored(path + ("/" if entry.is_dir(follow_symlinks=False) else ""))

    def _visit(self, prefix: str, entry: os.DirEntry[str], depth: int) -> None:
        path = prefix + entry.name
        if entry.is_symlink():
            target = printable(os.fsencode(Path(entry.path).readlink()), 200)
            self._problems.add(errors.SYMLINK, path, "a symlink", f"target {target}")
        elif entry.is_dir(follow_symlinks=False) and path not in FLEET_FILES:
            self._folder(path, depth)
        elif not entry.is_file(follow_symlinks=False) or path in FLEET_NAMES - set(FLEET_FILES):
            self._problems.add(
                errors.NOT_A_FILE, path, "neither a regular file nor a folder, or the wrong one"
            )
        elif entry.stat(follow_symlinks=False).st_size > MAX_BLOB:
            self._problems.add(errors.TOO_LARGE, path, f"more than {MAX_BLOB} bytes")
        else:
            self._take(path)

    def _take(self, path: str) -> None:
        place = self._root + path
        data = _content(place)
        blob = git_id("blob", data)
        self.files[path] = blob
        self.places[blob] = place
        self._sizes[blob] = len(data)


def _parents(paths: Iterable[str]) -> set[str]:
    folders: set[str] = set()
    for path in paths:
        while (path := path.rpartition("/")[0]) and path not in folders:
            folders.add(path)
    return folders


def _content(path: str) -> bytes:
    """A regular file's bytes, at most 1 MiB; a link or a pipe put there meanwhile is not followed."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb", buffering=0) as file:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_BLOB:
            raise WorktreeError("file changed while it was read", hint="run again", where=path)
        return file.read(facts.st_size) or b""
