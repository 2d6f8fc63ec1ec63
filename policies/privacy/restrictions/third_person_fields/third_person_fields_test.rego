package privacy.restrictions.third_person_fields_test

import data.privacy.restrictions.third_person_fields

settings := {"masks": {"chat": ["$.partner", "$.contacts[*].phone"], "odd": "$.partner"}}

masked(endpoint, fields) := found if {
	found := third_person_fields.masks with input as {
		"endpoint": {"name": endpoint},
		"payload": {"records": 1, "fields": fields},
	}
		with data.privacy.deployment.restrictions.third_person_fields as settings
}

test_fields_about_others_are_masked_where_they_occur if {
	masked("chat", ["id", "partner", "contacts"]) == {"$.partner", "$.contacts[*].phone"}
	masked("chat", ["id", "partner"]) == {"$.partner"}
	masked("chat", ["id"]) == set()
}

test_an_endpoint_that_is_not_listed_has_none if {
	masked("orders", ["partner"]) == set()
}

test_it_needs_masks_and_those_of_the_endpoint_as_a_list if {
	third_person_fields.usable with input.endpoint.name as "chat"
		with data.privacy.deployment.restrictions.third_person_fields as settings
	third_person_fields.usable with input.endpoint.name as "orders"
		with data.privacy.deployment.restrictions.third_person_fields as settings
	not third_person_fields.usable with input.endpoint.name as "odd"
		with data.privacy.deployment.restrictions.third_person_fields as settings
	every missing in [true, {}, {"masks": {}}, {"masks": null}, {"masks": ["$.partner"]}, {"mask": {}}] {
		not third_person_fields.usable with input.endpoint.name as "chat"
			with data.privacy.deployment.restrictions.third_person_fields as missing
	}
}
