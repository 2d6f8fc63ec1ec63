package privacy.grounds.case_officer_test

import data.privacy.grounds.case_officer

first := {"kind": "account", "value": "A1"}

second := {"kind": "account", "value": "A2"}

foreign := {"kind": "account", "value": "A9"}

caller := {
	"identifiers": [{"kind": "account", "value": "dpo"}],
	"actor": null,
	"roles": ["staff", "dpo"],
	"claims": {"purpose": "breach-inquiry", "case": "2026-17"},
}

question(changes) := {
	"exchange": {"received_at": "2026-06-01T12:00:00Z"},
	"caller": object.union(caller, changes),
	"payload": {"subjects": [first, foreign]},
}

settings(changes) := {
	"role": "dpo",
	"purpose_claim": "purpose",
	"case_claim": "case",
	"cases": {"2026-17": object.union(
		{
			"purpose": "breach-inquiry",
			"status": "open",
			"subjects": [first, second],
			"expires_at": "2026-06-01T12:00:01Z",
		},
		changes,
	)},
}

permitted(caller_changes, case_changes) := found if {
	found := case_officer.permits with input as question(caller_changes)
		with data.privacy.deployment.grounds.case_officer as settings(case_changes)
}

test_the_subjects_of_the_case_are_permitted_and_others_are_not if {
	permitted({}, {}) == {first}
}

test_without_the_role_nobody_is_permitted if {
	permitted({"roles": []}, {}) == set()
	permitted({"roles": ["DPO", "dpo "]}, {}) == set()
}

test_the_purpose_must_be_that_of_the_case if {
	permitted({"claims": {"purpose": "marketing"}}, {}) == set()
	permitted({"claims": {"purpose": null}}, {}) == set()
	permitted({}, {"purpose": "audit"}) == set()
}

test_without_a_purpose_nobody_is_permitted if {
	asked := json.remove(question({}), ["caller/claims/purpose"])
	case_officer.permits == set() with input as asked
		with data.privacy.deployment.grounds.case_officer as settings({})
	without := json.remove(settings({}), ["cases/2026-17/purpose"])
	case_officer.permits == set() with input as asked
		with data.privacy.deployment.grounds.case_officer as without
}

test_the_case_must_be_known if {
	permitted({"claims": {"case": "2026-18"}}, {}) == set()
	permitted({"claims": {"case": ["2026-17"]}}, {}) == set()
	permitted({"claims": {"case": 17}}, {}) == set()
}

test_without_a_case_nobody_is_permitted if {
	asked := json.remove(question({}), ["caller/claims/case"])
	case_officer.permits == set() with input as asked
		with data.privacy.deployment.grounds.case_officer as settings({})
}

test_a_case_that_is_not_open_permits_nobody if {
	permitted({}, {"status": "closed"}) == set()
	permitted({}, {"status": true}) == set()
}

test_a_case_ends if {
	permitted({}, {"expires_at": "2026-06-01T12:00:00Z"}) == set()
}

test_an_actor_is_no_case_officer if {
	permitted({"actor": {"id": "support-desk", "issuer": null}}, {}) == set()
}

test_without_data_nobody_is_permitted if {
	case_officer.permits == set() with input as question({})
		with data.privacy.deployment.grounds.case_officer as {}
}
