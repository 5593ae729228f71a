"""Who may change what, over real Git and real signatures: rules, approvals, forges, trust roots, time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import fleet_files
import pytest
from judging_kit import NOW, PEOPLE, Team

from reconciler.pipeline.judging import Seen


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


# --- path rules and approvals ---------------------------------------------------------------------------


def test_what_no_rule_names_needs_a_signer_only(team: Team) -> None:
    team.repo.commit({"policies/manifests/x.yaml": fleet_files.config_map("x")}, by="dave")
    assert team.codes() == []


def test_the_author_counts_once_and_a_second_person_is_needed(team: Team) -> None:
    commit = team.change()
    (finding,) = team.judge().findings
    assert (finding.code, finding.got, finding.subject) == ("FW1261", "alice", f"commit {commit}")
    assert "lacks 1 of security" in finding.message
    team.approve(commit, "bob")
    judged = team.judge()
    assert judged.findings == ()
    (verdict,) = judged.verdicts
    assert [approver.signer.name for approver in verdict.approvers] == ["bob"]
    assert verdict.rules[0].people == ("alice", "bob")


def test_an_author_without_the_role_does_not_count(team: Team) -> None:
    commit = team.change(by="dave")
    team.approve(commit, "alice")
    assert team.codes() == ["FW1261"]
    team.approve(commit, "bob")
    assert team.codes() == []


def test_nobody_approves_their_own_change_with_a_second_key(tmp_path: Path) -> None:
    team = Team(tmp_path)
    keys = [team.repo.person(name).public_key for name in ("alice", "alice2")]
    signers = [
        {"name": "alice", "roles": ["security"], "keys": keys},
        {"name": "bob", "roles": ["security"], "keys": [team.repo.person("bob").public_key]},
    ]
    text = team.federation(signers=signers, trust={"version": 2})
    base = team.repo.commit({"federation.yaml": text})
    assert team.codes() == []
    commit = team.change()
    team.approve(commit, "alice2", base=base)
    assert team.codes(base=base) == ["FW1261"]


@pytest.mark.parametrize("by", ["carol", "github", "mallory"])
def test_an_approval_by_somebody_else_does_not_count(team: Team, by: str) -> None:
    team.approve(team.change(), by)
    assert team.codes() == ["FW1261"]
    assert [note.code for note in team.judge().notes] == (["FW1264"] if by == "mallory" else [])


def test_a_forge_is_nobody_when_any_signer_will_do(tmp_path: Path) -> None:
    team = Team(tmp_path, rules=[{"paths": ["policies/rbac/**"], "needs": [{"count": 2}]}])
    commit = team.change()
    team.approve(commit, "github")
    assert team.codes() == ["FW1261"]
    team.approve(commit, "dave")
    assert team.codes() == []


def test_an_approval_covers_what_was_there_and_nothing_pushed_later(team: Team) -> None:
    reviewed = team.change("one")
    later = team.change("two")
    team.approve(reviewed, "bob")
    (finding,) = team.judge().findings
    assert (finding.code, finding.subject) == ("FW1261", f"commit {later}")


def test_an_approval_covers_nothing_before_its_base(team: Team) -> None:
    first = team.change("one")
    second = team.change("two")
    team.approve(second, "bob", base=first)
    (finding,) = team.judge().findings
    assert finding.subject == f"commit {first}"


@pytest.mark.parametrize(
    "fields", [{"repository": "other-fleet"}, {"ref": "refs/heads/release"}], ids=["repository", "ref"]
)
def test_an_approval_for_another_place_is_noted(team: Team, fields: dict[str, str]) -> None:
    team.approve(team.change(), "bob", **fields)
    judged = team.judge()
    assert [f.code for f in judged.findings] == ["FW1261", "FW1264"]
    assert next(iter(fields.values())) in judged.notes[0].got


def test_an_approval_that_was_pinned_to_another_commit_is_noted(team: Team) -> None:
    one = team.change("one")
    ref = team.approve(one, "bob")
    two = team.change("two")
    team.repo.git("update-ref", f"refs/fleetward/statements/approvals/{two}/x", ref)
    assert [f.subject for f in team.judge().findings if f.code == "FW1261"] == [f"commit {two}"]
    raw = team.repo.git("cat-file", "tag", ref).replace(f"object {one}", f"object {two}")
    moved = team.repo.write_object("tag", raw.encode())
    team.repo.git("update-ref", f"refs/fleetward/statements/approvals/{two}/y", moved)
    judged = team.judge()
    assert [f.subject for f in judged.findings if f.code == "FW1261"] == [f"commit {two}"]
    assert "FW1264" in [note.code for note in judged.notes]


def test_rubbish_among_the_approvals_stops_nothing(team: Team) -> None:
    commit = team.change()
    team.approve(commit, "bob")
    rubbish = [
        team.repo.write_object("blob", b"x"),
        team.repo.write_object("tag", b"x"),
        team.repo.write_object("commit", b""),
    ]
    for oid in rubbish:
        path = team.repo.path / ".git/refs/fleetward/statements/approvals" / commit / oid
        path.write_text(f"{oid}\n")
    judged = team.judge()
    assert [f.code for verdict in judged.verdicts for f in verdict.findings] == []
    assert [note.code for note in judged.notes] == ["FW1264"] * 3


def test_every_commit_needs_its_own_people_not_only_the_tip(team: Team) -> None:
    first = team.change("one")
    tip = team.repo.commit({"policies/rbac/one.yaml": None})
    team.approve(tip, "bob", base=first)
    (finding,) = team.judge().findings
    assert finding.subject == f"commit {first}"


def test_a_clean_merge_by_a_person_needs_nothing_of_its_own(team: Team) -> None:
    team.repo.git("checkout", "-qb", "side")
    commit = team.change()
    team.approve(commit, "bob")
    team.repo.git("checkout", "-q", "main")
    team.repo.commit({"policies/manifests/x.yaml": fleet_files.config_map("x")}, by="dave")
    team.repo.merge("side", by="dave")
    assert team.codes() == []


# --- forges ---------------------------------------------------------------------------------------------


def test_a_forge_may_merge_what_others_signed(team: Team) -> None:
    team.repo.git("checkout", "-qb", "side")
    team.approve(team.change(), "bob")
    team.repo.git("checkout", "-q", "main")
    team.repo.merge("side", by="github")
    assert team.codes() == []


@pytest.mark.parametrize("path", ["policies/rbac/viewer.yaml", "policies/manifests/settings.yaml"])
def test_a_forge_authors_nothing(team: Team, path: str) -> None:
    commit = team.repo.commit({path: None}, by="github")
    (finding,) = team.judge().findings
    assert (finding.code, finding.subject) == ("FW1260", f"commit {commit}")
    assert "merge commits only" in finding.hint


def test_a_forge_cannot_slip_something_into_a_merge(team: Team) -> None:
    team.repo.git("checkout", "-qb", "side")
    team.repo.commit({"policies/manifests/x.yaml": fleet_files.config_map("x")}, by="dave")
    team.repo.git("checkout", "-q", "main")
    team.repo.commit({"policies/manifests/y.yaml": fleet_files.config_map("y")}, by="dave")
    who = ("-c", "user.name=x", "-c", "user.email=x@x")
    team.repo.git(*who, "merge", "-q", "--no-ff", "--no-commit", "side")
    team.repo.commit({"policies/manifests/evil.yaml": fleet_files.config_map("evil")}, by="github")
    (finding,) = team.judge().findings
    assert finding.code == "FW1260"
    assert "evil.yaml" in finding.got


# --- the trust root -------------------------------------------------------------------------------------


def test_nobody_becomes_a_signer_by_adding_themselves(team: Team) -> None:
    text = team.federation({**PEOPLE, "mallory": []}, trust={"version": 2})
    commit = team.repo.commit({"federation.yaml": text}, by="mallory")
    assert [f.code for f in team.judge().findings if f.subject == f"commit {commit}"] == ["FW1206"]


def test_a_change_of_the_root_needs_the_next_version(team: Team) -> None:
    text = team.federation({**PEOPLE, "erin": []})
    team.repo.commit({"federation.yaml": text})
    (finding,) = team.judge().findings
    assert (finding.code, finding.expected, finding.got) == ("FW1262", "version 2", "version 1")
    team.repo.git("reset", "-q", "--hard", team.base)
    team.repo.commit({"federation.yaml": team.federation({**PEOPLE, "erin": []}, trust={"version": 3})})
    assert team.codes() == ["FW1262"]
    team.repo.git("reset", "-q", "--hard", team.base)
    team.repo.commit({"federation.yaml": team.federation({**PEOPLE, "erin": []}, trust={"version": 2})})
    assert team.codes() == []
    assert team.judge().root.version == 2


def test_what_is_not_the_root_needs_no_new_version(team: Team) -> None:
    team.repo.commit({"federation.yaml": team.federation(limits={"maxDeletions": 3})}, by="dave")
    assert team.codes() == []


def test_an_old_root_is_refused_however_well_it_is_signed(team: Team) -> None:
    old = (team.repo.path / "federation.yaml").read_text()
    team.repo.commit({"federation.yaml": team.federation({"alice": []}, approvals=[], trust={"version": 2})})
    base = team.repo.head()
    team.repo.commit({"federation.yaml": old})
    (finding,) = team.judge(base=base).findings
    assert (finding.code, finding.expected, finding.got) == ("FW1263", "version 2", "version 1")


def test_the_roots_own_threshold(tmp_path: Path) -> None:
    team = Team(tmp_path, threshold=2, role="security")
    trust = {"version": 2, "threshold": 1}
    commit = team.repo.commit({"federation.yaml": team.federation(trust=trust)})
    assert team.codes() == ["FW1261"]
    team.approve(commit, "bob")
    assert team.codes() == []


def test_a_new_signer_counts_from_the_next_commit_of_the_same_range_on(team: Team) -> None:
    text = team.federation({**PEOPLE, "erin": []}, trust={"version": 2})
    team.repo.commit({"federation.yaml": text})
    team.repo.commit({"policies/manifests/x.yaml": fleet_files.config_map("x")}, by="erin")
    judged = team.judge()
    assert judged.findings == ()
    assert [verdict.root_version for verdict in judged.verdicts] == [1, 2]


def test_somebody_removed_cannot_sign_after_it_in_the_same_range(team: Team) -> None:
    people = {name: roles for name, roles in PEOPLE.items() if name != "dave"}
    team.repo.commit({"federation.yaml": team.federation(people, trust={"version": 2})})
    late = team.repo.commit({"policies/manifests/x.yaml": fleet_files.config_map("x")}, by="dave")
    (finding,) = team.judge().findings
    assert (finding.code, finding.subject) == ("FW1206", f"commit {late}")


def test_two_changes_of_the_root_do_not_merge_into_a_third(team: Team) -> None:
    team.repo.git("checkout", "-qb", "side")
    people = {**PEOPLE, "alice": ["security", "sre"]}
    team.repo.commit({"federation.yaml": team.federation(people, trust={"version": 2})})
    team.repo.git("checkout", "-q", "main")
    rules = [{"paths": ["clusters/**"], "needs": [{"count": 1}]}, *team.rules]
    team.repo.commit({"federation.yaml": team.federation(approvals=rules, trust={"version": 2})})
    team.repo.merge("side", by="github")
    assert "FW1262" in team.codes()


def test_a_broken_root_on_the_way_can_be_mended_on_top(team: Team) -> None:
    good = (team.repo.path / "federation.yaml").read_text()
    team.repo.commit({"federation.yaml": "kind: [\n"})
    team.repo.commit({"federation.yaml": good})
    assert team.codes() == []


# --- time -----------------------------------------------------------------------------------------------


def test_a_key_counts_within_its_window_by_when_it_was_first_seen(tmp_path: Path) -> None:
    team = Team(tmp_path)
    key = team.repo.person("dave").public_key
    dated = {"key": key, "validAfter": "2026-05-01T00:00:00Z", "validBefore": "2026-06-01T00:00:00Z"}
    signers = [
        {"name": "alice", "keys": [team.repo.person("alice").public_key]},
        {"name": "dave", "keys": [dated]},
    ]
    text = team.federation(signers=signers, approvals=[], trust={"version": 2})
    base = team.repo.commit({"federation.yaml": text})
    commit = team.repo.commit({"policies/manifests/x.yaml": fleet_files.config_map("x")}, by="dave")
    assert team.codes(base=base) == ["FW1211"]  # the commit itself says 2023, which does not matter
    assert team.codes(base=base, at=NOW - timedelta(days=7)) == []
    assert team.codes(base=base, at=NOW - timedelta(days=60)) == ["FW1211"]
    seen = [Seen(commit, NOW - timedelta(days=7))]
    assert team.codes(base=base, seen=seen) == []
    top = team.repo.commit({"policies/manifests/y.yaml": fleet_files.config_map("y")})
    assert team.codes(base=base, seen=seen) == []
    assert team.codes(base=base, seen=[Seen(top, NOW - timedelta(days=7))]) == []
    assert team.codes(base=base, seen=[Seen(team.base, NOW - timedelta(days=7))]) == ["FW1211"]
