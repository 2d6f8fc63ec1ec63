package privacy.grounds.guardian_test

import data.privacy.grounds.guardian

parent := {"kind": "account", "value": "P1"}

child := {"kind": "account", "value": "K1"}

foreign := {"kind": "account", "value": "K9"}

question(received_at, identifier, actor) := {
	"exchange": {"received_at": received_at},
	"caller": {"identifiers": [identifier], "actor": actor},
	"payload": {"subjects": [child, foreign]},
}

settings(changes) := {
	"age_limits": {"DE": 16, "AT": 14},
	"wards": {"account": {"string": {"P1": [object.union(
		{"kind": "account", "value": "K1", "born": "2012-06-02", "jurisdiction": "DE", "expires_at": null},
		changes,
	)]}}},
}

permitted(received_at, changes) := found if {
	found := guardian.permits with input as question(received_at, parent, null)
		with data.privacy.deployment.grounds.guardian as settings(changes)
}

noon := "2026-06-01T12:00:00Z"

test_a_young_ward_is_permitted_and_a_strangers_child_is_not if {
	permitted(noon, {}) == {child}
}

test_a_ward_of_somebody_else_is_not_permitted if {
	guardian.permits == set() with input as question(noon, {"kind": "account", "value": "P2"}, null)
		with data.privacy.deployment.grounds.guardian as settings({})
}

test_an_actor_is_no_guardian if {
	guardian.permits == set() with input as question(noon, parent, {"id": "support-desk", "issuer": null})
		with data.privacy.deployment.grounds.guardian as settings({})
}

test_at_the_age_limit_the_child_asks_alone if {
	permitted(noon, {"born": "2010-06-03"}) == {child}
	permitted(noon, {"born": "2010-06-02"}) == set()
	permitted(noon, {"born": "2010-06-01"}) == set()
}

test_the_birthday_begins_where_it_begins_first if {
	permitted("2026-06-01T09:59:59Z", {"born": "2010-06-02"}) == {child}
	permitted("2026-06-01T10:00:00Z", {"born": "2010-06-02"}) == set()
}

test_the_limit_is_that_of_the_jurisdiction if {
	permitted(noon, {"born": "2012-06-01", "jurisdiction": "DE"}) == {child}
	permitted(noon, {"born": "2012-06-01", "jurisdiction": "AT"}) == set()
	permitted(noon, {"born": "2012-06-01", "jurisdiction": "FR"}) == set()
	permitted(noon, {"born": "2012-06-01", "jurisdiction": null}) == set()
}

test_born_on_a_leap_day_the_birthday_is_on_the_first_of_march if {
	permitted("2028-02-28T09:00:00Z", {"born": "2012-02-29"}) == {child}
	permitted("2028-02-29T10:00:00Z", {"born": "2012-02-29"}) == set()
	permitted("2026-02-28T09:59:59Z", {"born": "2012-02-29", "jurisdiction": "AT"}) == {child}
	permitted("2026-02-28T10:00:00Z", {"born": "2012-02-29", "jurisdiction": "AT"}) == set()
}

test_a_birth_date_that_is_none_permits_nothing if {
	every born in ["2026-06-03", "2012-13-01", "2012-6-2", "02.06.2012", "", "20120602", "2012-06-02\n"] {
		permitted(noon, {"born": born}) == set()
	}
}

test_a_limit_that_is_no_age_permits_nothing if {
	every limit in [0, -1, 22, 99, 15.5, "16", null, true] {
		changed := object.union(settings({}), {"age_limits": {"DE": limit}})
		guardian.permits == set() with input as question(noon, parent, null)
			with data.privacy.deployment.grounds.guardian as changed
	}
}

test_guardianship_ends if {
	permitted(noon, {"expires_at": "2026-06-01T12:00:01Z"}) == {child}
	permitted(noon, {"expires_at": noon}) == set()
}

test_without_data_nobody_is_permitted if {
	guardian.permits == set() with input as question(noon, parent, null)
		with data.privacy.deployment.grounds.guardian as {}
}
