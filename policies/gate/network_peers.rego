# METADATA
# title: Network rules name their peers
package fleetward.gate.network_peers

import data.fleetward.lib

# METADATA
# title: An allow is open to everything
# description: An allow without peers, or with a peer that names nothing, lets in (or out) whatever there is.
# custom:
#   code: network.peers
#   hint: name the peers by podSelector, namespaceSelector or cidr
deny contains v if {
	some allow in lib.allows
	unnamed(allow.peers)
	document := input.documents[allow.document]
	message := sprintf("%s allows %s traffic without naming peers", [lib.label(document), allow.direction])
	v := lib.finding(rego.metadata.rule(), allow.document, allow.path, message)
}

# METADATA
# title: An allow is open to every address
# description: 0.0.0.0/0 or ::/0 without except is every address, cluster-internal ones included.
# custom:
#   code: network.any_address
#   hint: name the address ranges, or take the inner ones out with except
warn contains v if {
	some allow in lib.allows
	some j, peer in allow.peers
	block := object.get(peer, "ipBlock", peer)
	endswith(block.cidr, "/0")
	count(object.get(block, "except", [])) == 0
	document := input.documents[allow.document]
	message := sprintf("%s allows %s traffic of every address", [lib.label(document), allow.direction])
	path := array.concat(allow.path, [allow.field, j])
	v := object.union(lib.finding(rego.metadata.rule(), allow.document, path, message), {"got": block.cidr})
}

# METADATA
# title: An allow is open to every namespace
# description: An empty namespaceSelector without podSelector is every pod of the cluster.
# custom:
#   code: network.all_namespaces
#   hint: give the namespaceSelector labels, or name the pods with a podSelector
warn contains v if {
	some allow in lib.allows
	some j, peer in allow.peers
	peer.namespaceSelector == {}
	object.get(peer, "podSelector", {}) == {}
	document := input.documents[allow.document]
	message := sprintf("%s allows %s traffic of every namespace", [lib.label(document), allow.direction])
	path := array.concat(allow.path, [allow.field, j])
	v := lib.finding(rego.metadata.rule(), allow.document, path, message)
}

unnamed([])

unnamed(peers) if {} in peers
