"""Root rollback: an older trust root comes back, with a signer that was removed or rules that were weaker.

It was good once, so everybody who had to agree has agreed. Its version tells.
"""

from __future__ import annotations

import pytest
from attack_kit import PEOPLE, Fleet

pytestmark = pytest.mark.real
LEFT = {name: roles for name, roles in PEOPLE.items() if name != "dave"}


@pytest.fixture
def second(fleet: Fleet) -> Fleet:
    """Dave was removed in version 2."""
    fleet.repo.commit({"federation.yaml": fleet.federation(LEFT, version=2)})
    fleet.accepted()
    return fleet


def test_the_old_file_again(second: Fleet) -> None:
    old = second.repo.git("show", f"{second.good}:federation.yaml")
    second.repo.commit({"federation.yaml": old})
    (finding,) = second.refused("FW1263")
    assert (finding.expected, finding.got) == ("version 2", "version 1")


def test_a_revert_by_git(second: Fleet) -> None:
    key = second.repo.person("alice").private_key
    signing = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}", "-c", "commit.gpgSign=true")
    second.repo.git(*signing, "-c", "user.name=a", "-c", "user.email=a@x", "revert", "--no-edit", "HEAD")
    second.refused("FW1263")


def test_by_way_of_a_file_that_cannot_be_read(second: Fleet) -> None:
    """In between there is no root to compare with, and it still is a rollback."""
    old = second.repo.git("show", f"{second.good}:federation.yaml")
    second.repo.commit({"federation.yaml": "kind: [\n"})
    second.repo.commit({"federation.yaml": old})
    second.refused("FW1263")


def test_by_a_merge_that_takes_the_old_side(second: Fleet) -> None:
    second.branch("old", second.good)
    second.change("old", by="carol")
    second.half_merge("main", "-s", "ours")
    merge = second.repo.commit({}, by="alice")
    second.repo.git("branch", "-f", "main", merge)
    second.refused("FW1263")


def test_the_old_people_under_a_new_version_are_a_new_root(second: Fleet) -> None:
    second.repo.commit({"federation.yaml": second.federation(version=3)})
    second.accepted()
    assert second.root_version() == 3


@pytest.mark.parametrize("version", [2, 4, 1_000_000])
def test_another_root_without_the_next_version(second: Fleet, version: int) -> None:
    second.repo.commit({"federation.yaml": second.federation(version=version)})
    second.refused("FW1262")
