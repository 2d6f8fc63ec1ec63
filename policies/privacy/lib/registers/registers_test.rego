package privacy.lib.registers_test

import data.privacy.lib.registers

caller := {"identifiers": [{"kind": "account", "value": "A1"}, {"kind": "account", "value": 42}]}

test_entries_are_those_under_every_identifier_of_the_caller if {
	register := {
		"account": {"string": {"A1": [{"a": 1}, {"a": 2}], "A9": [{"a": 3}], "42": [{"a": 4}]}, "number": {"42": [{"a": 5}]}},
		"email": {"string": {"A1": [{"a": 6}]}},
	}
	sort(registers.entries(register)) == [{"a": 1}, {"a": 2}, {"a": 5}] with input.caller as caller
}

test_malformed_entries_are_none if {
	every malformed in [null, true, 1, "x", ["x", null, 1, []], {"kind": "account"}] {
		registers.entries({"account": {"string": {"A1": malformed}}}) == [] with input.caller as caller
	}
	every malformed in [null, true, 1, "x", [{"a": 1}]] {
		registers.entries({"account": malformed}) == [] with input.caller as caller
		registers.entries({"account": {"string": malformed}}) == [] with input.caller as caller
	}
}
