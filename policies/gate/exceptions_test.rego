package fleetward.gate.exceptions_test

import data.fleetward.gate.exceptions

given(change) := {
	"now": "2026-07-25T00:00:00Z",
	"documents": [{
		"apiVersion": "fleetward.io/v1alpha1", "kind": "PolicyException", "metadata": {"name": "e"},
		"spec": object.union(
			{
				"rule": "rbac.escalate", "target": {"kind": "FederatedRole", "name": "ops"},
				"owner": "team", "reason": "tooling", "expires": "2026-07-25",
			},
			change,
		),
	}],
}

test_complete_passes if {
	count(exceptions.deny) == 0 with input as given({})
	count(exceptions.warn) == 0 with input as given({})
}

test_incomplete_denied[name] if {
	some name in ["owner", "reason", "expires"]
	{v.rule | some v in exceptions.deny} == {"exception.incomplete"} with input as given({name: ""})
}

test_inexcusable_denied[rule] if {
	some rule in ["rbac.subject", "network.peers", "cluster.labels", "deletions.cap", "exception.expired"]
	{v.rule | some v in exceptions.deny} == {"exception.inexcusable"} with input as given({"rule": rule})
}

test_rule_of_the_fleet_passes if count(exceptions.deny) == 0 with input as given({"rule": "shop.images"})

test_expired_warned if {
	{v.rule | some v in exceptions.warn} == {"exception.expired"} with input as given({"expires": "2026-07-24"})
}
