# METADATA
# title: A change deletes little at a time
package fleetward.gate.deletions

import data.fleetward.lib

# METADATA
# title: More deletions than the Federation allows at once
# description: >-
#   limits.maxDeletions is a number, or a percentage of the objects on the member (then at least 5 are
#   allowed). A lost folder or a wrong placement deletes more than a person ever means to.
# custom:
#   code: deletions.cap
#   hint: delete in smaller commits, or raise spec.limits.maxDeletions in federation.yaml first
deny contains v if {
	input.stage == "changes"
	deleted > allowed
	message := sprintf("%s: %d of %d objects would be deleted", [input.cluster.name, deleted, existing])
	v := {
		"rule": rego.metadata.rule().custom.code,
		"hint": rego.metadata.rule().custom.hint,
		"message": message,
		"expected": sprintf("at most %d", [allowed]),
		"got": sprintf("%d", [deleted]),
	}
}

# METADATA
# title: The cap on deletions cannot be read
# custom:
#   code: deletions.cap
#   hint: write spec.limits.maxDeletions as a whole number or a percentage such as "10%"
deny contains v if {
	input.stage == "changes"
	not allowed
	v := {
		"rule": rego.metadata.rule().custom.code,
		"hint": rego.metadata.rule().custom.hint,
		"message": "the cap on deletions cannot be read",
		"expected": "a whole number from 0, or \"0%\" to \"100%\"",
		"got": sprintf("%v", [limit]),
	}
}

# METADATA
# title: A deletion takes others along
# description: With a Namespace go all objects in it, with a CustomResourceDefinition all its instances.
# custom:
#   code: deletions.cascade
#   hint: look at what is left in it before merging
warn contains v if {
	input.stage == "changes"
	some i, change in input.changes
	change.action == "delete"
	takes_along := {"Namespace": "", "CustomResourceDefinition": "apiextensions.k8s.io"}
	change.object.group == takes_along[change.object.kind]
	cluster := input.cluster.name
	message := sprintf("%s: %s %s would be deleted with all it holds", [
		cluster,
		change.object.kind,
		change.object.name,
	])
	v := lib.finding(rego.metadata.rule(), i, [], message)
}

limit := object.get(input, ["limits", "maxDeletions"], "10%")

listed := count([c | some c in input.changes; c.action == "delete"])

deleted := max([object.get(input, ["counts", "delete"], 0), listed])

# What is on the member now: everything but what is still to be created.
existing := deleted + sum([n | some action, n in input.counts; not action in {"create", "delete"}])

allowed := limit if {
	is_number(limit)
	limit >= 0
}

allowed := max([5, floor((to_number(trim_suffix(limit, "%")) * existing) / 100)]) if {
	is_string(limit)
	regex.match(`^(\d|[1-9]\d|100)%$`, limit)
}
