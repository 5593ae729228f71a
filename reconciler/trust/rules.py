"""Path rules: which people a change needs, and whom it still lacks. Pure.

Rules:
- Every rule with a glob that matches a changed path counts; a later rule takes nothing back.
- One person fills one place of a rule only, however many roles or keys the person has. Different rules
  count the same people again.
- ``*`` and ``?`` stay within a folder, ``**`` stands for any number of folders; a glob that names a folder
  means everything below it.

>>> matches("clusters/prod-*", "clusters/prod-eu.yaml"), matches("policies/**", "policies/rbac/a.yaml")
(True, True)
>>> from reconciler.documents import TrustedSigner
>>> both = TrustedSigner("alice", roles=("sre", "security"))
>>> [str(need) for need in lacking((Need(1, "sre"), Need(1, "security")), [both])]
['1 of security']
"""

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

from reconciler.documents.trust_root import Need, PathRule, TrustedSigner, TrustRoot

FEDERATION = "federation.yaml"


@lru_cache(maxsize=4096)
def _pattern(glob: str) -> re.Pattern[str]:
    parts = []
    for part in glob.split("/"):
        text = "".join({"*": "[^/]*", "?": "[^/]"}.get(c, re.escape(c)) for c in part)
        parts.append("(?:[^/]+/)*" if part == "**" else f"{text}/")
    # What is left of the last part's slash: the path ends there, or goes on below a folder of that name.
    return re.compile(
        "".join(parts).removesuffix("/") + (".+" if glob.endswith("**") else "(?:/.*)?"), re.DOTALL
    )


def matches(glob: str, path: str) -> bool:
    """Whether the glob means this path."""
    return _pattern(glob).fullmatch(path) is not None


def rules_for(root: TrustRoot, paths: Collection[str]) -> tuple[tuple[PathRule, tuple[str, ...]], ...]:
    """The rules that a change of ``paths`` has to satisfy, each with the paths that it is about.

    federation.yaml always has one: the root's own threshold.
    """
    own = PathRule((FEDERATION,), (Need(root.threshold, root.role),))
    hits = (
        (rule, tuple(path for path in paths if any(matches(glob, path) for glob in rule.paths)))
        for rule in (own, *root.rules)
    )
    return tuple((rule, hit) for rule, hit in hits if hit)


def lacking(needs: Iterable[Need], people: Sequence[TrustedSigner]) -> tuple[Need, ...]:
    """What ``people`` (each named once) leave open, with the counts that are missing."""
    places = [need for need in needs for _ in range(need.count)]
    taken: dict[int, int] = {}  # person -> place
    open_places = [need for at, need in enumerate(places) if not _seat(at, places, people, taken, set())]
    return tuple(Need(open_places.count(need), need.role) for need in dict.fromkeys(open_places))


def _seat(
    place: int,
    places: Sequence[Need],
    people: Sequence[TrustedSigner],
    taken: dict[int, int],
    tried: set[int],
) -> bool:
    """Fill a place, moving others to another place if that helps (Kuhn's augmenting paths)."""
    role = places[place].role
    for person, signer in enumerate(people):
        if person in tried or (role and role not in signer.roles):
            continue
        tried.add(person)
        if person not in taken or _seat(taken[person], places, people, taken, tried):
            taken[person] = place
            return True
    return False
