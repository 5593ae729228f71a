"""Which trust root judges a commit: the newest one of the range that does not build on it.

Rules:
- A *change* is a commit that authors federation.yaml with the next version after the newest root of a lower
  version that is neither its own nor builds on it. A root of any other version never judges anything.
- A change's root judges every commit of the range but the change itself and what it builds on. Neither the
  order in which a merge names its parents nor the place where a branch began can bring a revoked key back.
- A change is judged by the root of the lower version first, so that no two changes can vouch for each other.
- Two changes of one version that do not build on one another are rivals: what builds on one of them is judged
  by that one, anything else by each, and so is a change by its rivals.

>>> base = TrustRoot(())
>>> Roots(base, ()).of("4" * 40) == (base,)
True
"""

from collections.abc import Iterator, Mapping, Sequence

from reconciler.documents import TrustRoot
from reconciler.trust.errors import RootVersionError
from reconciler.trust.rules import FEDERATION
from reconciler.trust.verdicts import Candidate

MAX_CHANGES = 64  # in one range


class Roots:
    """The roots of one range: ``base`` is in force before it, ``commits`` are in order, parents first."""

    def __init__(self, base: TrustRoot, commits: Sequence[Candidate]) -> None:
        """Raises RootVersionError for too many changes at once."""
        self._base = base
        found = [(commit.id, commit.root) for commit in commits if commit.root and FEDERATION in commit.paths]
        found = [(commit, root) for commit, root in found if root.version > base.version]
        if len(found) > MAX_CHANGES:
            raise _too_many(found[MAX_CHANGES][0])
        # A bit for each change; the higher, the newer.
        self._changes = sorted(found, key=lambda change: change[1].version)
        self._bits = {commit: 1 << place for place, (commit, _) in enumerate(self._changes)}
        self._below, self._above = _reach(commits, self._bits)
        self._counting = 0
        for commit, root in self._changes:
            if root.version == self._newest(commit, root.version)[0].version + 1:
                self._counting |= self._bits[commit]

    def of(self, commit: str) -> tuple[TrustRoot, ...]:
        """The roots that all have to be content with ``commit``; several only for changes and rivals."""
        found: list[TrustRoot] = []
        if self._bits.get(commit, 0) & self._counting:
            found += self._newest(commit, self._root_of(commit).version)
        found += self._newest(commit)
        return tuple({root.digest: root for root in found}.values())

    def last(self) -> TrustRoot:
        """The root that is in force after the range."""
        return self._newest("")[0]

    def _root_of(self, commit: str) -> TrustRoot:
        return self._changes[self._bits[commit].bit_length() - 1][1]

    def _newest(self, commit: str, lower: int | None = None) -> list[TrustRoot]:
        """Those of the highest version (lower than ``lower``) that do not build on ``commit``."""
        free = self._counting & ~self._below.get(commit, 0)
        places = [p for p in _places(free) if lower is None or self._changes[p][1].version < lower]
        if not places:
            return [self._base]
        top = self._changes[places[-1]][1].version
        rivals = [place for place in places if self._changes[place][1].version == top]
        above = self._above.get(commit, 0)
        mine = [place for place in rivals if above >> place & 1]
        return [self._changes[place][1] for place in mine or rivals]


def _reach(
    commits: Sequence[Candidate], bits: Mapping[str, int]
) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Per commit the changes that build on it, and those that it builds on; a change is in both."""
    below = {commit.id: bits.get(commit.id, 0) for commit in commits}
    above = dict(below)
    for commit in reversed(commits):
        for parent in commit.parents:
            if parent in below:
                below[parent] |= below[commit.id]
    for commit in commits:
        for parent in commit.parents:
            above[commit.id] |= above.get(parent, 0)
    return below, above


def _places(bits: int) -> Iterator[int]:
    """The places of the bits that are set, lowest first."""
    while bits:
        yield (bits & -bits).bit_length() - 1
        bits &= bits - 1


def _too_many(commit: str) -> RootVersionError:
    return RootVersionError(
        "the trust root changes too often in one range",
        where=commit,
        expected=f"at most {MAX_CHANGES} new versions at once",
        hint="let the reconciler accept the first of these commits before the rest",
    )
