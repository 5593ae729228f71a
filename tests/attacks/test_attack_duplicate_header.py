"""Duplicate headers: one commit object that two readers read as two commits.

With two ``tree`` headers, or a signature that is not in what is signed, one program verifies what
another does not check out. What git would not write is refused, wherever in the range it is.
"""

from __future__ import annotations

import pytest
from attack_kit import Fleet
from git_fixtures import FleetRepo

pytestmark = pytest.mark.real


def signature(repo: FleetRepo, payload: bytes, by: str = "dave") -> bytes:
    key = repo.person(by).private_key
    return repo._run(["ssh-keygen", "-Y", "sign", "-q", "-n", "git", "-f", str(key)], stdin=payload)


def test_a_second_tree(fleet: Fleet) -> None:
    """Signed as it is: the signature covers both trees."""
    payload = fleet.payload()
    tree = fleet.repo.head("HEAD^{tree}").encode()
    twice = b"tree " + tree + b"\n" + payload
    fleet.forge_commit(twice, signature(fleet.repo, twice))
    (finding,) = fleet.refused("FW1105")
    assert "'tree' 2 times" in finding.got


@pytest.mark.parametrize("line", [b"author", b"committer"])
def test_a_person_twice(fleet: Fleet, line: bytes) -> None:
    payload = fleet.payload()
    one = next(part for part in payload.split(b"\n") if part.startswith(line))
    twice = payload.replace(one, one + b"\n" + one, 1)
    fleet.forge_commit(twice, signature(fleet.repo, twice))
    fleet.refused("FW1105")


def test_a_parent_after_the_author(fleet: Fleet) -> None:
    payload = fleet.payload()
    late = payload.replace(b"\n\n", b"\nparent " + fleet.good.encode() + b"\n\n", 1)
    fleet.forge_commit(late, signature(fleet.repo, late))
    fleet.refused("FW1105")


def test_a_second_signature(fleet: Fleet) -> None:
    """A good one and a stranger's: which of them is shown depends on the reader."""
    payload = fleet.payload()
    good = signature(fleet.repo, payload).rstrip(b"\n").replace(b"\n", b"\n ")
    both = payload.replace(b"\n\n", b"\ngpgsig " + good + b"\n\n", 1)
    fleet.forge_commit(both, signature(fleet.repo, payload, "mallory"))
    fleet.refused("FW1105")


def test_a_signature_that_nothing_covers(fleet: Fleet) -> None:
    """gpgsig-sha256 is left out of what git signs: anybody can add it to a signed commit."""
    payload = fleet.payload()
    fleet.forge_commit(payload, signature(fleet.repo, payload), header=b"gpgsig-sha256")
    fleet.refused("FW1105")


def test_a_nul_that_ends_the_commit_for_some(fleet: Fleet) -> None:
    payload = fleet.payload().replace(b"\n\nforged\n", b"\n\nforged\n\0hidden\n")
    fleet.forge_commit(payload, signature(fleet.repo, payload))
    fleet.refused("FW1105")


def test_below_a_tip_that_is_well_formed(fleet: Fleet) -> None:
    payload = fleet.payload()
    zone = payload.replace(b" +0000\n\n", b" +0000\nencoding UTF-8\nencoding UTF-7\n\n", 1)
    bad = fleet.forge_commit(zone, signature(fleet.repo, zone))
    fleet.repo.git("reset", "-q", "--hard")
    fleet.change("tip")
    (finding,) = fleet.refused("FW1105")
    assert "'encoding' 2 times" in finding.got
    assert fleet.repo.head("HEAD~1") == bad
