package fleetward.gate.rbac_escalate_test

import data.fleetward.gate.rbac_escalate

role(verb) := {
	"apiVersion": "fleetward.io/v1alpha1", "kind": "FederatedRole", "metadata": {"name": "ops"},
	"spec": {"rules": [{"apiGroups": [""], "resources": ["users"], "verbs": ["get", verb]}]},
}

plain(verb) := {
	"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "ops"},
	"rules": [{"apiGroups": [""], "resources": ["users"], "verbs": [verb]}],
}

exception := {
	"rule": "rbac.escalate", "target": {"kind": "FederatedRole", "name": "ops"},
	"owner": "team", "reason": "tooling", "expires": "2026-07-25",
}

denied(document, exceptions) := found if {
	found := rbac_escalate.deny with input as {
		"now": "2026-07-25T23:59:59Z",
		"documents": [document],
		"exceptions": exceptions,
	}
}

test_denied[verb] if {
	some verb in ["bind", "escalate", "impersonate", "impersonate:user-info", "impersonate-on:user-info:list"]
	some v in denied(role(verb), [])
	v.rule == "rbac.escalate"
	v.path == ["spec", "rules", 0, "verbs"]
	count(denied(plain(verb), [])) == 1
}

test_harmless_passes if count(denied(role("list"), [])) == 0

test_excused if count(denied(role("bind"), [exception])) == 0

test_compiled_form_excused if {
	compiled := object.union(plain("bind"), {"origin": {"kind": "FederatedRole", "name": "ops"}})
	count(denied(compiled, [exception])) == 0
}

test_one_current_exception_is_enough if {
	old := object.union(exception, {"expires": "2020-01-01"})
	count(denied(role("bind"), [old, exception])) == 0
}

test_expired_denied if {
	some v in denied(role("bind"), [object.union(exception, {"expires": "2026-07-24"})])
	contains(v.message, "expired")
}

test_unfit_exception_denied[name] if {
	unfit := {
		"no owner": {"owner": " "}, "no reason": {"reason": ""}, "no expiry": {"expires": "never"},
		"other rule": {"rule": "rbac.other"}, "other kind": {"target": {"kind": "ClusterRole"}},
		"other name": {"target": {"name": "dev"}},
	}
	some name, change in unfit
	count(denied(role("bind"), [object.union(exception, change)])) == 1
}

test_namesake_not_excused if count(denied(plain("bind"), [exception])) == 1
