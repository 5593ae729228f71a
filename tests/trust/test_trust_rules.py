"""Path rules: which paths a glob means, and whom a set of people leaves out."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.documents import TrustedSigner, TrustRoot
from reconciler.documents.formats import is_path_glob
from reconciler.documents.trust_root import Need, PathRule
from reconciler.trust.rules import lacking, matches, rules_for


@pytest.mark.parametrize(
    ("glob", "meant", "not_meant"),
    [
        (
            "policies/rbac/**",
            ["policies/rbac/a", "policies/rbac/a/b.yaml"],
            ["policies/rbac", "policies/rbacx/a"],
        ),
        ("policies/rbac", ["policies/rbac", "policies/rbac/a/b"], ["policies/rbac.yaml", "x/policies/rbac"]),
        (
            "clusters/prod-*",
            ["clusters/prod-eu.yaml", "clusters/prod-"],
            ["clusters/dev.yaml", "prod-eu.yaml"],
        ),
        ("clusters/prod-*", ["clusters/prod-a/b"], ["clusters/x/prod-a"]),
        ("**/*.rego", ["a.rego", "x/y/a.rego"], ["a.rego.txt"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b/c"], ["a", "ab", "a/xb"]),
        ("**", ["a", "a/b"], []),
        ("*", ["a", "a/b"], []),
        ("?.yaml", ["a.yaml"], ["ab.yaml", "/.yaml", ".yaml"]),
        ("a.b", ["a.b"], ["axb"]),
        ("a+(b)", ["a+(b)"], ["aab"]),
        ("line", ["line"], ["line\n", "other\nline"]),
    ],
)
def test_globs(glob: str, meant: list[str], not_meant: list[str]) -> None:
    assert is_path_glob(glob)
    assert [path for path in meant if not matches(glob, path)] == []
    assert [path for path in not_meant if matches(glob, path)] == []


@pytest.mark.parametrize(
    "glob", ["", "/a", "a//b", "a/../b", "./a", "a/", "[ab]", "!a", "{a,b}", "a**", "a\nb", "a\\b"]
)
def test_globs_that_are_refused(glob: str) -> None:
    assert not is_path_glob(glob)


globs = st.text(alphabet="ab*?/", min_size=1, max_size=12).filter(is_path_glob)
paths = st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=4)


@given(globs, paths)
def test_a_glob_means_the_same_as_a_plain_reading_of_it(glob: str, parts: list[str]) -> None:
    starts = (parts[:count] for count in range(1, len(parts) + 1))  # a glob means what is below it, too
    assert matches(glob, "/".join(parts)) == any(_reads(glob.split("/"), start) for start in starts)


def _reads(glob: list[str], parts: list[str]) -> bool:
    """The definition, one segment at a time; "**" at the end needs something below it."""
    if not glob:
        return not parts
    if glob[0] == "**":
        tails = range(len(parts)) if glob == ["**"] else range(len(parts) + 1)
        return any(bool(parts) if glob == ["**"] else _reads(glob[1:], parts[at:]) for at in tails)
    one = re.escape(glob[0]).replace(r"\*", ".*").replace(r"\?", ".")
    return bool(parts) and re.fullmatch(one, parts[0]) is not None and _reads(glob[1:], parts[1:])


ROLES = ("sre", "security")
people = st.lists(st.sets(st.sampled_from(ROLES)), max_size=4).map(
    lambda roles: [TrustedSigner(str(at), roles=tuple(each)) for at, each in enumerate(roles)]
)
needs = st.lists(st.builds(Need, st.integers(1, 2), st.sampled_from(("", *ROLES))), min_size=1, max_size=3)


@given(needs, people)
def test_nothing_is_lacking_exactly_when_every_place_can_have_its_own_person(
    needs: list[Need], people: list[TrustedSigner]
) -> None:
    places = [need.role for need in needs for _ in range(need.count)]
    fits = any(
        all(not role or role in person.roles for role, person in zip(places, seated, strict=True))
        for seated in itertools.permutations(people, len(places))
    )
    assert (lacking(needs, people) == ()) == fits
    left = sum(need.count for need in lacking(needs, people))
    assert len(places) - len(people) <= left <= len(places)


def test_every_rule_that_matches_counts_and_the_root_always_has_one() -> None:
    wide, narrow = (
        PathRule(("policies/**",), (Need(1),)),
        PathRule(("policies/rbac/**",), (Need(2, "security"),)),
    )
    root = TrustRoot((), rules=(wide, narrow), threshold=3)
    assert [rule for rule, _ in rules_for(root, ["policies/rbac/a"])] == [wide, narrow]
    assert [rule.needs for rule, _ in rules_for(root, ["federation.yaml"])] == [(Need(3),)]
    assert rules_for(root, ["clusters/a.yaml"]) == ()
