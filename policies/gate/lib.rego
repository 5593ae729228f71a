# METADATA
# title: Helpers for gate rules
# description: >-
#   A rule finds its documents by kind, names them by identity, and makes its finding from its own METADATA.
#   Helpers live outside data.fleetward.gate, so that a verdict carries nothing but deny and warn sets.
package fleetward.lib

# Indices into input.documents, by kind. Rules start here: a chunk is walked once, not once a rule.
of_kind := {kind: indices |
	some kind in {document.kind | some document in input.documents}
	indices := [i | some i, document in input.documents; document.kind == kind]
}

# Documents that grant: the federation's and Kubernetes' own.
roles contains i if {
	some kind in ["FederatedRole", "ClusterRole", "Role"]
	some i in of_kind[kind]
	_speaks_of_access(input.documents[i])
}

# Documents that give a grant to somebody.
bindings contains i if {
	some kind in ["FederatedRoleBinding", "ClusterRoleBinding", "RoleBinding"]
	some i in of_kind[kind]
	_speaks_of_access(input.documents[i])
}

_speaks_of_access(document) if startswith(document.apiVersion, "fleetward.io/")

_speaks_of_access(document) if startswith(document.apiVersion, "rbac.authorization.k8s.io/")

# Where a kind keeps its fields: the federation's own under spec, Kubernetes' RBAC at the top.
base(document) := ["spec"] if startswith(document.apiVersion, "fleetward.io/")

base(document) := [] if not startswith(document.apiVersion, "fleetward.io/")

field(document, name) := object.get(document, array.concat(base(document), [name]), [])

# Who a document is: the one that it was compiled from, or itself. Never undefined.
identity(document) := document.origin

identity(document) := id if {
	not document.origin
	id := {
		"kind": object.get(document, "kind", "?"),
		"name": object.get(document, ["metadata", "name"], "?"),
	}
}

label(document) := sprintf("%v %v", [identity(document).kind, identity(document).name])

# Who is bound, service accounts apart: subjects[document][position].
subjects[i][j] := subject if {
	some i in bindings
	some j, subject in field(input.documents[i], "subjects")
	object.get(subject, "kind", "User") != "ServiceAccount"
}

# Every allow, whatever the kind: {document, direction, peers, path, field}.
allows contains allow if {
	some i in of_kind.FederatedNetworkRule
	some j, rule in input.documents[i].spec.allow
	allow := {
		"document": i,
		"direction": object.get(rule, "direction", "ingress"),
		"peers": object.get(rule, "peers", []),
		"path": ["spec", "allow", j],
		"field": "peers",
	}
}

allows contains allow if {
	some i in of_kind.NetworkPolicy
	startswith(input.documents[i].apiVersion, "networking.k8s.io/")
	some direction, field in {"ingress": "from", "egress": "to"}
	some j, rule in input.documents[i].spec[direction]
	allow := {
		"document": i,
		"direction": direction,
		"peers": object.get(rule, field, []),
		"path": ["spec", direction, j],
		"field": field,
	}
}

# A finding from the METADATA of the rule that asks: finding(rego.metadata.rule(), 0, ["spec"], "message").
finding(metadata, document, path, message) := {
	"rule": metadata.custom.code,
	"hint": metadata.custom.hint,
	"document": document,
	"path": path,
	"message": message,
}

# Exceptions for a document under one rule, the complete and current ones and the others.
exceptions_for(code, document) := [e |
	some e in input.exceptions
	e.rule == code
	e.target.kind == identity(document).kind
	e.target.name == identity(document).name
]

# An exception holds through the whole (UTC) day that it names.
current(exception) if {
	complete(exception)
	substring(exception.expires, 0, 10) >= substring(input.now, 0, 10)
}

complete(exception) if count(missing(exception)) == 0

missing(exception) := {name | some name in ["owner", "reason", "expires"]; not _filled(exception, name)}

_filled(exception, "expires") if regex.match(`^\d{4}-\d{2}-\d{2}`, exception.expires)

_filled(exception, name) if {
	name in {"owner", "reason"}
	is_string(exception[name])
	trim_space(exception[name]) != ""
}
