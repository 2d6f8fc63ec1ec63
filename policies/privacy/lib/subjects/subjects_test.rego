package privacy.lib.subjects_test

import data.privacy.lib.subjects

test_asked_are_bare_references if {
	subjects.asked == {{"kind": "account", "value": "A1"}} with input.payload.subjects as [{
		"kind": "account",
		"value": "A1",
		"records": 3,
		"attribution": ["direct"],
		"categories": ["voice"],
	}]
}

test_nobody_is_asked_about_in_the_request_phase if {
	subjects.asked == set() with input as {"phase": "request"}
}

test_mine_are_bare_references if {
	subjects.mine == {{"kind": "account", "value": "A1"}} with input.caller.identifiers as [{
		"kind": "account",
		"value": "A1",
		"basis": "claim",
	}]
}

test_a_number_and_its_text_are_two_subjects if {
	count(subjects.mine) == 2 with input.caller.identifiers as [
		{"kind": "account", "value": 42, "basis": "claim"},
		{"kind": "account", "value": "42", "basis": "claim"},
	]
}

test_neighbouring_large_integers_are_two_subjects if {
	count(subjects.mine) == 2 with input.caller.identifiers as [
		{"kind": "account", "value": 9007199254740992, "basis": "claim"},
		{"kind": "account", "value": 9007199254740993, "basis": "claim"},
	]
}

test_an_address_says_the_type_of_the_value if {
	subjects.addresses == {["account", "number", "42"], ["account", "string", "42"]} with input.caller.identifiers as [
		{"kind": "account", "value": 42, "basis": "claim"},
		{"kind": "account", "value": "42", "basis": "claim"},
	]
}

test_large_integers_have_addresses_of_their_own if {
	subjects.addresses == {
		["account", "number", "9007199254740992"],
		["account", "number", "9007199254740993"],
	} with input.caller.identifiers as [
		{"kind": "account", "value": 9007199254740992, "basis": "claim"},
		{"kind": "account", "value": 9007199254740993, "basis": "claim"},
	]
}
