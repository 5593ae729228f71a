package fleetward.gate.network_peers_test

import data.fleetward.gate.network_peers

federated(allow) := {
	"apiVersion": "fleetward.io/v1alpha1", "kind": "FederatedNetworkRule", "metadata": {"name": "n"},
	"spec": {"namespaces": ["shop"], "allow": [object.union({"direction": "ingress"}, allow)]},
}

policy(spec) := {
	"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
	"metadata": {"name": "n", "namespace": "shop"}, "spec": spec,
}

denied(document) := found if {
	found := network_peers.deny with input.documents as [document]
}

warned(document) := found if {
	found := network_peers.warn with input.documents as [document]
}

test_unnamed_denied[name] if {
	documents := {
		"absent": federated({}), "empty": federated({"peers": []}), "nothing": federated({"peers": [{}]}),
		"plain absent": policy({"ingress": [{}]}), "plain empty": policy({"egress": [{"to": []}]}),
		"plain ports only": policy({"egress": [{"ports": [{"port": 53}]}]}),
	}
	some name, document in documents
	{v.rule | some v in denied(document)} == {"network.peers"}
}

test_place_of_unnamed if {
	{v.path | some v in denied(federated({}))} == {["spec", "allow", 0]}
	{v.path | some v in denied(policy({"egress": [{}]}))} == {["spec", "egress", 0]}
}

test_named_passes if {
	peers := [{"podSelector": {}}, {"cidr": "10.0.0.0/8"}]
	count(denied(federated({"peers": peers}))) == 0
	count(warned(federated({"peers": peers}))) == 0
	count(denied(policy({"ingress": [{"from": [{"podSelector": {}}]}]}))) == 0
}

test_isolation_passes if count(denied(policy({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []}))) == 0

test_any_address_warned[cidr] if {
	some cidr in ["0.0.0.0/0", "::/0"]
	{v.path | some v in warned(federated({"peers": [{"cidr": cidr}]}))} == {["spec", "allow", 0, "peers", 0]}
	{v.rule | some v in warned(policy({"egress": [{"to": [{"ipBlock": {"cidr": cidr}}]}]}))} == {"network.any_address"}
}

test_any_address_with_except_passes if {
	block := {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}
	count(warned(federated({"peers": [block]}))) == 0
	count(warned(policy({"egress": [{"to": [{"ipBlock": block}]}]}))) == 0
}

test_all_namespaces_warned if {
	some v in warned(federated({"peers": [{"namespaceSelector": {}}]}))
	v.rule == "network.all_namespaces"
}

test_pods_of_all_namespaces_pass if {
	peer := {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "prometheus"}}}
	count(warned(federated({"peers": [peer]}))) == 0
}
