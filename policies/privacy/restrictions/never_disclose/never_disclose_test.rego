package privacy.restrictions.never_disclose_test

import data.privacy.restrictions.never_disclose

settings := {"masks": ["$.ssn", "$.customer.ssn", {"path": "$.iban", "keep": 4}]}

masked(fields) := found if {
	found := never_disclose.masks with input.payload as {"records": 1, "fields": fields}
		with data.privacy.deployment.restrictions.never_disclose as settings
}

test_they_are_masked_where_they_can_occur if {
	masked(["id", "ssn"]) == {"$.ssn"}
	masked(["id", "customer"]) == {"$.customer.ssn"}
	masked(["id", "SSN"]) == {"$.ssn"}
	masked(["id", "iban"]) == {{"path": "$.iban", "keep": 4}}
	masked(["id"]) == set()
}

test_it_needs_masks if {
	never_disclose.usable with data.privacy.deployment.restrictions.never_disclose as settings
	every missing in [true, {}, {"masks": []}, {"masks": null}, {"masks": "$.ssn"}, {"masks": {"a": "$.ssn"}}] {
		not never_disclose.usable with data.privacy.deployment.restrictions.never_disclose as missing
	}
}
