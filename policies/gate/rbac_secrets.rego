# METADATA
# title: Reading every Secret is worth a look
package fleetward.gate.rbac_secrets

import data.fleetward.lib

# METADATA
# title: A role reads the Secrets of all namespaces
# description: list and watch return contents, service account tokens and TLS keys among them.
# custom:
#   code: rbac.secrets
#   hint: give the role a namespace, or name the Secrets in resourceNames and grant get
warn contains v if {
	some i in lib.roles
	document := input.documents[i]
	cluster_wide(document)
	some j, rule in lib.field(document, "rules")
	"secrets" in rule.resources
	some group in ["", "*"]
	group in rule.apiGroups
	some verb in ["list", "watch", "*"]
	verb in rule.verbs
	count(object.get(rule, "resourceNames", [])) == 0
	message := sprintf("%s can %s the Secrets of all namespaces", [lib.label(document), verb])
	path := array.concat(lib.base(document), ["rules", j, "resources"])
	v := lib.finding(rego.metadata.rule(), i, path, message)
}

cluster_wide(document) if document.kind == "ClusterRole"

cluster_wide(document) if {
	document.kind == "FederatedRole"
	object.get(document, ["spec", "scope"], "Cluster") == "Cluster"
}
