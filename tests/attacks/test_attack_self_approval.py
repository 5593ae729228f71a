"""Self-approval: one person makes up the second one that a rule asks for."""

from __future__ import annotations

from collections.abc import Callable

import fleet_files
import pytest
from attack_kit import MAIN, PEOPLE, RBAC, Fleet, subjects

from reconciler.trust.statements import Approval, write

pytestmark = pytest.mark.real


def test_the_author_approves(fleet: Fleet) -> None:
    commit = fleet.role()
    fleet.approve(commit, "alice")
    (finding,) = fleet.refused("FW1261")
    assert (finding.got, subjects([finding])) == ("alice", {commit})
    fleet.approve(commit, "bob")
    fleet.accepted()


def test_a_second_key_of_the_author(make: Callable[..., Fleet]) -> None:
    people = {name: roles for name, roles in PEOPLE.items() if name != "alice"}
    fleet = make(
        people=people,
        more=lambda repo: [
            {
                "name": "alice",
                "roles": ["security"],
                "keys": [repo.person(name).public_key for name in ("alice", "alice2")],
            }
        ],
    )
    commit = fleet.role(by="alice")
    fleet.approve(commit, "alice2")
    fleet.refused("FW1261")


def test_the_authors_key_under_another_name(fleet: Fleet) -> None:
    """The tagger's name is what anybody writes there."""
    commit = fleet.role()
    person = fleet.repo.person("alice")
    text = write(Approval(fleet.name, MAIN, commit, base=fleet.good))
    settings = {
        "gpg.format": "ssh",
        "user.signingKey": str(person.private_key),
        "user.name": "bob",
        "user.email": "bob@example.com",
    }
    words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    fleet.repo.git(*words, "tag", "-s", "--cleanup=verbatim", "-m", text + "\n", "t", commit)
    folder = f"refs/fleetward/statements/approvals/{commit}"
    fleet.repo.git("update-ref", f"{folder}/bob", fleet.repo.head("refs/tags/t"))
    fleet.refused("FW1261")


def test_somebody_elses_name_in_the_commit(fleet: Fleet) -> None:
    """Bob is its author by name; alice signed it, so alice is its author here."""
    (fleet.repo.path / "policies/rbac/reader.yaml").write_text(fleet_files.role("reader", verbs=["get"]))
    fleet.repo.git("add", "--all")
    key = fleet.repo.person("alice").private_key
    signing = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}", "-c", "commit.gpgSign=true")
    named = ("-c", "user.name=bob", "-c", "user.email=bob@example.com")
    fleet.repo.git(*signing, *named, "commit", "-q", "--author=bob <bob@example.com>", "-m", "x")
    fleet.approve(fleet.repo.head(), "alice")
    (finding,) = fleet.refused("FW1261")
    assert finding.got == "alice"


@pytest.mark.parametrize("by", ["carol", "dave", "github", "mallory"])
def test_an_approval_by_somebody_who_does_not_count(fleet: Fleet, by: str) -> None:
    fleet.approve(fleet.role(), by)
    fleet.refused("FW1261")


def test_one_approval_many_times(fleet: Fleet) -> None:
    commit = fleet.role(by="dave")
    for _ in range(3):
        fleet.approve(commit, "alice")
    fleet.refused("FW1261")


def test_a_trailer_in_the_message_approves_nothing(fleet: Fleet) -> None:
    text = fleet_files.role("viewer", verbs=["get"])
    message = "x\n\nApproved-by: bob <bob@example.com>\nSigned-off-by: bob <bob@example.com>"
    fleet.repo.commit({RBAC: text}, message=message)
    fleet.refused("FW1261")
