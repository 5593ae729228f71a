# METADATA
# title: Every namespace says whose it is
# description: A rule of this fleet's own. It adds to the rules that fleetward brings; none of those can be loosened.
package fleetward.gate.namespace_owner

import data.fleetward.lib

# METADATA
# title: A namespace has no owner
# description: When something in it breaks at night, the label owner says whom to call.
# custom:
#   code: fleet.namespace-owner
#   hint: add the label owner under metadata.labels of the Namespace
deny contains v if {
	some i in lib.of_kind.Namespace
	document := input.documents[i]
	object.get(document, ["metadata", "labels", "owner"], "") == ""
	message := sprintf("%s has no label owner", [lib.label(document)])
	v := lib.finding(rego.metadata.rule(), i, ["metadata"], message)
}
