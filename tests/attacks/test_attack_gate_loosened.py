"""Gate loosened: a commit takes away the rule, schema or limit that it breaks itself.

What judges a commit was accepted before it. The commit's own rules hold from the next one on, once they pass
their own tests.
"""

from __future__ import annotations

from collections.abc import Callable

import fleet_files
import orjson
import pytest
from attack_kit import Fleet

pytestmark = pytest.mark.real
RULE = """\
package fleetward.gate.names

import rego.v1

deny contains "nobody may use this name" if {
	some document in input.documents
	document.metadata.name == "forbidden"
}
"""
NAMES, SCHEMA = "policies/gate/names.rego", "schemas/v1alpha1/FederatedRole.json"
STRICT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"metadata": {"required": ["annotations"]}},
}
EVERYTHING = fleet_files.role("everything", verbs=["*"])


def test_a_rule_of_the_fleet_is_deleted(make: Callable[..., Fleet]) -> None:
    fleet = make(files={NAMES: RULE})
    forbidden = {"policies/manifests/x.yaml": fleet_files.config_map("forbidden")}
    fleet.repo.commit({**forbidden, NAMES: None}, by="dave")
    fleet.refused("FW1510")
    fleet.move(fleet.good)
    fleet.repo.commit({NAMES: None}, by="dave")
    fleet.accepted()
    fleet.repo.commit(forbidden, by="dave")
    fleet.accepted()


def test_in_two_commits_of_one_push(make: Callable[..., Fleet]) -> None:
    fleet = make(files={NAMES: RULE})
    fleet.repo.commit({NAMES: None}, by="dave")
    fleet.repo.commit({"policies/manifests/x.yaml": fleet_files.config_map("forbidden")}, by="dave")
    fleet.refused("FW1510")


def test_a_rule_of_the_product_is_written_over(fleet: Fleet) -> None:
    """A file of the same name, or package, in the fleet adds to the product's; it never takes its place."""
    empty = "package fleetward.gate.rbac_wildcard\n\nimport rego.v1\n"
    files = {
        "policies/gate/rbac_wildcard.rego": empty,
        "policies/rbac/everything.yaml": EVERYTHING,
    }
    commit = fleet.repo.commit(files, by="alice")
    fleet.approve(commit, "bob")
    fleet.refused("FW1503", "FW1510")


def test_a_role_that_lists_itself_as_allowed(fleet: Fleet) -> None:
    """spec.gate.wildcardRoles and the role that needs it in one commit."""
    text = fleet.federation(gate={"wildcardRoles": ["everything"]})
    both = {"federation.yaml": text, "policies/rbac/everything.yaml": EVERYTHING}
    commit = fleet.repo.commit(both, by="alice")
    fleet.approve(commit, "bob")
    fleet.refused("FW1510")
    fleet.move(fleet.good)
    fleet.repo.commit({"federation.yaml": text}, by="alice")
    base = fleet.accepted()
    commit = fleet.repo.commit({"policies/rbac/everything.yaml": EVERYTHING}, by="alice")
    fleet.approve(commit, "bob", base=base)
    fleet.accepted()


def test_a_schema_of_the_fleet_is_taken_away(make: Callable[..., Fleet]) -> None:
    noted = fleet_files.document(
        "FederatedRole",
        "viewer",
        {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
        annotations={"ticket": "1"},
    )
    fleet = make(files={SCHEMA: orjson.dumps(STRICT).decode(), "policies/rbac/viewer.yaml": noted})
    bare = fleet_files.role("viewer", verbs=["get"])
    commit = fleet.repo.commit({SCHEMA: None, "policies/rbac/viewer.yaml": bare}, by="alice")
    fleet.approve(commit, "bob")
    fleet.refused("FW1322")


def test_rules_that_do_not_hold_their_own_tests(fleet: Fleet) -> None:
    test = "package fleetward.gate.names_test\n\nimport rego.v1\n\ntest_it if false\n"
    fleet.repo.commit({NAMES: RULE, "policies/gate/names_test.rego": test}, by="dave")
    fleet.refused("FW1502")


def test_the_gate_of_another_server(fleet: Fleet) -> None:
    """A central OPA of the author's own is asked from the next commit on, and has to hold our modules."""
    text = fleet.federation(gate={"url": "http://127.0.0.1:1"})
    both = {"federation.yaml": text, "policies/rbac/everything.yaml": EVERYTHING}
    fleet.approve(fleet.repo.commit(both, by="alice"), "bob")
    fleet.refused("FW1510")


def test_code_of_a_stranger_reaches_nothing(fleet: Fleet) -> None:
    """New rules are tested before they are trusted: in a sandbox without network, files and time."""
    spy = 'test_it if http.send({"method": "get", "url": "http://127.0.0.1:1/", "raise_error": false})'
    text = f"package fleetward.gate.spy_test\n\nimport rego.v1\n\n{spy}\n"
    fleet.repo.commit({"policies/gate/spy_test.rego": text, NAMES: RULE}, by="mallory")
    fleet.refused("FW1206", "FW1501")
