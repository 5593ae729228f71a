"""What a commit changes of its own accord: the paths whose content its parents do not explain.

Rules:
- One parent: every path that differs from it. No parent: every path.
- Two parents: every path that is not what a three-way merge of them gives. A clean merge authors nothing; a
  merge that slips something in, or drops what one side brought, authors just that. Where the parents have
  several best common ancestors (a criss-cross), the merge has to hold against each of them: with one of them
  alone, what was taken back since could come again.
- More parents: every path in which it differs from any of them; in what order they stand says nothing.
- Paths, not renames: a file that moved changes two paths, and an edit of its old path does not follow it to
  where nobody who has a say agreed to the edit.
- Where both sides changed one file, libgit2 merges it. If git merged it in another way, the path counts as
  authored: the answer may be too long, never too short.

>>> Authorship(repo, objects, snapshots).of(commit)  # doctest: +SKIP
('policies/rbac/viewer.yaml',)
"""

from collections.abc import Callable, Collection
from typing import Final

import pygit2
from pygit2.enums import MergeFlag

from reconciler.repository.commits import Commit
from reconciler.repository.errors import CorruptObjectError, LimitError
from reconciler.repository.history import bases
from reconciler.repository.objects import Objects
from reconciler.repository.snapshot import MAX_DEPTH
from reconciler.repository.trees import TreeEntry

MAX_PATHS: Final = 200_000  # in one difference
_NO_RENAMES: Final = MergeFlag(0)
Entry = tuple[bytes, str]  # mode, object id
Change = tuple[Entry | None, Entry | None]  # before, after
TreeOf = Callable[[str], str]  # commit id -> tree id


class Authorship:
    """Differences between trees and merges of one repository."""

    def __init__(
        self, repo: pygit2.Repository, objects: Objects, entries: Callable[[str], list[TreeEntry]]
    ) -> None:
        """``entries`` gives the parsed entries of a tree by id."""
        self._repo = repo
        self._objects = objects
        self._entries = entries

    def of(self, commit: Commit, tree_of: TreeOf) -> tuple[str, ...]:
        """The paths that ``commit`` authors, sorted. ``tree_of`` gives the tree of a commit by id."""
        trees = [tree_of(parent) for parent in commit.parents]
        if len(trees) == 2:
            one, other = commit.parents
            starts = bases(self._objects, one, other, shallow=self._repo.is_shallow)
            found = (self._beyond_merge(commit, tree_of(b) if b else "", *trees) for b in starts or ("",))
        else:
            found = (set(self.difference(tree, commit.tree)) for tree in trees or ("",))
        return tuple(sorted(set().union(*found)))

    def difference(self, old: str, new: str) -> dict[str, Change]:
        """Path -> entries before and after, of files; "" is the empty tree. Raises LimitError."""
        found: dict[str, Change] = {}
        self._compare(old, new, "", 0, found)
        return found

    def _compare(self, old: str, new: str, prefix: str, depth: int, found: dict[str, Change]) -> None:
        if old == new:
            return
        if depth > MAX_DEPTH or len(found) > MAX_PATHS:
            raise LimitError("the change is too deep or too large", expected=f"at most {MAX_PATHS} paths")
        before, after = self._of_tree(old), self._of_tree(new)
        for name in before.keys() | after.keys():
            one, other = before.get(name), after.get(name)
            if one != other:
                self._descend(one, other, prefix + name.decode("utf-8", "backslashreplace"), depth, found)

    def _descend(
        self, one: Entry | None, other: Entry | None, path: str, depth: int, found: dict[str, Change]
    ) -> None:
        folders = [entry[1] if entry and entry[0] == b"40000" else "" for entry in (one, other)]
        if any(folders):
            self._compare(folders[0], folders[1], f"{path}/", depth + 1, found)
        files = [None if folder else entry for folder, entry in zip(folders, (one, other), strict=True)]
        if files[0] != files[1]:
            found[path] = files[0], files[1]

    def _of_tree(self, tree: str) -> dict[bytes, Entry]:
        return {entry.name: (entry.mode, entry.id) for entry in self._entries(tree)} if tree else {}

    def _beyond_merge(self, commit: Commit, start: str, ours: str, theirs: str) -> set[str]:
        here, there = self.difference(start, ours), self.difference(start, theirs)
        made = self.difference(ours, commit.tree)
        disputed = {path for path in here.keys() & there.keys() if here[path][1] != there[path][1]}
        disputed |= _in_the_way(here, there)
        wrong = set()
        for path in (made.keys() | (there.keys() - here.keys())) - disputed:
            wanted = there[path][1] if path in there and path not in here else made[path][0]
            actual = made[path][1] if path in made else there[path][0]
            if actual != wanted:
                wrong.add(path)
        return self._unlike_libgit2(commit, start, ours, theirs, disputed | wrong) if disputed else wrong

    def _unlike_libgit2(
        self, commit: Commit, start: str, ours: str, theirs: str, paths: set[str]
    ) -> set[str]:
        """Those of ``paths`` in which the commit is not what libgit2 makes of start, ours and theirs."""
        base = start or self._empty()
        try:
            index = self._repo.merge_trees(base, ours, theirs, flags=_NO_RENAMES)
        except (pygit2.GitError, KeyError, ValueError, OSError) as error:
            raise CorruptObjectError("cannot merge the parents", got=str(error), where=commit.id) from error
        conflicts = {side.path for three in index.conflicts or () for side in three if side}
        return {p for p in paths if p in conflicts or _indexed(index, p) != self._entry(commit.tree, p)}

    def _empty(self) -> str:
        return str(self._repo.TreeBuilder().write())

    def _entry(self, tree: str, path: str) -> Entry | None:
        """The file at ``path``, None where there is none."""
        *folders, name = path.encode().split(b"/")
        for folder in folders:
            found = self._of_tree(tree).get(folder)
            if found is None or found[0] != b"40000":
                return None
            tree = found[1]
        return self._of_tree(tree).get(name)


def _indexed(index: pygit2.Index, path: str) -> Entry | None:
    if path not in index:
        return None
    entry = index[path]
    return b"%o" % entry.mode, str(entry.id)


def _in_the_way(here: Collection[str], there: Collection[str]) -> set[str]:
    """Paths where one side has a file and the other a folder of that name."""
    found = set()
    for one, other in ((here, there), (there, here)):
        for path in one:
            parts = path.split("/")
            above = {"/".join(parts[:count]) for count in range(1, len(parts))} & set(other)
            if above:
                found |= above | {path}
    return found
