# METADATA
# title: Exceptions are complete, current, and about rules that have exceptions
package fleetward.gate.exceptions

import data.fleetward.lib

# METADATA
# title: An exception does not say who, why or until when
# custom:
#   code: exception.incomplete
#   hint: give the PolicyException owner, reason and expires (a date such as 2026-12-31)
deny contains v if {
	some i in lib.of_kind.PolicyException
	document := input.documents[i]
	some name in lib.missing(document.spec)
	message := sprintf("%s lacks %s", [lib.label(document), name])
	v := lib.finding(rego.metadata.rule(), i, ["spec"], message)
}

# METADATA
# title: An exception from a rule that has none
# description: Of the default rules only rbac.escalate can be excused; a fleet's own rules decide for themselves.
# custom:
#   code: exception.inexcusable
#   hint: remove the PolicyException and mend what the rule found
deny contains v if {
	some i in lib.of_kind.PolicyException
	document := input.documents[i]
	document.spec.rule != "rbac.escalate"
	split(document.spec.rule, ".")[0] in {"cluster", "deletions", "exception", "network", "rbac"}
	message := sprintf("%s: rule %s has no exceptions", [lib.label(document), document.spec.rule])
	v := lib.finding(rego.metadata.rule(), i, ["spec", "rule"], message)
}

# METADATA
# title: An exception has expired
# custom:
#   code: exception.expired
#   hint: remove the PolicyException, or renew it after asking its owner
warn contains v if {
	some i in lib.of_kind.PolicyException
	document := input.documents[i]
	lib.complete(document.spec)
	not lib.current(document.spec)
	message := sprintf("%s expired on %s", [lib.label(document), document.spec.expires])
	v := lib.finding(rego.metadata.rule(), i, ["spec", "expires"], message)
}
