# METADATA
# title: Every cluster says whose it is, and is reached safely
package fleetward.gate.clusters

import data.fleetward.lib

# METADATA
# title: A cluster lacks a label that everybody relies on
# description: >-
#   owner says whom to call, environment and tier are what placements select by. A cluster without them is
#   selected by rules that nobody meant for it.
# custom:
#   code: cluster.labels
#   hint: add the label under metadata.labels of the Cluster
deny contains v if {
	some i in lib.of_kind.Cluster
	document := input.documents[i]
	startswith(document.apiVersion, "fleetward.io/")
	some name in ["environment", "owner", "tier"]
	trim_space(sprintf("%v", [object.get(document, ["metadata", "labels", name], "")])) == ""
	message := sprintf("%s has no label %s", [lib.label(document), name])
	v := lib.finding(rego.metadata.rule(), i, ["metadata", "labels"], message)
}

# METADATA
# title: A cluster is reached without TLS
# description: Credentials and rules would cross the network in the clear.
# custom:
#   code: cluster.https
#   hint: write the API server's address as https://
deny contains v if {
	some i in lib.of_kind.Cluster
	document := input.documents[i]
	startswith(document.apiVersion, "fleetward.io/")
	some j, url in document.spec.apiServers
	not startswith(url, "https://")
	message := sprintf("%s has an API server that is not https", [lib.label(document)])
	v := lib.finding(rego.metadata.rule(), i, ["spec", "apiServers", j], message)
}
