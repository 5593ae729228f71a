"""Runbook: a signer's key is stolen. Each step as docs/runbook.d/140-attacks.md says."""

from __future__ import annotations

from collections.abc import Callable

import fleet_files
import pytest
from attack_kit import Fleet, subjects
from test_incident_key_rotation import trust

from reconciler.audit.entry import CommitAccepted
from reconciler.audit.view import LogView

pytestmark = pytest.mark.real


@pytest.fixture
def fleet(make: Callable[..., Fleet]) -> Fleet:
    """Two of security have to agree to a new root. Dave has signed things that were accepted."""
    made = make(trust={"threshold": 2, "role": "security"})
    made.change("honest")
    made.accepted()
    return made


def revoked(fleet: Fleet) -> str:
    """Steps 1 and 2: dave is taken out of the root by two others; the accepted commit."""
    base = fleet.repo.head()
    trust(fleet, "revoke", "dave")
    commit = fleet.repo.commit({}, by="alice")
    fleet.refused("FW1261")
    fleet.approve(commit, "bob", base=base)
    return fleet.accepted()


def test_a_stolen_key(fleet: Fleet) -> None:
    before = fleet.repo.head()
    removed = revoked(fleet)
    # 3. What the thief signs from now on is refused, under whatever date.
    stolen = fleet.change("stolen")
    assert subjects(fleet.refused("FW1206")) == {stolen}
    fleet.move(removed)
    # 4. What was accepted stays: history is not judged again.
    kept = [e.commit for e in fleet.entries() if isinstance(e, CommitAccepted)]
    assert kept == [before, removed]
    fleet.change("after", by="carol")
    fleet.accepted()


def test_the_log_says_what_the_key_signed(fleet: Fleet) -> None:
    """Step 5: what to look through, by the fingerprint, since the day of the theft."""
    stolen = fleet.change("stolen")
    fleet.accepted()
    revoked(fleet)
    with fleet.wiring() as wiring:
        signed = list(_signed_by(wiring.log_view(), "dave"))
    assert stolen in signed


def _signed_by(view: LogView, name: str) -> list[str]:
    return [
        entry.commit
        for _, entry in view.entries()
        if isinstance(entry, CommitAccepted) and name in entry.signers
    ]


def test_what_the_thief_pushed_before_and_nobody_accepted(fleet: Fleet) -> None:
    """Seen while the key was still listed, refused for another reason, and on main when it is revoked."""
    base = fleet.repo.head()
    role = fleet.repo.commit({"policies/rbac/evil.yaml": fleet_files.role("evil", verbs=["get"])}, by="dave")
    assert subjects(fleet.refused("FW1261")) == {role}
    fleet.move(base)
    removed = revoked(fleet)
    fleet.repo.git("merge", "-q", "--no-ff", "--no-commit", role, env=fleet.repo._who("carol"))
    fleet.repo.commit({}, by="carol")
    assert subjects(fleet.refused("FW1206")) == {role}
    fleet.move(removed)
    fleet.reconcile()


def test_the_thief_is_faster(fleet: Fleet) -> None:
    """The thief can neither take the owner's place in the root nor stop the others from agreeing."""
    text = fleet.federation({"dave": ["security"], "mallory": ["security"]}, version=2)
    good = fleet.repo.head()
    fleet.repo.commit({"federation.yaml": text}, by="dave")
    fleet.refused("FW1261")
    fleet.move(good)
    revoked(fleet)


def test_an_approval_by_the_stolen_key(fleet: Fleet) -> None:
    """Made while it was good, used after: an approval counts only while its signer does."""
    base = fleet.repo.head()
    fleet.branch("work")
    role = fleet.role(by="alice")
    fleet.approve(role, "bob", base=base)
    fleet.main()
    fleet.repo.commit({"federation.yaml": _without_bob(fleet)}, by="alice")
    fleet.approve(fleet.repo.head(), "bob", base=base)
    fleet.accepted()
    fleet.repo.merge("work", by="carol")
    assert subjects(fleet.refused("FW1261")) == {role}


def _without_bob(fleet: Fleet) -> str:
    people = {"alice": ["security"], "erin": ["security"], "carol": ["sre"], "dave": [], "github": ["forge"]}
    return fleet.federation(people, version=2)
