package privacy.lib.payload_test

import data.privacy.lib.payload

test_categories_are_those_of_all_records if {
	payload.categories == {"voice", "order", "document"} with input.payload as {
		"subjects": [{"categories": ["voice"]}, {"categories": ["order", "voice"]}, {"categories": []}],
		"unattributed": {"records": 1, "categories": ["document"]},
	}
}

test_in_the_request_phase_there_is_none if {
	payload.categories == set() with input as {"phase": "request"}
	payload.concerned(["$.ssn"]) == set() with input as {"phase": "request"}
}

masks := [
	"$.ssn",
	"$.contacts[*].phone",
	"$.chat.partner",
	"$['family name']",
	"$['partner']['phone']",
	`$["e.mail"].x`,
]

test_a_mask_concerns_a_field_of_its_first_name if {
	expected := {
		"ssn": {"$.ssn"},
		"contacts": {"$.contacts[*].phone"},
		"chat": {"$.chat.partner"},
		"family name": {"$['family name']"},
		"partner": {"$['partner']['phone']"},
		"e.mail": {`$["e.mail"].x`},
		"phone": set(),
		"name": set(),
		"": set(),
	}
	every field, concerned in expected {
		payload.concerned(masks) == concerned with input.payload as {"records": 1, "fields": ["id", field]}
	}
}

test_a_field_that_looks_like_the_masks_counts if {
	every field in ["SSN", "Ssn", " ssn", "ssn  ", "\u017fsn", "\uff53sn", "s\u0000sn", "id\u00e9"] {
		"$.ssn" in payload.concerned(masks) with input.payload as {"records": 1, "fields": [field]}
	}
}

test_a_field_that_only_begins_like_it_does_not if {
	every field in ["ss", "ssnx", "$.ssn", ".ssn", "s sn"] {
		payload.concerned(["$.ssn"]) == set() with input.payload as {"records": 1, "fields": [field]}
	}
}

test_a_mask_whose_first_name_nobody_knows_always_counts if {
	every mask in ["$.*", "$.*.x", "$[*]", "$[*].x", "$", "", "ssn", `$['a\'b']`, `$["a\"b"]`, "$.\u017fsn"] {
		payload.concerned([mask]) == {mask} with input.payload as {"records": 1, "fields": ["id"]}
	}
}

test_a_mask_that_says_what_stands_in_its_place_concerns_the_same_field if {
	kinds := [{"path": "$.ssn", "keep": 4}, {"path": "$.chat.partner", "pseudonym": true}]
	payload.concerned(kinds) == {kinds[0]} with input.payload as {"records": 1, "fields": ["SSN"]}
	payload.concerned(kinds) == {kinds[1]} with input.payload as {"records": 1, "fields": ["chat"]}
	payload.concerned(kinds) == set() with input.payload as {"records": 1, "fields": ["id"]}
}

test_what_is_no_mask_is_not_left_out if {
	every mask in [42, true, null, ["$.ssn"], {}, {"path": 42}, {"text": "[removed]"}] {
		payload.concerned([mask]) == {mask} with input.payload as {"records": 1, "fields": ["id"]}
	}
}

test_without_records_there_is_nothing_to_mask if {
	payload.concerned(masks) == set() with input.payload as {"records": 0, "fields": ["ssn"]}
}

test_where_nobody_says_which_fields_there_are_every_mask_counts if {
	payload.concerned(["$.ssn"]) == {"$.ssn"} with input.payload as {"records": 1}
}
