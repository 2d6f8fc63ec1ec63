package privacy.decision_test

import data.privacy.decision

mine := {"kind": "account", "value": "A1"}

foreign := {"kind": "account", "value": "A9"}

settings := {
	"grounds": {"self_access": true},
	"partial": {"voice": "redact"},
}

caller := {"identifiers": [mine], "actor": null, "scopes": []}

request := {
	"phase": "request",
	"endpoint": {"name": "orders"},
	"caller": caller,
}

response(endpoint, subjects, unattributed) := {
	"phase": "response",
	"endpoint": {"name": endpoint},
	"caller": caller,
	"payload": {"subjects": subjects, "unattributed": {"records": unattributed, "categories": []}},
}

nobody := object.union(caller, {"identifiers": []})

block := {
	"effect": "block",
	"permitted": set(),
	"unattributed": "withhold",
	"withhold": [],
	"mask": [],
}

test_without_input_the_answer_is_block if {
	decision.effect == "block" with input as {}
		with data.privacy.deployment as settings
}

test_without_data_the_answer_is_block if {
	decision.effect == "block" with input as response("orders", [], 0)
		with data.privacy.deployment as {}
}

test_a_caller_with_an_identifier_may_ask if {
	decision == object.union(block, {"effect": "allow", "reasons": set()}) with input as request
		with data.privacy.deployment as settings
}

test_a_caller_without_an_identifier_may_not_ask if {
	question := object.union(request, {"caller": nobody})
	decision == object.union(block, {"reasons": {"no_identifier"}}) with input as question
		with data.privacy.deployment as settings
}

test_an_unknown_phase_is_blocked if {
	decision.effect == "block" with input as object.union(request, {"phase": "other"})
		with data.privacy.deployment as settings
}

test_an_own_export_is_allowed if {
	decision == object.union(block, {
		"effect": "allow",
		"permitted": {mine},
		"reasons": {"self_access"},
	}) with input as response("orders", [mine], 0)
		with data.privacy.deployment as settings
}

test_an_empty_export_is_allowed if {
	decision == object.union(block, {"effect": "allow", "reasons": set()}) with input as response("orders", [], 0)
		with data.privacy.deployment as settings
}

test_an_empty_export_for_nobody_is_blocked if {
	question := object.union(response("orders", [], 0), {"caller": nobody})
	decision.effect == "block" with input as question
		with data.privacy.deployment as settings
}

test_a_foreign_record_blocks if {
	decision == object.union(block, {"reasons": {
		"self_access",
		"subject_not_permitted",
	}}) with input as response("orders", [mine, foreign], 0)
		with data.privacy.deployment as settings
}

test_a_foreign_record_is_redacted_where_the_endpoint_says_so if {
	decision == object.union(block, {
		"effect": "redact",
		"permitted": {mine},
		"reasons": {"self_access", "subject_not_permitted"},
	}) with input as response("voice", [mine, foreign], 0)
		with data.privacy.deployment as settings
}

test_an_unattributed_record_blocks if {
	decision == object.union(block, {"reasons": {
		"self_access",
		"unattributed_records",
	}}) with input as response("orders", [mine], 1)
		with data.privacy.deployment as settings
}

test_an_unattributed_record_is_redacted_where_the_endpoint_says_so if {
	decision == object.union(block, {
		"effect": "redact",
		"permitted": {mine},
		"reasons": {"self_access", "unattributed_records"},
	}) with input as response("voice", [mine], 1)
		with data.privacy.deployment as settings
}

test_an_export_of_strangers_only_is_never_redacted if {
	decision == object.union(block, {"reasons": {"subject_not_permitted"}}) with input as response("voice", [foreign], 0)
		with data.privacy.deployment as settings
}
