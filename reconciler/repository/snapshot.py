"""A commit's tree -> Snapshot: the fleet's own files and nothing else.

Rules:
- Only ``federation.yaml``, ``clusters/``, ``policies/`` and ``schemas/`` are read; the rest of the tree is
  not looked at and may hold anything.
- In them: regular files and folders with plain names. A symlink, submodule, deceptive name or case collision
  refuses the commit; all of them are reported together.
- At most 100,000 files and folders, 64 levels, 4096 bytes a path, 1 MiB a file, 256 MiB in all; sizes come
  from headers.
- Parsed trees and sizes are remembered by id, which can never change what they mean.

>>> snapshots = Snapshots(objects)  # doctest: +SKIP
>>> snapshots.of(commit.id, commit.tree).files["federation.yaml"]  # doctest: +SKIP
'ce013625030ba8dba906f756967f9e9ca394464a'
"""

from types import MappingProxyType
from typing import Final

from reconciler.model import Finding, Snapshot, SourceRef
from reconciler.repository import errors
from reconciler.repository.errors import LimitError, MissingPathError, UnsafeTreeError
from reconciler.repository.objects import MAX_BLOB, Objects
from reconciler.repository.text import printable
from reconciler.repository.trees import TreeEntry, bad_names, collisions, fold, parse_tree

FLEET_FILES: Final = ("federation.yaml",)
FLEET_FOLDERS: Final = ("clusters", "policies", "schemas")
FLEET_NAMES: Final = frozenset(FLEET_FILES + FLEET_FOLDERS)
MAX_FILES: Final = 100_000
MAX_DEPTH: Final = 64
MAX_PATH: Final = 4096  # bytes
MAX_TOTAL: Final = 256 << 20  # bytes, distinct contents
MAX_FINDINGS: Final = 100
_MAX_REMEMBERED = 200_000  # sizes and tree entries kept by a long-running process


class Files(dict[str, str]):
    """path -> blob id; asking for a path that is not there is one of our errors, not a KeyError."""

    def __missing__(self, path: str) -> str:
        raise MissingPathError("no such file in this snapshot", got=printable(path, 200))


class Problems:
    """Collects findings up to a bound, then raises them as one error."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._found: list[Finding] = []

    def add(self, code: str, path: str, message: str, got: str = "") -> None:
        """Note one problem at ``path``."""
        if len(self._found) < MAX_FINDINGS:
            shown = printable(path, 200)
            hint = errors.CODES[code][1].rstrip(".")
            self._found.append(Finding(code, f"{shown}: {message}", SourceRef(shown), got=got, hint=hint))

    def add_names(self, prefix: str, names: list[bytes]) -> None:
        """Note every name in one folder that breaks a rule."""
        for name, why in bad_names(names):
            self.add(errors.BAD_NAME, prefix + printable(name, 200), f"its name has or is {why}")

    def add_collisions(self, prefix: str, names: list[str]) -> None:
        """Note every pair of names in one folder that a case-blind file system cannot tell apart."""
        for one, other in collisions(names):
            self.add(
                errors.CASE_COLLISION, prefix + other, f"same name as {prefix}{one} where case is ignored"
            )

    def done(self) -> None:
        """Raises UnsafeTreeError if there was any problem."""
        if self._found:
            raise UnsafeTreeError(self._where, tuple(self._found))


class Snapshots:
    """Makes snapshots of one object store, and remembers parsed trees and sizes."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self._trees: dict[str, list[TreeEntry]] = {}
        self._sizes: dict[str, int] = {}
        self._remembered = 0

    def of(self, commit: str, tree: str) -> Snapshot:
        """The fleet's files at ``tree``. Raises UnsafeTreeError, LimitError, and what ``Objects`` raises."""
        listing = _Listing(self, Problems(f"commit {commit}"))
        listing.run(tree)
        return Snapshot(commit, tree, MappingProxyType(Files(sorted(listing.files.items()))), self.objects)

    def entries(self, tree: str) -> list[TreeEntry]:
        """The entries of one tree."""
        known = self._trees.get(tree)
        if known is None:
            known = parse_tree(tree, self.objects.fetch(tree, "tree"))
            if self._remembered > _MAX_REMEMBERED:
                self._trees.clear()
                self._sizes.clear()
                self._remembered = 0
            self._remembered += len(known)
            self._trees[tree] = known
        return known

    def size(self, blob: str) -> int:
        """The size of one file in bytes."""
        size = self._sizes.get(blob)
        if size is None:
            kind, size = self.objects.header(blob)
            if kind != "blob":
                raise errors.CorruptObjectError("file entry is no blob", got=kind, where=blob)
            self._sizes[blob] = size
        return size


