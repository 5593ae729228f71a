"""Enroller without permission: the key is listed, and the Federation does not say joining.autoApprove.

The permission is that of the commit before: an enroller, or a branch, cannot bring its own.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attack_kit import Fleet, subjects
from enroller_kit import JOINING, WITH_ENROLLER, allowing, enrolled

pytestmark = pytest.mark.real


@pytest.mark.parametrize("joining", [{}, {"autoApprove": False}])
def test_a_federation_that_does_not_say_so(make: Callable[..., Fleet], joining: dict[str, bool]) -> None:
    victim = allowing(make, joining=joining)
    commit = enrolled(victim)
    assert subjects(victim.refused("FW1268")) == {commit}


def test_permission_that_was_taken_back(make: Callable[..., Fleet]) -> None:
    victim = allowing(make)
    text = victim.federation(WITH_ENROLLER, 2, joining={})
    victim.repo.commit({"federation.yaml": text}, by="alice")
    enrolled(victim)
    victim.refused("FW1268")


def test_permission_counts_from_the_commit_after_it(make: Callable[..., Fleet]) -> None:
    victim = allowing(make, joining={})
    text = victim.federation(WITH_ENROLLER, 2, joining=JOINING)
    victim.branch("early", victim.good)
    early = enrolled(victim)
    victim.main()
    victim.repo.commit({"federation.yaml": text}, by="alice")
    victim.move(early)
    victim.refused("FW1268")


def test_permission_and_cluster_in_one_range(make: Callable[..., Fleet]) -> None:
    victim = allowing(make, joining={})
    text = victim.federation(WITH_ENROLLER, 2, joining=JOINING)
    victim.repo.commit({"federation.yaml": text}, by="alice")
    enrolled(victim)
    victim.accepted()


def test_permission_needs_the_next_version_of_the_root(make: Callable[..., Fleet]) -> None:
    victim = allowing(make, joining={})
    victim.repo.commit({"federation.yaml": victim.federation(WITH_ENROLLER, joining=JOINING)}, by="alice")
    victim.refused("FW1262")


def test_permission_needs_the_threshold(make: Callable[..., Fleet]) -> None:
    victim = allowing(make, joining={}, trust={"threshold": 2, "role": "security"})
    text = victim.federation(WITH_ENROLLER, 2, joining=JOINING)
    victim.repo.commit({"federation.yaml": text}, by="alice")
    victim.refused("FW1261")


def test_the_key_without_the_role(make: Callable[..., Fleet]) -> None:
    """A signer of no role is a person: then the rules ask for people."""
    victim = allowing(make, people={**WITH_ENROLLER, "fleetward": []})
    enrolled(victim)
    victim.refused("FW1261")


def test_a_key_that_is_no_signer(make: Callable[..., Fleet]) -> None:
    victim = allowing(make, people={k: v for k, v in WITH_ENROLLER.items() if k != "fleetward"})
    enrolled(victim)
    victim.refused("FW1206")
