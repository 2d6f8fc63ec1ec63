package privacy.lib.admission_test

import data.privacy.lib.admission

caller := {"identifiers": [{"kind": "account", "value": "A1"}], "scopes": ["export", "openid"]}

settings := {"grounds": {"self_access": true}, "scopes": {"orders": ["export"]}}

test_a_caller_with_an_identifier_and_the_scopes_is_admitted if {
	admission.reasons == set() with input.caller as caller
		with input.endpoint.name as "orders"
		with data.privacy.deployment as settings
}

test_an_endpoint_without_scopes_asks_for_none if {
	admission.reasons == set() with input.caller as object.union(caller, {"scopes": []})
		with input.endpoint.name as "other"
		with data.privacy.deployment as settings
}

test_a_caller_without_an_identifier_is_not_admitted if {
	admission.reasons == {"no_identifier"} with input.caller as object.union(caller, {"identifiers": []})
		with input.endpoint.name as "orders"
		with data.privacy.deployment as settings
}

test_a_caller_without_the_scopes_is_not_admitted if {
	admission.reasons == {"scope_missing"} with input.caller as object.union(caller, {"scopes": ["openid"]})
		with input.endpoint.name as "orders"
		with data.privacy.deployment as settings
}

test_malformed_scopes_admit_nobody if {
	admission.reasons == {"scope_missing"} with input.caller as caller
		with input.endpoint.name as "orders"
		with data.privacy.deployment as object.union(settings, {"scopes": {"orders": "export"}})
}

test_without_data_nobody_is_admitted if {
	"no_ground_enabled" in admission.reasons with input.caller as caller
		with input.endpoint.name as "orders"
		with data.privacy.deployment as {}
}

test_a_ground_of_another_type_is_not_enabled if {
	every setting in [false, null, "true", 1, []] {
		"no_ground_enabled" in admission.reasons with input.caller as caller
			with input.endpoint.name as "orders"
			with data.privacy.deployment as {"grounds": {"self_access": setting}}
	}
}

test_a_ground_with_data_is_enabled if {
	every name in ["self_access", "linked_account"] {
		admission.reasons == set() with input.caller as caller
			with input.endpoint.name as "orders"
			with data.privacy.deployment as {"grounds": {name: {"links": {}}}}
	}
}

test_a_restriction_that_is_switched_off_needs_no_data if {
	admission.reasons == set() with input.caller as caller
		with input.endpoint.name as "orders"
		with data.privacy.deployment as {
			"grounds": {"self_access": true},
			"restrictions": {"special_category": false},
		}
}

test_a_restriction_without_its_data_blocks if {
	every setting in [true, null, {}, [], "x", {"categories": "health"}, {"category": []}] {
		admission.reasons == {"restriction_data_missing"} with input.caller as caller
			with input.endpoint.name as "orders"
			with data.privacy.deployment as {
				"grounds": {"self_access": true},
				"restrictions": {"special_category": setting},
			}
	}
}

test_a_restriction_that_nobody_knows_blocks if {
	admission.reasons == {"restriction_data_missing"} with input.caller as caller
		with input.endpoint.name as "orders"
		with data.privacy.deployment as {
			"grounds": {"self_access": true},
			"restrictions": {"special_categories": {"categories": []}},
		}
}
