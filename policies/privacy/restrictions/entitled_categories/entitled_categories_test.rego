package privacy.restrictions.entitled_categories_test

import data.privacy.restrictions.entitled_categories

settings := {
	"required": {"voice": "voice_device", "video": "camera"},
	"open": ["order"],
	"holders": {"account": {"string": {"A1": ["camera"], "A2": ["voice_device", "camera"]}}},
}

withheld(identifiers, subjects, orphans) := found if {
	found := entitled_categories.withholds with input as {
		"caller": {"identifiers": identifiers},
		"payload": {"subjects": subjects, "unattributed": {"records": count(orphans), "categories": orphans}},
	}
		with data.privacy.deployment.restrictions.entitled_categories as settings
}

me := {"kind": "account", "value": "A1"}

test_who_owns_no_voice_device_gets_no_voice_records_though_they_carry_the_own_identifier if {
	withheld([me], [object.union(me, {"categories": ["voice", "video", "order"]})], []) == {"voice"}
}

test_whoever_owns_them_and_whoever_does_not if {
	withheld([me], [{"kind": "account", "value": "A9", "categories": ["voice"]}], []) == {"voice"}
	withheld([me], [], ["voice"]) == {"voice"}
}

test_who_owns_one_gets_them if {
	withheld([{"kind": "account", "value": "A2"}], [{"categories": ["voice", "video", "order"]}], []) == set()
}

test_an_entitlement_of_another_kind_or_type_does_not_count if {
	withheld([{"kind": "email", "value": "A2"}], [{"categories": ["voice"]}], []) == {"voice"}
	withheld([{"kind": "account", "value": 2}], [{"categories": ["voice"]}], []) == {"voice"}
}

test_a_category_that_the_data_does_not_know_stays_behind if {
	withheld([{"kind": "account", "value": "A2"}], [{"categories": ["location"]}], []) == {"location"}
}

test_without_open_categories_every_category_needs_an_entitlement if {
	entitled_categories.withholds == {"order"} with input.payload.unattributed.categories as ["order"]
		with data.privacy.deployment.restrictions.entitled_categories as object.remove(settings, ["open"])
}

test_it_needs_the_categories_and_the_holders if {
	entitled_categories.usable with data.privacy.deployment.restrictions.entitled_categories as settings
	every missing in [true, {}, {"required": {}}, {"holders": {}}, {"required": [], "holders": {}}] {
		not entitled_categories.usable with data.privacy.deployment.restrictions.entitled_categories as missing
	}
}
