package privacy.lib.deployment_test

import data.privacy.lib.deployment

test_true_and_an_object_enable_a_ground if {
	deployment.enabled == {"self_access", "linked_account"} with data.privacy.deployment as {"grounds": {
		"self_access": true,
		"linked_account": {"links": []},
	}}
}

test_nothing_else_enables_a_ground if {
	deployment.enabled == set() with data.privacy.deployment as {"grounds": {
		"a": false,
		"b": null,
		"c": "true",
		"d": 1,
		"e": [],
	}}
}

test_without_data_nothing_is_enabled if {
	deployment.enabled == set() with data.privacy.deployment as {}
}

test_an_unknown_key_enables_nothing if {
	deployment.enabled == set() with data.privacy.deployment as {
		"grounds": {"self_access": true},
		"scope": {"orders": ["export"]},
	}
}

test_scopes_that_are_no_object_enable_nothing if {
	deployment.enabled == set() with data.privacy.deployment as {
		"grounds": {"self_access": true},
		"scopes": ["export"],
	}
}

test_a_partial_export_is_blocked_unless_its_endpoint_says_redact if {
	settings := {"grounds": {}, "partial": {"orders": "redact", "voice": "block", "odd": true}}
	expected := {"orders": "redact", "voice": "block", "odd": "block", "other": "block"}
	every endpoint, mode in expected {
		deployment.partial == mode with data.privacy.deployment as settings
			with input.endpoint.name as endpoint
	}
}

test_malformed_data_never_redacts if {
	deployment.partial == "block" with input.endpoint.name as "orders"
		with data.privacy.deployment as {"partial": {"orders": "redact"}, "typo": {}}
}

test_scopes_are_those_of_the_endpoint if {
	settings := {"grounds": {}, "scopes": {"orders": ["export"]}}
	deployment.scopes == ["export"] with data.privacy.deployment as settings
		with input.endpoint.name as "orders"
	deployment.scopes == [] with data.privacy.deployment as settings
		with input.endpoint.name as "other"
}

test_scopes_that_are_no_list_are_undefined if {
	not deployment.scopes with input.endpoint.name as "orders"
		with data.privacy.deployment as {"grounds": {}, "scopes": {"orders": "export"}}
}
