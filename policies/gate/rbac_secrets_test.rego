package fleetward.gate.rbac_secrets_test

import data.fleetward.gate.rbac_secrets

warned(spec, change) := found if {
	found := rbac_secrets.warn with input.documents as [{
		"apiVersion": "fleetward.io/v1alpha1", "kind": "FederatedRole", "metadata": {"name": "r"},
		"spec": object.union(spec, {"rules": [object.union(
			{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]},
			change,
		)]}),
	}]
}

test_cluster_wide_warned if count(warned({}, {})) == 1

test_watch_warned if count(warned({"scope": "Cluster"}, {"verbs": ["get", "watch"]})) == 1

test_namespaced_passes if count(warned({"scope": "Namespace", "namespaces": ["a"]}, {})) == 0

test_get_passes if count(warned({}, {"verbs": ["get"]})) == 0

test_named_passes if count(warned({}, {"resourceNames": ["one"]})) == 0

test_other_group_passes if count(warned({}, {"apiGroups": ["example.com"]})) == 0

test_plain_cluster_role_warned if {
	rule := {"apiGroups": ["*"], "resources": ["secrets"], "verbs": ["*"]}
	document := {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "r"}, "rules": [rule]}
	count(rbac_secrets.warn) == 1 with input.documents as [object.union(document, {"kind": "ClusterRole"})]
	count(rbac_secrets.warn) == 0 with input.documents as [object.union(document, {"kind": "Role"})]
}
