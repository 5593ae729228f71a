# METADATA
# title: Verbs that raise rights need an exception
package fleetward.gate.rbac_escalate

import data.fleetward.lib

# METADATA
# title: A role can give its holder more rights than it names
# description: >-
#   escalate and bind hand out rights that the holder does not have, impersonate takes those of another
#   (constrained impersonation, "impersonate:..." and "impersonate-on:...", included). A PolicyException that
#   names owner, reason and an expiry date that has not passed excuses one role.
# custom:
#   code: rbac.escalate
#   hint: drop the verb, or add a PolicyException for rbac.escalate with owner, reason and expires
deny contains v if {
	some i in lib.roles
	document := input.documents[i]
	some j, rule in lib.field(document, "rules")
	some verb in rule.verbs
	raises(verb)
	exceptions := lib.exceptions_for("rbac.escalate", document)
	every exception in exceptions { not lib.current(exception) }
	message := sprintf("%s grants %q, %s", [lib.label(document), verb, why(exceptions)])
	path := array.concat(lib.base(document), ["rules", j, "verbs"])
	v := object.union(lib.finding(rego.metadata.rule(), i, path, message), {"got": verb})
}

raises(verb) if verb in {"bind", "escalate", "impersonate"}

raises(verb) if startswith(verb, "impersonate:")

raises(verb) if startswith(verb, "impersonate-on:")

why([]) := "and no exception allows it"

why(exceptions) := "and its exception has expired or is incomplete" if count(exceptions) > 0
