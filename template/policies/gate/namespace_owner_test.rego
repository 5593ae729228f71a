package fleetward.gate.namespace_owner_test

import data.fleetward.gate.namespace_owner

namespace(labels) := {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a", "labels": labels}}

test_no_owner_is_refused if {
	found := namespace_owner.deny with input.documents as [namespace({})]
	{v.rule | some v in found} == {"fleet.namespace-owner"}
}

test_an_owner_is_enough if {
	found := namespace_owner.deny with input.documents as [namespace({"owner": "team-a"})]
	count(found) == 0
}
