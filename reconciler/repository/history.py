"""Which commits lie between the last accepted one and a new one, and where two histories meet.

Rules:
- Every commit that ``new`` reaches and ``old`` does not, by all parents: a merge cannot smuggle a branch in.
- ``new`` must descend from ``old``, else NotDescendantError: accepted history only grows.
- Parents are read from raw commits. Where history just ends (a shallow clone), nothing is assumed.
- Dates only decide in which order to look; a forged date can make the answer too long (commits that were
  accepted before are judged again), never too short, since a commit is left out only when a real chain of
  parents leads to it from ``old``.

>>> between(objects, old, new, shallow=False)  # doctest: +SKIP
('9fceb02...', '3ac5d10...')
"""

import heapq
import re
from typing import Final

from reconciler.repository.errors import LimitError, MissingObjectError, NotDescendantError, ShallowError
from reconciler.repository.objects import Objects

MAX_COMMITS: Final = 100_000  # in one answer
MAX_VISITED: Final = 1_000_000
MAX_BASES: Final = 16  # of one merge; criss-cross merges have two
_NEW, _OLD = 1, 2
_BOTH = _NEW | _OLD
_PARENTS = re.compile(rb"tree [0-9a-f]{40}\n((?:parent [0-9a-f]{40}\n)*)")
_DATE = re.compile(rb"\ncommitter [^\n]*> ([0-9]{1,12}) [+-][0-9]{4}\n")


def between(objects: Objects, old: str | None, new: str, *, shallow: bool) -> tuple[str, ...]:
    """Ids of every commit in old..new, parents before children; with ``old`` None all that ``new`` reaches.

    ``shallow`` says that the repository is a shallow clone, for a better error where history ends.
    Raises NotDescendantError, ShallowError, LimitError, and what ``Objects`` raises.
    """
    if old == new:
        return ()
    walk = _Walk(objects, shallow=shallow)
    walk.mark(new, _NEW)
    if old is not None and objects.has(old):
        walk.mark(old, _OLD)
    walk.run()
    if old is not None and not walk.reached_by.get(old, 0) & _NEW:
        raise _apart(old, new)
    return walk.only_from_new(new)


def bases(objects: Objects, one: str, other: str, *, shallow: bool) -> tuple[str, ...]:
    """The best common ancestors of two commits, sorted: those that no other common ancestor descends from.

    All of them (git merge-base --all): which one a merge is held against must not be a matter of dates.
    Raises ShallowError, LimitError, and what ``Objects`` raises.
    """
    walk = _Walk(objects, shallow=shallow, until=_BOTH)
    walk.mark(one, _NEW)
    walk.mark(other, _OLD)
    walk.run()
    found = walk.met(one, other)
    if len(found) > MAX_BASES:
        raise LimitError("a merge has too many common ancestors", expected=f"at most {MAX_BASES}", where=one)
    return tuple(c for c in found if not any(_leads(objects, c, d, shallow=shallow) for d in found if d != c))


def _leads(objects: Objects, old: str, new: str, *, shallow: bool) -> bool:
    try:
        between(objects, old, new, shallow=shallow)
    except NotDescendantError:
        return False
    return True


class _Walk:
    """Paints commits by who reaches them, newest first, until nothing new can turn up."""

    def __init__(self, objects: Objects, *, shallow: bool, until: int = _OLD) -> None:
        """``until`` is who has to reach a commit for its parents to be of no interest."""
        self.reached_by: dict[str, int] = {}
        self._objects = objects
        self._shallow = shallow
        self._until = until
        self._facts: dict[str, tuple[int, tuple[str, ...]]] = {}  # -date, parents
        self._queue: list[tuple[int, str]] = []
        self._open: set[str] = set()  # queued, and as far as known not reached by old

    def run(self) -> None:
        """Expand until every commit still queued is reached by those who end the walk."""
        while self._open:
            self._expand(heapq.heappop(self._queue)[1])
        # What was found out about commits after they were expanded is passed on to those already seen.
        while self._queue:
            commit = heapq.heappop(self._queue)[1]
            for parent in self._facts[commit][1]:
                if parent in self.reached_by:
                    self.mark(parent, self.reached_by[commit])

    def _expand(self, commit: str) -> None:
        self._open.discard(commit)
        for parent in self._facts[commit][1]:
            self.mark(parent, self.reached_by[commit])

    def mark(self, commit: str, by: int) -> None:
        """Note who reaches ``commit`` and queue it if that is news."""
        before = self.reached_by.get(commit, 0)
        after = before | by
        if after == before or not self._known(commit, after):
            return
        self.reached_by[commit] = after
        (self._open.discard if after & self._until == self._until else self._open.add)(commit)
        heapq.heappush(self._queue, (self._facts[commit][0], commit))

    def _known(self, commit: str, by: int) -> bool:
        """Read ``commit`` once; False where history ends on the side of old, which does not matter."""
        if commit in self._facts:
            return True
        if len(self._facts) >= MAX_VISITED:
            raise LimitError("history is too long", expected=f"at most {MAX_VISITED} commits to look at")
        try:
            self._facts[commit] = _facts(self._objects.fetch(commit, "commit"))
        except MissingObjectError as error:
            if by & self._until == self._until:
                return False
            raise self._ended(commit, error) from error
        return True

    def _ended(self, commit: str, error: MissingObjectError) -> MissingObjectError | ShallowError:
        if not self._shallow:
            return error
        return ShallowError(
            "the clone is shallow and ends before the last accepted commit",
            expected=f"commit {commit}",
            hint="run `git fetch --unshallow` (actions/checkout: `fetch-depth: 0`)",
        )

    def met(self, one: str, other: str) -> list[str]:
        """The common commits with a child on either side, or that are a side itself; sorted.

        The best common ancestors are among them: a child that is common too would be a better one.
        """
        below = {
            by: {
                parent
                for commit, who in self.reached_by.items()
                if who == by
                for parent in self._parents(commit)
            }
            for by in (_NEW, _OLD)
        }
        meeting = (below[_NEW] & below[_OLD]) | {one, other}
        return sorted(commit for commit in meeting if self.reached_by.get(commit) == _BOTH)

    def _parents(self, commit: str) -> tuple[str, ...]:
        return self._facts[commit][1]

    def only_from_new(self, new: str) -> tuple[str, ...]:
        """The commits that old does not reach, parents before children; the order depends on them alone."""
        found = {commit for commit, by in self.reached_by.items() if by == _NEW}
        if len(found) > MAX_COMMITS:
            raise LimitError("too many commits to verify at once", expected=f"at most {MAX_COMMITS}")
        order: dict[str, None] = {}
        stack = [(new, iter(self._facts[new][1]))]
        entered = {new}
        while stack:
            commit, parents = stack[-1]
            following = next((p for p in parents if p in found and p not in entered), None)
            if following is None:
                order[commit] = None
                stack.pop()
            else:
                entered.add(following)
                stack.append((following, iter(self._facts[following][1])))
        return tuple(order)


def _facts(raw: bytes) -> tuple[int, tuple[str, ...]]:
    """(-date, parents) of a raw commit; lenient, since commits accepted long ago need not be judged again."""
    parents = _PARENTS.match(raw)
    date = _DATE.search(raw)
    lines = parents[1].decode().splitlines() if parents else []
    return -int(date[1]) if date else 0, tuple(line[7:] for line in lines)


def _apart(old: str, new: str) -> NotDescendantError:
    return NotDescendantError(
        "the ref does not build on the last accepted commit",
        expected=f"a descendant of {old}",
        got=new,
        hint="find out who moved it back; restore the old tip and put new commits on top",
    )
