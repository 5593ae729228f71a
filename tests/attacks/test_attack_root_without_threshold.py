"""Root without threshold: the trust root is changed by fewer people than it asks for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attack_kit import PEOPLE, Fleet, subjects

pytestmark = pytest.mark.real
TWO = {"threshold": 2, "role": "security"}


@pytest.fixture
def fleet(make: Callable[..., Fleet]) -> Fleet:
    """Two of security have to agree to a change of federation.yaml."""
    return make(trust=TWO)


def test_one_person_alone(fleet: Fleet) -> None:
    fleet.repo.commit({"federation.yaml": fleet.federation({**PEOPLE, "erin": []}, version=2)})
    fleet.refused("FW1261")


def test_the_threshold_is_lowered_first_in_the_same_push(fleet: Fleet) -> None:
    lower = fleet.repo.commit({"federation.yaml": fleet.federation(trust={"version": 2})})
    fleet.repo.commit({"federation.yaml": fleet.federation({**PEOPLE, "mallory": []}, trust={"version": 3})})
    assert subjects(fleet.refused("FW1261")) >= {lower}


def test_what_is_not_the_root_needs_the_threshold_too(fleet: Fleet) -> None:
    """Limits, programs and gate settings stand in the same file."""
    fleet.repo.commit({"federation.yaml": fleet.federation(limits={"maxDeletions": "100%"})})
    fleet.refused("FW1261")


def test_the_file_is_taken_away_and_put_back(fleet: Fleet) -> None:
    """Each of the two commits changes federation.yaml, so each needs the people."""
    fleet.repo.commit({"federation.yaml": None})
    fleet.repo.commit({"federation.yaml": fleet.federation({**PEOPLE, "mallory": []}, version=2)})
    assert len(subjects(fleet.refused("FW1261"))) == 2


def test_the_file_moves_in_by_a_merge(fleet: Fleet) -> None:
    """The merge authors nothing; the commit on the branch is judged all the same."""
    fleet.branch("side")
    coup = fleet.repo.commit({"federation.yaml": fleet.federation({**PEOPLE, "mallory": []}, version=2)})
    fleet.main()
    fleet.change("main")
    fleet.repo.merge("side", by="github")
    assert subjects(fleet.refused("FW1261")) == {coup}


def test_a_second_document_in_the_file(fleet: Fleet) -> None:
    two = fleet.federation() + "---\n" + fleet.federation({"mallory": []}, version=2, approvals=[])
    fleet.repo.commit({"federation.yaml": two})
    fleet.refused("FW1261", "FW1325", "FW1335")


def test_another_file_is_no_trust_root(fleet: Fleet) -> None:
    """A Federation elsewhere, or in other case, never counts."""
    text = fleet.federation({"mallory": []}, version=2)
    fleet.repo.commit({"policies/manifests/federation.yaml": text}, by="dave")
    fleet.refused("FW1325", "FW1332", "FW1335")


def test_the_threshold_as_it_should_be(fleet: Fleet) -> None:
    commit = fleet.repo.commit({"federation.yaml": fleet.federation({**PEOPLE, "erin": []}, version=2)})
    fleet.approve(commit, "bob")
    fleet.accepted()
