package privacy.restrictions.special_category_test

import data.privacy.restrictions.special_category

settings := {
	"categories": ["diary"],
	"exceptions": {
		"patient": {"health": "GDPR Art. 9(2)(h)"},
		"odd": {"health": "because", "diary": null},
	},
}

withheld(endpoint, categories) := found if {
	found := special_category.withholds with input as {
		"endpoint": {"name": endpoint},
		"payload": {"subjects": [{"categories": categories}], "unattributed": {"records": 0, "categories": []}},
	}
		with data.privacy.deployment.restrictions.special_category as settings
}

test_special_categories_stay_behind_and_others_do_not if {
	withheld("orders", ["order", "health", "diary"]) == {"health", "diary"}
	withheld("orders", ["order"]) == set()
}

test_every_name_of_article_9_is_special if {
	names := [
		"biometric",
		"genetic",
		"health",
		"political_opinion",
		"racial_or_ethnic_origin",
		"religious_or_philosophical_belief",
		"sex_life",
		"sexual_orientation",
		"trade_union_membership",
	]
	withheld("orders", names) == {name | some name in names}
}

test_an_exception_counts_at_its_endpoint_for_its_category if {
	withheld("patient", ["health", "genetic"]) == {"genetic"}
}

test_an_exception_that_rests_on_nothing_does_not_count if {
	withheld("odd", ["health", "diary"]) == {"health", "diary"}
}

test_it_needs_the_deployments_own_categories if {
	special_category.usable with data.privacy.deployment.restrictions.special_category as settings
	special_category.usable with data.privacy.deployment.restrictions.special_category as {"categories": []}
	every missing in [true, {}, {"categories": null}, {"categories": "health"}, {"exceptions": {}}] {
		not special_category.usable with data.privacy.deployment.restrictions.special_category as missing
	}
}
