"""Approval replay: what was said of one change is shown for another."""

from __future__ import annotations

import pytest
from attack_kit import PEOPLE, Fleet, subjects

pytestmark = pytest.mark.real


def pin(fleet: Fleet, commit: str, oid: str, name: str = "x") -> None:
    fleet.repo.git("update-ref", f"refs/fleetward/statements/approvals/{commit}/{name}", oid)


def test_the_approval_of_another_commit(fleet: Fleet) -> None:
    one = fleet.role("one")
    ref = fleet.approve(one, "bob")
    two = fleet.role("two")
    pin(fleet, two, fleet.repo.head(ref))
    assert subjects(fleet.refused("FW1261")) == {two}


def test_an_approval_that_is_pointed_to_another_commit(fleet: Fleet) -> None:
    one = fleet.role("one")
    ref = fleet.approve(one, "bob")
    fleet.move(fleet.good)
    two = fleet.role("two")
    raw = fleet.repo.git("cat-file", "tag", ref)
    for name, text in {
        "object": raw.replace(f"object {one}", f"object {two}"),
        "all": raw.replace(one, two),
    }.items():
        pin(fleet, two, fleet.repo.write_object("tag", text.encode()), name)
    fleet.refused("FW1261")


def test_an_approval_does_not_survive_a_rebase(fleet: Fleet) -> None:
    """The same change on another base is another commit, which nobody has seen."""
    before = fleet.role()
    fleet.approve(before, "bob")
    fleet.move(fleet.good)
    fleet.change("meanwhile")
    after = fleet.role()
    for ref in (before, after):
        pin(
            fleet,
            ref,
            fleet.repo.head(f"refs/fleetward/statements/approvals/{before}/{self_id(fleet, before)}"),
        )
    (finding,) = fleet.refused("FW1261")
    assert subjects([finding]) == {after}
    fleet.approve(after, "bob")
    fleet.accepted()


def self_id(fleet: Fleet, commit: str) -> str:
    folder = f"refs/fleetward/statements/approvals/{commit}/"
    return fleet.repo.git("for-each-ref", "--format=%(refname:lstrip=5)", folder).split()[0]


def test_an_approval_covers_nothing_that_was_pushed_later(fleet: Fleet) -> None:
    fleet.approve(fleet.role("one"), "bob")
    later = fleet.role("two")
    assert subjects(fleet.refused("FW1261")) == {later}


def test_the_approval_of_a_revert_does_not_cover_what_it_reverts(fleet: Fleet) -> None:
    """In the end nothing has changed, but the commit in between may have been what was wanted."""
    first = fleet.role("one")
    tip = fleet.repo.commit({"policies/rbac/one.yaml": None})
    fleet.approve(tip, "bob", base=first)
    assert subjects(fleet.refused("FW1261")) == {first}


def test_an_approval_by_somebody_who_was_removed_since(fleet: Fleet) -> None:
    fleet.branch("work")
    commit = fleet.role()
    fleet.approve(commit, "bob")
    fleet.main()
    people = {**{name: roles for name, roles in PEOPLE.items() if name != "bob"}, "erin": ["security"]}
    fleet.repo.commit({"federation.yaml": fleet.federation(people, version=2)})
    fleet.accepted()
    fleet.repo.merge("work", by="carol")
    fleet.refused("FW1261")
    fleet.approve(commit, "erin")
    fleet.accepted()


def test_a_release_tag_is_no_approval(fleet: Fleet) -> None:
    """Any other signed tag of somebody who counts, put where approvals are."""
    commit = fleet.role()
    ref = fleet.state("bob", "Release 1.0", commit, folder=f"approvals/{commit}")
    assert fleet.repo.head(ref)
    fleet.refused("FW1261")


def test_a_heartbeat_is_no_approval(fleet: Fleet) -> None:
    commit = fleet.role()
    pin(fleet, commit, fleet.repo.head(fleet.beat(commit, "bob")))
    fleet.refused("FW1261")


def test_an_unsigned_statement(fleet: Fleet) -> None:
    commit = fleet.role()
    raw = fleet.repo.git("cat-file", "tag", fleet.approve(commit, "bob", at="0" * 40))
    body = raw.partition("-----BEGIN")[0]
    for name, text in {"none": body, "empty": body + "-----BEGIN SSH SIGNATURE-----\n"}.items():
        pin(fleet, commit, fleet.repo.write_object("tag", text.encode()), name)
    fleet.refused("FW1261")


def test_an_approval_in_a_file(fleet: Fleet) -> None:
    """No file of the repository is an approval: only signed statements are."""
    commit = fleet.role()
    raw = fleet.repo.git("cat-file", "tag", fleet.approve(commit, "bob", at="0" * 40))
    fleet.repo.commit({f"approvals/{commit}": raw}, by="dave")
    fleet.refused("FW1261")
