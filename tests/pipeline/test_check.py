"""The use case check: who may change what judges a commit, over real Git, ssh-keygen and OPA."""

from __future__ import annotations

import json
from pathlib import Path

import fleet_files
import pytest
from git_fixtures import FleetRepo
from pipeline_ports import check_ports

from reconciler.pipeline.check import Checked, check, check_worktree
from reconciler.repository import NotDescendantError

pytestmark = pytest.mark.real

WILDCARD = fleet_files.role("everything", verbs=["*"])


@pytest.fixture
def repo(tmp_path: Path) -> FleetRepo:
    made = FleetRepo(tmp_path)
    alice = made.person("alice")
    made.commit(fleet_files.fleet({"alice": alice.public_key}), by="alice")
    return made


def judged(repo: FleetRepo, rev: str = "HEAD", base: str | None = None) -> Checked:
    with check_ports(repo, repo.root) as ports:
        return check(ports, rev=rev, base=base)


def codes(checked: Checked) -> list[str]:
    return [finding.code for finding in checked.errors]


def test_a_clean_fleet_is_clean_and_says_what_it_saw(repo: FleetRepo) -> None:
    checked = judged(repo)
    assert (checked.ok, codes(checked)) == (True, [])
    assert checked.signers == {repo.head(): "alice"}
    assert checked.documents == 4
    assert checked.objects == 2
    assert checked.rules > 5


def test_the_gate_refuses_and_points_to_the_line(repo: FleetRepo) -> None:
    base = repo.head()
    repo.commit({"policies/rbac/everything.yaml": WILDCARD})
    checked = judged(repo, base=base)
    (finding,) = checked.errors
    assert (finding.code, finding.rule) == ("FW1510", "rbac.wildcard")
    assert finding.source is not None
    assert finding.source.path == "policies/rbac/everything.yaml"
    assert "verbs" in WILDCARD.splitlines()[finding.source.line - 1]
    assert finding.hint


def test_a_typo_in_a_manifest_is_found_with_its_line(repo: FleetRepo) -> None:
    text = fleet_files.config_map("typo").replace("\ndata:", "\ndta:")
    repo.commit({"policies/manifests/typo.yaml": text})
    (finding,) = judged(repo).errors
    assert finding.source is not None
    assert finding.source.path == "policies/manifests/typo.yaml"
    assert "dta" in finding.message + finding.got
    assert finding.source.line == 1 + text.splitlines().index("dta: {}")


def test_an_override_cannot_slip_past_a_rule(repo: FleetRepo) -> None:
    patch = {"spec": {"rules": [{"apiGroups": [""], "resources": ["*"], "verbs": ["get"]}]}}
    overrides = [{"clusterSelector": {"matchLabels": {"tier": "workload"}}, "patch": patch}]
    repo.commit({"policies/rbac/viewer.yaml": fleet_files.role("viewer", overrides=overrides)})
    assert "rbac.wildcard" in [finding.rule for finding in judged(repo).errors]


@pytest.mark.parametrize("sign", [False, True], ids=["unsigned", "by a stranger"])
def test_every_commit_needs_a_signer_of_the_base(repo: FleetRepo, sign: bool) -> None:
    base = repo.head()
    bad = repo.commit({"policies/manifests/x.yaml": fleet_files.config_map("x")}, by="mallory", sign=sign)
    repo.commit({"policies/manifests/two.yaml": fleet_files.config_map("two")}, by="alice")
    (finding,) = judged(repo, base=base).errors
    assert bad in finding.subject, "the bad commit is named, not the good one on top of it"


def test_nobody_becomes_a_signer_by_adding_themselves(repo: FleetRepo) -> None:
    base, mallory = repo.head(), repo.person("mallory")
    people = {"alice": repo.person("alice").public_key, "mallory": mallory.public_key}
    repo.commit({"federation.yaml": fleet_files.federation(people)}, by="mallory")
    assert codes(judged(repo, base=base)), "signed with a key that only this commit trusts"


def test_a_commit_cannot_loosen_its_own_gate(repo: FleetRepo) -> None:
    rule = (
        "package fleetward.gate.names\n\nimport rego.v1\n\n"
        'deny contains {"rule": "names.no-x", "message": "no x", "document": i} if {\n'
        '\tsome i, d in input.documents\n\td.metadata.name == "x"\n}\n'
    )
    base = repo.commit({"policies/gate/names.rego": rule})
    forbidden = {"policies/manifests/x.yaml": fleet_files.config_map("x")}
    repo.commit({**forbidden, "policies/gate/names.rego": None})
    assert [f.rule for f in judged(repo, base=base).errors] == ["names.no-x"]


