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
	"withhold": set(),
	"mask": set(),
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

restricted := object.union(settings, {"restrictions": {
	"special_category": {"categories": []},
	"never_disclose": {"masks": ["$.ssn"]},
}})

filled(endpoint, subjects, categories, fields) := object.union(response(endpoint, subjects, 0), {"payload": {
	"records": count(subjects),
	"subjects": [object.union(subject, {"categories": categories}) | some subject in subjects],
	"fields": fields,
}})

test_a_restriction_that_takes_nothing_away_changes_nothing if {
	decision == object.union(block, {
		"effect": "allow",
		"permitted": {mine},
		"reasons": {"self_access"},
	}) with input as filled("orders", [mine], ["order"], ["id"])
		with data.privacy.deployment as restricted
}

test_what_a_restriction_takes_away_is_redacted_at_every_endpoint if {
	decision == object.union(block, {
		"effect": "redact",
		"permitted": {mine},
		"withhold": {"health"},
		"mask": {"$.ssn"},
		"reasons": {"self_access", "special_category", "never_disclose"},
	}) with input as filled("orders", [mine], ["order", "health"], ["id", "ssn"])
		with data.privacy.deployment as restricted
}

test_a_restriction_permits_nobody if {
	decision.effect == "block" with input as filled("orders", [mine, foreign], ["health"], ["ssn"])
		with data.privacy.deployment as restricted
	decision.effect == "block" with input as filled("voice", [foreign], ["health"], ["ssn"])
		with data.privacy.deployment as restricted
}

test_a_foreign_record_and_a_restriction_are_redacted_together if {
	decision == object.union(block, {
		"effect": "redact",
		"permitted": {mine},
		"withhold": {"health"},
		"reasons": {"self_access", "subject_not_permitted", "special_category"},
	}) with input as filled("voice", [mine, foreign], ["health"], ["id"])
		with data.privacy.deployment as restricted
}

test_a_restriction_without_its_data_blocks_in_both_phases if {
	broken := object.union(settings, {"restrictions": {"never_disclose": true}})
	every question in [request, response("orders", [mine], 0), response("voice", [mine], 0)] {
		decision.effect == "block" with input as question
			with data.privacy.deployment as broken
		"restriction_data_missing" in decision.reasons with input as question
			with data.privacy.deployment as broken
	}
}

test_in_the_request_phase_a_restriction_takes_nothing_away if {
	decision == object.union(block, {"effect": "allow", "reasons": set()}) with input as request
		with data.privacy.deployment as restricted
}

test_an_actor_is_permitted_by_a_delegation_and_by_nothing_else if {
	acting := object.union(
		response("orders", [mine], 0),
		{
			"exchange": {"received_at": "2026-06-01T12:00:00Z"},
			"caller": {"issuer": "https://id.example.org", "actor": {"id": "agent-7", "issuer": null}},
		},
	)
	decision.effect == "block" with input as acting
		with data.privacy.deployment as settings
	delegated := {"https://id.example.org": {"account": {"string": {"A1": {"agent-7": "2027-01-01T00:00:00Z"}}}}}
	decision == object.union(block, {
		"effect": "allow",
		"permitted": {mine},
		"reasons": {"representative"},
	}) with input as acting
		with data.privacy.deployment.grounds as {"self_access": true, "representative": {"delegations": delegated}}
}
