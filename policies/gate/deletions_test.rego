package fleetward.gate.deletions_test

import data.fleetward.gate.deletions

plan(deleted, kept, limits) := {
	"stage": "changes", "cluster": {"name": "member-a"}, "limits": limits,
	"counts": {"create": 100, "update": 0, "delete": deleted, "keep": kept}, "changes": [],
}

test_within_passes[name] if {
	plans := {
		"five of few": plan(5, 0, {}), "tenth of many": plan(10, 90, {"maxDeletions": "10%"}),
		"number": plan(3, 0, {"maxDeletions": 3}), "all": plan(50, 0, {"maxDeletions": "100%"}),
		"none": plan(0, 9, {"maxDeletions": 0}),
	}
	some name, given in plans
	count(deletions.deny) == 0 with input as given
}

test_over_denied[name] if {
	plans := {
		"six of few": plan(6, 0, {}), "more than a tenth": plan(11, 89, {"maxDeletions": "10%"}),
		"number": plan(4, 1000, {"maxDeletions": 3}), "zero": plan(1, 9, {"maxDeletions": 0}),
	}
	some name, given in plans
	{v.rule | some v in deletions.deny} == {"deletions.cap"} with input as given
}

test_listed_deletions_count if {
	changes := [{"action": "delete", "object": {"group": "", "kind": "ConfigMap", "name": n}} | some n in numbers.range(1, 6)]
	count(deletions.deny) == 1 with input as object.union(plan(0, 0, {}), {"changes": changes})
}

test_unreadable_limit_denied[limit] if {
	some limit in ["ten", "-1%", "101%", "", -1, true, null]
	some v in deletions.deny with input as plan(0, 0, {"maxDeletions": limit})
	contains(v.message, "cannot be read")
}

test_content_stage_passes if count(deletions.deny) == 0 with input as {"stage": "content", "documents": []}

change(action, group, kind) := {
	"key": "k", "action": action,
	"object": {"group": group, "kind": kind, "namespace": "", "name": "x"},
}

test_cascade_warned if {
	changes := [change("delete", "", "Namespace"), change("delete", "apiextensions.k8s.io", "CustomResourceDefinition")]
	found := deletions.warn with input as object.union(plan(2, 9, {}), {"changes": changes})
	{v.document | some v in found} == {0, 1}
}

test_other_changes_pass if {
	changes := [change("create", "", "Namespace"), change("delete", "example.com", "Namespace")]
	count(deletions.warn) == 0 with input as object.union(plan(1, 9, {}), {"changes": changes})
}
