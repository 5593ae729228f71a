# METADATA
# title: Wildcards only in allow-listed roles
package fleetward.gate.rbac_wildcard

import data.fleetward.lib

# METADATA
# title: A role grants everything at once
# description: >-
#   "*" in verbs, resources, apiGroups or nonResourceURLs grants what exists today and whatever is added
#   tomorrow. Only roles named in the Federation's spec.gate.wildcardRoles may have one.
# custom:
#   code: rbac.wildcard
#   hint: name them, or make it a FederatedRole that spec.gate.wildcardRoles of federation.yaml lists
deny contains v if {
	some i in lib.roles
	document := input.documents[i]
	not allow_listed(document)
	some j, rule in lib.field(document, "rules")
	some name in ["apiGroups", "nonResourceURLs", "resources", "verbs"]
	some value in rule[name]
	wild(name, value)
	message := sprintf("%s has %q in %s", [lib.label(document), value, name])
	path := array.concat(lib.base(document), ["rules", j, name])
	v := object.union(
		lib.finding(rego.metadata.rule(), i, path, message),
		{"expected": sprintf("named %s", [name]), "got": value},
	)
}

# METADATA
# title: An aggregated role collects every role
# description: An empty selector in aggregationRule selects all ClusterRoles, cluster-admin among them.
# custom:
#   code: rbac.wildcard
#   hint: give the selector labels that only the wanted roles have
deny contains v if {
	some i in lib.roles
	document := input.documents[i]
	not allow_listed(document)
	some j, selector in lib.field(document, "aggregationRule").clusterRoleSelectors
	count(object.get(selector, "matchLabels", {})) == 0
	count(object.get(selector, "matchExpressions", [])) == 0
	message := sprintf("%s aggregates every ClusterRole", [lib.label(document)])
	path := array.concat(lib.base(document), ["aggregationRule", "clusterRoleSelectors", j])
	v := lib.finding(rego.metadata.rule(), i, path, message)
}

# Only the federation's own roles: a manifest that happens to have the name of one is not meant.
allow_listed(document) if {
	lib.identity(document).kind == "FederatedRole"
	lib.identity(document).name in input.federation.gate.wildcardRoles
}

wild(_, "*")

wild("resources", value) if startswith(value, "*/")

wild("nonResourceURLs", "/*")
