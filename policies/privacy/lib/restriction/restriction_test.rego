package privacy.lib.restriction_test

import data.privacy.lib.restriction

settings := {
	"special_category": {"categories": ["diary"]},
	"third_person_fields": {"masks": {"chat": ["$.contact"]}},
	"never_disclose": {"masks": ["$.ssn"]},
	"entitled_categories": {"required": {"voice": "voice_device"}, "open": ["diary", "chat"], "holders": {}},
}

question(categories, fields) := {
	"endpoint": {"name": "chat"},
	"caller": {"identifiers": [{"kind": "account", "value": "A1"}]},
	"payload": {
		"records": 1,
		"subjects": [{"kind": "account", "value": "A1", "categories": categories}],
		"unattributed": {"records": 0, "categories": []},
		"fields": fields,
	},
}

acts(restrictions, asked) := found if {
	found := object.filter(restriction.acts, object.keys(restrictions)) with input as asked
		with data.privacy.deployment as {"restrictions": restrictions}
}

test_every_restriction_acts if {
	acts(settings, question(["voice", "diary", "chat"], ["ssn", "contact"])) == {
		"special_category": {"withhold": {"diary"}, "mask": set()},
		"third_person_fields": {"withhold": set(), "mask": {"$.contact"}},
		"never_disclose": {"withhold": set(), "mask": {"$.ssn"}},
		"entitled_categories": {"withhold": {"voice"}, "mask": set()},
	}
}

test_reasons_name_those_that_take_something_away if {
	restriction.reasons == {"third_person_fields", "entitled_categories"} with input as question(["voice"], ["contact"])
		with data.privacy.deployment as {"restrictions": settings}
}

test_where_there_is_nothing_to_take_away_nobody_is_named if {
	restriction.reasons == set() with input as question(["chat"], ["id"])
		with data.privacy.deployment as {"restrictions": settings}
	restriction.reasons == set() with input as object.remove(question([], []), ["payload"])
		with data.privacy.deployment as {"restrictions": settings}
}

test_in_the_request_phase_every_restriction_has_its_data_too if {
	restriction.missing == set() with input as object.remove(question([], []), ["payload"])
		with data.privacy.deployment as {"restrictions": settings}
}

test_without_restrictions_nothing_acts_and_nothing_is_missing if {
	every deployment in [{"grounds": {}}, {"grounds": {}, "restrictions": {}}] {
		restriction.missing == set() with data.privacy.deployment as deployment
		restriction.reasons == set() with data.privacy.deployment as deployment
	}
}

test_a_restriction_without_its_data_does_not_act_and_is_missing if {
	every name, _ in settings {
		every setting in [true, null, {}, [], "on", {"masks": []}, {"masks": {}}, {"holders": {}}] {
			restriction.missing == {name} with input as question(["voice"], ["ssn"])
				with data.privacy.deployment as {"restrictions": {name: setting}}
			restriction.reasons == set() with input as question(["voice"], ["ssn"])
				with data.privacy.deployment as {"restrictions": {name: setting}}
		}
	}
}

test_one_that_is_switched_off_is_not_missing if {
	restriction.missing == set() with data.privacy.deployment as {"restrictions": {"never_disclose": false}}
}
