package privacy.grounds.linked_account_test

import data.privacy.grounds.linked_account

new := {"kind": "account", "value": "A1"}

old := {"kind": "account", "value": "B7"}

foreign := {"kind": "account", "value": "A9"}

question(identifier, actor) := {
	"exchange": {"received_at": "2026-06-01T12:00:00.5Z"},
	"caller": {"identifiers": [identifier], "actor": actor},
	"payload": {"subjects": [old, foreign]},
}

links(caller, subject, end) := {"account": {"string": {caller: [object.union(subject, {"expires_at": end})]}}}

test_a_linked_subject_is_permitted_and_a_stranger_is_not if {
	linked_account.permits == {old} with input as question(new, null)
		with data.privacy.deployment.grounds.linked_account.links as links("A1", old, null)
}

test_a_link_goes_one_way if {
	linked_account.permits == set() with input as question(new, null)
		with data.privacy.deployment.grounds.linked_account.links as links("B7", new, null)
}

test_a_link_of_somebody_else_does_not_count if {
	linked_account.permits == set() with input as question(new, null)
		with data.privacy.deployment.grounds.linked_account.links as links("A2", old, null)
}

test_a_link_of_another_kind_or_type_does_not_count if {
	number := {"kind": "account", "value": 42}
	link := object.union(old, {"expires_at": null})
	linked_account.permits == set() with input as question(number, null)
		with data.privacy.deployment.grounds.linked_account.links as {"account": {"string": {"42": [link]}}}
	linked_account.permits == set() with input as question(number, null)
		with data.privacy.deployment.grounds.linked_account.links as {"email": {"number": {"42": [link]}}}
	linked_account.permits == {old} with input as question(number, null)
		with data.privacy.deployment.grounds.linked_account.links as {"account": {"number": {"42": [link]}}}
}

test_a_link_to_a_subject_nobody_asked_about_permits_nothing if {
	linked_account.permits == set() with input as question(new, null)
		with data.privacy.deployment.grounds.linked_account.links as links("A1", {"kind": "account", "value": "B8"}, null)
}

test_a_link_counts_before_it_expires if {
	linked_account.permits == {old} with input as question(new, null)
		with data.privacy.deployment.grounds.linked_account.links as links("A1", old, "2026-06-01T12:00:00.6Z")
}

test_a_link_does_not_count_once_it_expires if {
	linked_account.permits == set() with input as question(new, null)
		with data.privacy.deployment.grounds.linked_account.links as links("A1", old, "2026-06-01T12:00:00.5Z")
}

test_an_expiry_in_another_time_zone_is_the_same_moment if {
	linked_account.permits == set() with input as question(new, null)
		with data.privacy.deployment.grounds.linked_account.links as links("A1", old, "2026-06-01T14:00:00.5+02:00")
}

test_a_link_that_says_nothing_about_its_end_does_not_count if {
	linked_account.permits == set() with input as question(new, null)
		with data.privacy.deployment.grounds.linked_account.links as {"account": {"string": {"A1": [old]}}}
}

test_an_actor_has_no_linked_accounts if {
	linked_account.permits == set() with input as question(new, {"id": "support-desk", "issuer": null})
		with data.privacy.deployment.grounds.linked_account.links as links("A1", old, null)
}

test_without_links_nobody_is_permitted if {
	linked_account.permits == set() with input as question(new, null)
		with data.privacy.deployment as {"grounds": {"linked_account": {}}}
}
