package fleetward.gate.rbac_subjects_test

import data.fleetward.gate.rbac_subjects

federated(subject) := {
	"apiVersion": "fleetward.io/v1alpha1", "kind": "FederatedRoleBinding", "metadata": {"name": "b"},
	"spec": {"roleRef": {"kind": "FederatedRole", "name": "viewer"}, "subjects": [subject]},
}

plain(kind, subject) := {
	"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": "b"},
	"roleRef": {"kind": "ClusterRole", "name": "viewer"}, "subjects": [subject],
}

test_system_subjects_denied[name] if {
	some kind in ["User", "Group"]
	some name in ["system:anonymous", "system:masters", "system:unauthenticated"]
	subject := {"kind": kind, "name": name}
	found := rbac_subjects.deny with input.documents as [
		federated(subject),
		plain("ClusterRoleBinding", subject), plain("RoleBinding", subject),
	]
	{v.rule | some v in found} == {"rbac.subject"}
	count(found) == 3
}

test_everybody_warned[name] if {
	some name in ["system:authenticated", "system:serviceaccounts"]
	found := rbac_subjects.warn with input.documents as [federated({"kind": "Group", "name": name})]
	{v.path | some v in found} == {["spec", "subjects", 0]}
}

test_others_pass[name] if {
	some name in ["developers", "system:serviceaccounts:shop"]
	documents := [federated({"kind": "Group", "name": name})]
	count(rbac_subjects.deny) == 0 with input.documents as documents
	count(rbac_subjects.warn) == 0 with input.documents as documents
}

test_cluster_admin_denied if {
	subject := {"kind": "Group", "name": "developers"}
	role := {"kind": "ClusterRole", "name": "cluster-admin"}
	found := rbac_subjects.deny with input.documents as [
		object.union(federated(subject), {"spec": {"roleRef": role}}),
		object.union(plain("RoleBinding", subject), {"roleRef": role}),
	]
	{v.rule | some v in found} == {"rbac.cluster_admin"}
	count(found) == 2
}
