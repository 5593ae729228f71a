"""Replace refs and grafts: Git is told to show another commit, or another parent, than there is.

With refs/replace, .git/info/grafts or .git/shallow, ``git log`` and ``git verify-commit`` are deceived. Here
objects are read as they are.
"""

from __future__ import annotations

import pytest
from attack_kit import Fleet, subjects

pytestmark = pytest.mark.real


def test_an_unsigned_commit_behind_a_signed_one(fleet: Fleet) -> None:
    hidden = fleet.change("hidden", sign=False)
    fleet.repo.git("branch", "keep")
    fleet.move(fleet.good)
    shown = fleet.change("shown")
    fleet.move(hidden)
    fleet.repo.git("replace", hidden, shown)
    assert "shown" in fleet.repo.git("show", hidden)  # git is deceived
    assert subjects(fleet.refused("FW1201")) == {hidden}


def test_other_files_behind_a_signed_commit(fleet: Fleet) -> None:
    """What is applied is what was signed, whatever replaces its tree."""
    signed = fleet.change("signed")
    fleet.change("evil", sign=False)
    evil = fleet.repo.head("HEAD^{tree}")
    fleet.move(signed)
    fleet.repo.git("replace", fleet.repo.head(f"{signed}^{{tree}}"), evil)
    assert "evil.yaml" in fleet.repo.git("ls-tree", "-r", "--name-only", signed)  # git is deceived
    run = fleet.reconcile()
    objects = [one.ref.name for c in run.checked.compiled.values() for one in c.desired.objects]
    assert "evil" not in objects
    assert "signed" in objects


def test_a_graft_that_cuts_an_unsigned_commit_out(fleet: Fleet) -> None:
    hidden = fleet.change("hidden", sign=False)
    tip = fleet.change("tip")
    grafts = fleet.repo.path / ".git/info/grafts"
    grafts.parent.mkdir(exist_ok=True)
    grafts.write_text(f"{tip} {fleet.good}\n")
    assert fleet.repo.git("rev-list", f"{fleet.good}..{tip}").split() == [tip]  # git is deceived
    assert subjects(fleet.refused("FW1201")) == {hidden}


def test_a_forged_end_of_history(fleet: Fleet) -> None:
    hidden = fleet.change("hidden", sign=False)
    tip = fleet.change("tip")
    (fleet.repo.path / ".git/shallow").write_text(f"{tip}\n")
    assert fleet.repo.git("rev-list", tip).split() == [tip]  # git is deceived
    assert subjects(fleet.refused("FW1201")) == {hidden}


def test_a_rollback_behind_a_graft(fleet: Fleet) -> None:
    """Grafted, the old history seems to build on the accepted commit."""
    newest = fleet.change("newest")
    fleet.accepted()
    fleet.move(fleet.good)
    other = fleet.change("other")
    grafts = fleet.repo.path / ".git/info/grafts"
    grafts.parent.mkdir(exist_ok=True)
    grafts.write_text(f"{other} {newest}\n")
    fleet.repo.git("merge-base", "--is-ancestor", newest, other)  # git is deceived
    fleet.refused("FW1107")


def test_a_graft_that_hides_what_a_merge_drops(fleet: Fleet) -> None:
    """The merge's common ancestors decide what it authors; they are those of the raw commits."""
    fleet.branch("side")
    side = fleet.change("side")
    fleet.main()
    main = fleet.change("main")
    fleet.half_merge("side", "-s", "ours")
    merge = fleet.repo.commit({}, by="github")
    grafts = fleet.repo.path / ".git/info/grafts"
    grafts.parent.mkdir(exist_ok=True)
    grafts.write_text(f"{main} {side}\n")
    assert fleet.repo.git("merge-base", main, side).strip() == side, "git believes it"
    (finding,) = fleet.refused("FW1260")
    assert subjects([finding]) == {merge}
    assert "side.yaml" in finding.got
