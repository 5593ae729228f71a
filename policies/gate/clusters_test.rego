package fleetward.gate.clusters_test

import data.fleetward.gate.clusters

cluster(labels, urls) := {
	"apiVersion": "fleetward.io/v1alpha1", "kind": "Cluster",
	"metadata": {"name": "member-a", "labels": labels}, "spec": {"apiServers": urls},
}

labels := {"owner": "team", "environment": "prod", "tier": "gold"}

denied(document) := found if {
	found := clusters.deny with input.documents as [document]
}

test_complete_passes if count(denied(cluster(labels, ["https://a.example.com:6443"]))) == 0

test_missing_label_denied[name] if {
	some name, _ in labels
	count(denied(cluster(object.remove(labels, [name]), []))) == 1
	count(denied(cluster(object.union(labels, {name: " "}), []))) == 1
}

test_no_metadata_denied if count(denied(object.remove(cluster({}, []), ["metadata"]))) == 3

test_plain_http_denied if {
	some v in denied(cluster(labels, ["https://a.example.com", "http://b.example.com"]))
	v.rule == "cluster.https"
	v.path == ["spec", "apiServers", 1]
}