def test_new_rules_have_to_hold_before_they_take_over(repo: FleetRepo) -> None:
    base = repo.head()
    repo.commit({"policies/gate/broken.rego": "package fleetward.gate.broken\n\ndeny contains"})
    (finding,) = judged(repo, base=base).errors
    assert finding.code == "FW1501"
    assert str(finding.source) == "policies/gate/broken.rego:3"


def test_a_commit_that_does_not_build_on_the_base_is_refused(repo: FleetRepo) -> None:
    base = repo.commit({"policies/manifests/x.yaml": fleet_files.config_map("x")})
    repo.git("reset", "--quiet", "--hard", "HEAD~1")
    other = repo.commit({"policies/manifests/two.yaml": fleet_files.config_map("two")})
    with pytest.raises(NotDescendantError):
        judged(repo, rev=other, base=base)


def test_the_work_tree_is_checked_as_it_is(repo: FleetRepo) -> None:
    (repo.path / "policies/rbac/everything.yaml").write_text(WILDCARD)
    with check_ports(repo, repo.root) as ports:
        checked = check_worktree(ports)
    assert checked.commit == ""
    assert [finding.rule for finding in checked.errors] == ["rbac.wildcard"]


def test_all_findings_come_at_once(repo: FleetRepo) -> None:
    repo.commit(
        {
            "policies/rbac/everything.yaml": WILDCARD,
            "policies/manifests/typo.yaml": fleet_files.config_map("typo").replace("\ndata:", "\ndta:"),
            "policies/manifests/broken.yaml": "a: [1\n",
            "clusters/member-b.yaml": fleet_files.cluster("member-b").replace("https:", "http:"),
        },
        sign=False,
    )
    checked = judged(repo)
    paths = {finding.source.path for finding in checked.errors if finding.source}
    assert paths == {
        "policies/rbac/everything.yaml",
        "policies/manifests/typo.yaml",
        "policies/manifests/broken.yaml",
        "clusters/member-b.yaml",
    }
    assert any("commit" in finding.subject for finding in checked.errors)


def test_a_warm_cache_gives_the_same_answer(repo: FleetRepo) -> None:
    repo.commit({"policies/rbac/everything.yaml": WILDCARD})
    cold, warm = judged(repo), judged(repo)
    assert cold.findings == warm.findings
    assert cold.compiled == warm.compiled


def test_a_commit_cannot_lift_its_own_limits(repo: FleetRepo) -> None:
    """What federation.yaml says holds from the next commit on: neither wildcards nor a gate of its own."""
    base = repo.head()
    people = {"alice": repo.person("alice").public_key}
    own_gate = {"wildcardRoles": ["everything"], "url": "http://127.0.0.1:1"}
    loose = fleet_files.federation(people, gate=own_gate)
    repo.commit({"federation.yaml": loose, "policies/rbac/everything.yaml": WILDCARD})
    assert [f.rule for f in judged(repo, base=base).errors] == ["rbac.wildcard"]


def test_overrides_are_held_to_the_schemas_of_the_fleet_too(repo: FleetRepo) -> None:
    own = {"type": "object", "properties": {"spec": {"required": ["rules"], "maxProperties": 3}}}
    overrides = [{"clusterSelector": {}, "patch": {"spec": {"scope": "Cluster", "namespaces": ["a"]}}}]
    repo.commit({"schemas/v1alpha1/FederatedRole.json": json.dumps(own)})
    assert judged(repo).ok
    repo.commit({"policies/rbac/viewer.yaml": fleet_files.role("viewer", overrides=overrides)})
    assert "FW1403" in codes(judged(repo))


def test_a_deny_only_rule_may_have_overrides(repo: FleetRepo) -> None:
    rule = fleet_files.document(
        "FederatedNetworkRule",
        "no-metadata",
        {
            "namespaces": ["default"],
            "deny": [{"direction": "egress", "peers": [{"cidr": "169.254.169.254/32"}]}],
            "overrides": [{"clusterSelector": {}, "patch": {"spec": {"namespaces": ["default", "shop"]}}}],
        },
    )
    repo.commit({"policies/rules/no-metadata.yaml": rule})
    assert codes(judged(repo)) == []


def test_a_symlink_is_a_finding(repo: FleetRepo) -> None:
    (repo.path / "policies/manifests/link.yaml").symlink_to("/etc/passwd")
    repo.commit({})
    (finding,) = judged(repo).errors
    assert str(finding.source) == "policies/manifests/link.yaml"
