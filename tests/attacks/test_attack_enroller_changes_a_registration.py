"""Enroller changes a registration: whoever stole the reconciler's key turns a member's traffic to themselves.

An enroller adds clusters. What is there stays as people signed it, also what the enroller added itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attack_kit import MAIN, Fleet, subjects
from enroller_kit import ENROLLER, WITH_ENROLLER, allowing, enrolled, path, registration

pytestmark = pytest.mark.real
MEMBER = "clusters/member-a.yaml"


@pytest.fixture
def victim(make: Callable[..., Fleet]) -> Fleet:
    return allowing(make)


def test_a_new_cluster_is_added_without_approvals(victim: Fleet) -> None:
    """What an enroller is for; a person may not do the same alone."""
    enrolled(victim)
    good = victim.accepted()
    victim.repo.commit({path("member-y"): registration("member-y")}, by="alice")
    victim.refused("FW1261")
    victim.move(good)
    enrolled(victim, "member-z")
    victim.accepted()


def test_a_registration_edited(victim: Fleet) -> None:
    commit = victim.repo.commit({MEMBER: registration("member-a")}, by=ENROLLER)
    assert subjects(victim.refused("FW1267")) == {commit}


def test_a_registration_deleted(victim: Fleet) -> None:
    victim.repo.commit({MEMBER: None}, by=ENROLLER)
    victim.refused("FW1267")


def test_its_own_registration_edited(victim: Fleet) -> None:
    enrolled(victim)
    victim.accepted()
    enrolled(victim, apiServers=["https://127.0.0.1:2"])
    victim.refused("FW1267")


def test_added_and_edited_in_one_range(victim: Fleet) -> None:
    enrolled(victim)
    commit = enrolled(victim, apiServers=["https://127.0.0.1:2"])
    assert subjects(victim.refused("FW1267")) == {commit}


@pytest.mark.parametrize(
    "spec",
    [
        {"credentials": {"tokenFile": "joined/member-a.token"}},
        {"credentials": {"kubeconfig": {"path": "member-a.kubeconfig"}}},
        {"viewerCredentials": {"tokenFile": "joined/member-a.token"}},
        {"username": "system:admin"},
        {"mode": "observe"},
        {"suspend": True},
    ],
)
def test_a_new_cluster_that_is_given_more_than_a_join_gives(victim: Fleet, spec: dict[str, Any]) -> None:
    """Another member's credential would be sent to a server of the thief's choice."""
    enrolled(victim, **spec)
    victim.refused("FW1267")


def test_an_enroller_does_not_approve_a_change(victim: Fleet) -> None:
    change = victim.repo.commit({MEMBER: registration("member-a")}, by="alice")
    victim.approve(change, ENROLLER)
    victim.refused("FW1261")
    victim.approve(change, "bob")
    victim.accepted()


def test_an_enroller_takes_another_role_in_the_root(victim: Fleet) -> None:
    people = {**WITH_ENROLLER, ENROLLER: ["enroller", "security"]}
    victim.repo.commit({"federation.yaml": victim.federation(people, version=2)}, by="alice")
    victim.refused("FW1325")


def test_an_enroller_is_nobody_whom_a_rule_can_ask_for(victim: Fleet) -> None:
    rules = [{"paths": ["clusters/**"], "needs": [{"count": 1, "role": "enroller"}]}]
    victim.repo.commit({"federation.yaml": victim.federation(WITH_ENROLLER, 2, approvals=rules)}, by="alice")
    victim.refused("FW1325")


def test_no_heartbeat_by_an_enroller(make: Callable[..., Fleet]) -> None:
    victim = allowing(make, trust={"heartbeat": {"maxAge": "1h"}})
    change = victim.change()
    victim.beat(change, ENROLLER)
    victim.refused("FW1265")
    victim.beat(change, "carol")
    victim.accepted()


def test_an_enroller_does_not_merge(victim: Fleet) -> None:
    victim.branch("side")
    victim.change("one")
    victim.main()
    victim.repo.merge("side", by=ENROLLER)
    victim.refused("FW1267")


def test_an_empty_commit_of_an_enroller(victim: Fleet) -> None:
    victim.repo.commit({}, by=ENROLLER)
    victim.refused("FW1267")


def test_a_file_that_is_no_plain_one(victim: Fleet) -> None:
    """The same bytes, executable: made as raw objects."""
    enrolled(victim)
    victim.repo.git("update-index", "--chmod=+x", path("member-x"))
    tree = victim.repo.git("write-tree").strip()
    parent = victim.repo.head(f"{MAIN}~1")
    person = victim.repo.person(ENROLLER)
    victim.repo.git("config", "gpg.format", "ssh")
    victim.repo.git("config", "user.signingKey", str(person.private_key))
    who = ("-c", f"user.name={ENROLLER}", "-c", "user.email=x@x")
    made = victim.repo.git(*who, "commit-tree", "-S", "-p", parent, "-m", "x", tree).strip()
    victim.move(made)
    victim.refused("FW1267")


def test_the_trust_root(victim: Fleet) -> None:
    text = victim.federation({"mallory": ["security"]}, version=2, approvals=[])
    victim.repo.commit({"federation.yaml": text}, by=ENROLLER)
    victim.refused("FW1267")
