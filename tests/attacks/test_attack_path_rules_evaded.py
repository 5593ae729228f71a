"""Path rules evaded: what a rule protects is changed by way of a path that the rule does not name."""

from __future__ import annotations

from collections.abc import Callable

import fleet_files
import pytest
import yaml
from attack_kit import Fleet, subjects

pytestmark = pytest.mark.real


def test_the_kind_in_another_folder(fleet: Fleet) -> None:
    fleet.repo.commit({"policies/manifests/role.yaml": fleet_files.role("reader", verbs=["get"])}, by="dave")
    fleet.refused("FW1332")


def test_a_plain_role_beside_the_federated_ones(make: Callable[..., Fleet]) -> None:
    """Kubernetes' own kinds are manifests, so a rule about access has to name policies/manifests too."""
    rules = [{"paths": ["policies/rbac/**", "policies/manifests/**"], "needs": [{"count": 2}]}]
    fleet = make(rules=rules)
    body = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "plain"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }
    fleet.repo.commit({"policies/manifests/role.yaml": yaml.safe_dump(body)}, by="dave")
    fleet.refused("FW1261")


def test_a_plain_role_is_judged_by_the_gate_as_any(fleet: Fleet) -> None:
    body = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "plain"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}],
    }
    fleet.repo.commit({"policies/manifests/role.yaml": yaml.safe_dump(body)}, by="dave")
    fleet.refused("FW1510")


def test_a_file_that_moves_out(fleet: Fleet) -> None:
    """A move changes both paths."""
    text = (fleet.repo.path / "policies/rbac/viewer.yaml").read_text()
    fleet.repo.commit({"policies/rbac/viewer.yaml": None, "elsewhere/viewer.yaml": text}, by="dave")
    fleet.refused("FW1261")


def test_only_the_mode(fleet: Fleet) -> None:
    fleet.repo.git("update-index", "--chmod=+x", "policies/rbac/viewer.yaml")
    (fleet.repo.path / "policies/rbac/viewer.yaml").chmod(0o755)
    fleet.repo.commit({}, by="dave")
    fleet.refused("FW1261")


def test_an_old_content_that_was_good_once(fleet: Fleet) -> None:
    """A revert is a change like any other."""
    wide = fleet.repo.commit({"policies/rbac/viewer.yaml": fleet_files.role("viewer", verbs=["get"])})
    fleet.approve(wide, "bob")
    fleet.accepted()
    fleet.repo.commit({"policies/rbac/viewer.yaml": fleet_files.role("viewer")}, by="dave")
    fleet.refused("FW1261")


def test_between_two_commits_that_cancel_out(fleet: Fleet) -> None:
    first = fleet.role("reader", by="dave")
    second = fleet.repo.commit({"policies/rbac/reader.yaml": None}, by="dave")
    assert subjects(fleet.refused("FW1261")) == {first, second}


def test_a_rule_for_every_path(make: Callable[..., Fleet]) -> None:
    """What no rule names needs one signer of any role: `**` is the rule for the rest."""
    rules = [{"paths": ["**"], "needs": [{"count": 1, "role": "sre"}]}]
    fleet = make(rules=rules)
    fleet.change(by="dave")
    fleet.refused("FW1261")
    fleet.move(fleet.good)
    fleet.change(by="carol")
    fleet.accepted()
