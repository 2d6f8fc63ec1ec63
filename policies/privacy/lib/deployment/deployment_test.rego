package privacy.lib.deployment_test

import data.privacy.lib.deployment

test_the_settings_are_the_whole_document if {
	whole := {"grounds": {"self_access": true}, "partial": {}, "restrictions": {}, "scopes": {}}
	deployment.settings.grounds.self_access with data.privacy.deployment as whole
	object.keys(deployment.settings) == object.keys(whole) with data.privacy.deployment as whole
}

test_without_data_there_are_no_settings if {
	count(deployment.settings) == 0 with data.privacy.deployment as {}
}

test_an_unknown_key_enables_nothing if {
	every key in ["ground", "scope", "restriction", "Grounds", ""] {
		not deployment.settings with data.privacy.deployment as object.union(
			{"grounds": {"self_access": true}},
			{key: {}},
		)
	}
}

test_a_section_that_is_no_object_enables_nothing if {
	every section in ["partial", "restrictions", "scopes"] {
		every malformed in [null, true, 1, "x", ["export"]] {
			not deployment.settings with data.privacy.deployment as object.union(
				{"grounds": {"self_access": true}},
				{section: malformed},
			)
		}
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
