package privacy.lib.permission_test

import data.privacy.lib.permission

mine := {"kind": "account", "value": "A1"}

old := {"kind": "account", "value": "B7"}

foreign := {"kind": "account", "value": "A9"}

linked := {"linked_account": {"links": {"account": {"string": {"A1": [object.union(old, {"expires_at": null})]}}}}}

both := {"grounds": object.union(linked, {"self_access": true})}

question(subjects, unattributed) := {
	"phase": "response",
	"exchange": {"received_at": "2026-06-01T12:00:00Z"},
	"caller": {"identifiers": [mine], "actor": null},
	"payload": {"subjects": subjects, "unattributed": {"records": unattributed, "categories": []}},
}

test_any_enabled_ground_is_enough if {
	permission.permitted == {mine, old} with input as question([mine, old, foreign], 0)
		with data.privacy.deployment as both
}

test_a_ground_that_is_not_enabled_permits_nobody if {
	permission.permitted == {mine} with input as question([mine, old], 0)
		with data.privacy.deployment as {"grounds": {"self_access": true}}
	permission.permitted == {old} with input as question([mine, old], 0)
		with data.privacy.deployment as {"grounds": linked}
}

test_a_ground_cannot_permit_a_subject_nobody_asked_about if {
	permission.permitted == {mine} with input as question([mine], 0)
		with data.privacy.deployment as {"grounds": {"self_access": true}}
		with data.privacy.grounds.self_access.permits as {mine, foreign}
}

test_without_data_nobody_is_permitted if {
	permission.permitted == set() with input as question([mine], 0)
		with data.privacy.deployment as {}
}

test_an_export_of_permitted_subjects_is_whole if {
	permission.whole with input as question([mine], 0)
		with data.privacy.deployment as both
}

test_an_export_without_records_is_whole if {
	permission.whole with input as question([], 0)
		with data.privacy.deployment as both
}

test_a_request_without_an_export_is_whole if {
	permission.whole with input as {"phase": "request", "caller": {"identifiers": [mine]}}
		with data.privacy.deployment as both
}

test_a_stranger_makes_it_partial if {
	not permission.whole with input as question([mine, foreign], 0)
		with data.privacy.deployment as both
}

test_a_record_without_an_owner_makes_it_partial if {
	not permission.whole with input as question([mine], 1)
		with data.privacy.deployment as both
}

test_every_ground_is_run_once_it_has_data if {
	grounds := {
		"self_access": true,
		"linked_account": {},
		"representative": {},
		"guardian": {},
		"consent": {},
		"case_officer": {},
		"participant": {},
	}
	object.keys(permission.grants) == object.keys(grounds) with input as question([mine], 0)
		with data.privacy.deployment as {"grounds": grounds}
}

test_what_a_case_permits_is_flagged if {
	permission.reasons == {"case_officer", "bulk_disclosure"} with input as question([foreign], 0)
		with data.privacy.deployment as {"grounds": {"case_officer": {}}}
		with data.privacy.grounds.case_officer.permits as {foreign}
}

test_reasons_name_the_grounds_that_permitted if {
	permission.reasons == {"self_access", "linked_account"} with input as question([mine, old], 0)
		with data.privacy.deployment as both
	permission.reasons == {"self_access"} with input as question([mine], 0)
		with data.privacy.deployment as both
}

test_reasons_name_what_stood_in_the_way if {
	permission.reasons == {"subject_not_permitted", "unattributed_records"} with input as question([foreign], 2)
		with data.privacy.deployment as both
}
