package fleetward.gate.rbac_wildcard_test

import data.fleetward.gate.rbac_wildcard

role(rule) := {
	"apiVersion": "fleetward.io/v1alpha1", "kind": "FederatedRole",
	"metadata": {"name": "ops"}, "spec": {"rules": [rule]},
}

plain(kind, rule) := {
	"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
	"metadata": {"name": "ops"}, "rules": [rule],
}

denied(document) := found if {
	found := rbac_wildcard.deny with input as {
		"documents": [document],
		"federation": {"gate": {"wildcardRoles": ["root"]}},
	}
}

named := {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get"], "nonResourceURLs": ["/metrics/*"]}

test_named_passes if {
	count(denied(role(named))) == 0
	count(denied(plain("ClusterRole", named))) == 0
}

test_wildcard_denied[name] if {
	some name in ["apiGroups", "nonResourceURLs", "resources", "verbs"]
	rule := object.union(named, {name: ["*"]})
	some v in denied(role(rule))
	v.rule == "rbac.wildcard"
	v.path == ["spec", "rules", 0, name]
	some p in denied(plain("Role", rule))
	p.path == ["rules", 0, name]
	count(denied(plain("ClusterRole", rule))) == 1
}

test_wildcard_in_disguise_denied if {
	count(denied(role({"resources": ["*/scale"]}))) == 1
	count(denied(role({"nonResourceURLs": ["/*"]}))) == 1
}

test_allow_listed_passes if {
	root := object.union(role({"verbs": ["*"]}), {"metadata": {"name": "root"}})
	count(denied(root)) == 0
	compiled := object.union(plain("ClusterRole", {"verbs": ["*"]}), {"origin": {"kind": "FederatedRole", "name": "root"}})
	count(denied(compiled)) == 0
}

test_namesake_of_allow_listed_denied if {
	namesake := object.union(plain("ClusterRole", {"verbs": ["*"]}), {"metadata": {"name": "root"}})
	count(denied(namesake)) == 1
}

test_role_without_name_denied if count(denied(object.remove(role({"verbs": ["*"]}), ["metadata"]))) == 1

test_other_group_passes if {
	other := object.union(plain("Role", {"verbs": ["*"]}), {"apiVersion": "iam.example.com/v1"})
	count(denied(other)) == 0
}

aggregated(selector) := {
	"apiVersion": "fleetward.io/v1alpha1", "kind": "FederatedRole", "metadata": {"name": "ops"},
	"spec": {"aggregationRule": {"clusterRoleSelectors": [selector]}},
}

test_aggregating_all_denied if count(denied(aggregated({}))) == 1

test_aggregating_some_passes if count(denied(aggregated({"matchLabels": {"a": "b"}}))) == 0
