# METADATA
# title: Nobody is bound to the system's own groups, or to everybody
package fleetward.gate.rbac_subjects

import data.fleetward.lib

# METADATA
# title: A binding gives rights to everybody, or to those who bypass RBAC
# description: >-
#   system:masters bypasses every check and cannot be revoked; system:anonymous and system:unauthenticated
#   are whoever reaches the API server.
# custom:
#   code: rbac.subject
#   hint: bind a group of your identity provider, a user or a service account
deny contains v if {
	some i, found in lib.subjects
	some j, subject in found
	subject.name in {"system:anonymous", "system:masters", "system:unauthenticated"}
	v := about(rego.metadata.rule(), i, j, subject)
}

# METADATA
# title: A binding gives rights to all who can log in
# description: Every user or every service account, those of later tenants and workloads included.
# custom:
#   code: rbac.broad_subject
#   hint: bind the group that needs it
warn contains v if {
	some i, found in lib.subjects
	some j, subject in found
	subject.name in {"system:authenticated", "system:serviceaccounts"}
	v := about(rego.metadata.rule(), i, j, subject)
}

# METADATA
# title: A binding makes somebody cluster-admin
# description: cluster-admin may do everything, the removal of this gate's effects on the member included.
# custom:
#   code: rbac.cluster_admin
#   hint: bind a FederatedRole that names what is needed
deny contains v if {
	some i in lib.bindings
	document := input.documents[i]
	lib.field(document, "roleRef").name == "cluster-admin"
	message := sprintf("%s binds cluster-admin", [lib.label(document)])
	path := array.concat(lib.base(document), ["roleRef", "name"])
	v := lib.finding(rego.metadata.rule(), i, path, message)
}

about(metadata, i, j, subject) := v if {
	document := input.documents[i]
	message := sprintf("%s binds %s", [lib.label(document), subject.name])
	path := array.concat(lib.base(document), ["subjects", j])
	v := object.union(lib.finding(metadata, i, path, message), {"got": subject.name})
}