class _Listing:
    """The walk over one tree. Each visit counts, since few objects can make billions of paths."""

    def __init__(self, source: Snapshots, problems: Problems) -> None:
        self.files: dict[str, str] = {}
        self._source = source
        self._problems = problems
        self._visited = 0

    def run(self, tree: str) -> None:
        root = self._source.entries(tree)
        add_root_names(self._problems, [entry.name.decode("utf-8", "replace") for entry in root])
        for entry in root:
            if entry.name.decode("utf-8", "replace") in FLEET_NAMES:
                self._visit("", entry, 1)
        self._check_sizes()
        self._problems.done()

    def _folder(self, path: str, tree: str, depth: int) -> None:
        check_depth(path, depth)
        entries, prefix = self._source.entries(tree), path + "/"
        self._visited += len(entries)
        check_count(self._visited)
        names = [entry.name for entry in entries]
        self._problems.add_names(prefix, names)
        self._problems.add_collisions(prefix, [name.decode("utf-8", "replace") for name in names])
        for entry in entries:
            self._visit(prefix, entry, depth + 1)

    def _visit(self, prefix: str, entry: TreeEntry, depth: int) -> None:
        mode, name, raw_id = entry
        path = prefix + name.decode("utf-8", "replace")
        if mode == b"40000" and path not in FLEET_FILES:
            self._folder(path, raw_id.hex(), depth)
        elif mode == b"120000":
            target = printable(self._source.objects.read(raw_id.hex()), 200)
            self._problems.add(errors.SYMLINK, path, "a symlink", f"target {target}")
        elif mode == b"160000":
            self._problems.add(errors.SUBMODULE, path, "a submodule", f"commit {raw_id.hex()}")
        elif path in FLEET_NAMES and (path in FLEET_FOLDERS or mode == b"40000"):
            self._problems.add(errors.NOT_A_FILE, path, "a file where a folder belongs, or the reverse")
        else:
            self.files[path] = raw_id.hex()

    def _check_sizes(self) -> None:
        total, seen = 0, set[str]()
        for path, blob in self.files.items():
            size = self._source.size(blob)
            if size > MAX_BLOB:
                self._problems.add(errors.TOO_LARGE, path, f"more than {MAX_BLOB} bytes", f"{size} bytes")
            if blob not in seen:
                seen.add(blob)
                total += size
        check_total(total)


def add_root_names(problems: Problems, names: list[str]) -> None:
    """Refuse "Policies/" beside or instead of "policies/": it would be ignored, or one with it."""
    for name in names:
        if name not in FLEET_NAMES and fold(name) in FLEET_NAMES:
            problems.add(errors.CASE_COLLISION, name, f"same name as {fold(name)} where case is ignored")


def check_depth(path: str, depth: int) -> None:
    """Raises LimitError for a folder that lies too deep or whose path is too long."""
    if depth > MAX_DEPTH or len(path.encode()) > MAX_PATH:
        limit = f"at most {MAX_DEPTH} levels and {MAX_PATH} bytes"
        raise LimitError("folder lies too deep", expected=limit, where=printable(path, 120))


def check_count(entries: int) -> None:
    """Raises LimitError when there are too many files and folders."""
    if entries > MAX_FILES:
        raise LimitError("too many files and folders in the fleet's folders", expected=f"at most {MAX_FILES}")


def check_total(total: int) -> None:
    """Raises LimitError when all files together are too large."""
    if total > MAX_TOTAL:
        raise LimitError(
            "the fleet's files are too large together", expected=f"at most {MAX_TOTAL} bytes", got=str(total)
        )
