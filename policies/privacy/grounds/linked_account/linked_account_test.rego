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

test_a_linked_subject_is_permitted_and_a_stranger_is_not if {
	link := {"caller": new, "subject": old}
	linked_account.permits == {old} with input as question(new, null)
		with data.privacy.deployment.grounds.linked_account.links as [link]
}

test_a_link_goes_one_way if {
	link := {"caller": old, "subject": new}
	linked_account.permits == set() with input as question(new, null)
		with data.privacy.deployment.grounds.linked_account.links as [link]
}

test_a_link_of_somebody_else_does_not_count if {
	link := {"caller": {"kind": "account", "value": "A2"}, "subject": old}
	linked_account.permits == set() with input as question(new, null)
		with data.privacy.deployment.grounds.linked_account.links as [link]
}

test_a_link_to_a_subject_nobody_asked_about_permits_nothing if {
	link := {"caller": new, "subject": {"kind": "account", "value": "B8"}}
	linked_account.permits == set() with input as question(new, null)
		with data.privacy.deployment.grounds.linked_account.links as [link]
}

test_a_link_counts_before_it_expires if {
	link := {"caller": new, "subject": old, "expires_at": "2026-06-01T12:00:00.6Z"}
	linked_account.permits == {old} with input as question(new, null)
		with data.privacy.deployment.grounds.linked_account.links as [link]
}

test_a_link_does_not_count_once_it_expires if {
	link := {"caller": new, "subject": old, "expires_at": "2026-06-01T12:00:00.5Z"}
	linked_account.permits == set() with input as question(new, null)
		with data.privacy.deployment.grounds.linked_account.links as [link]
}

test_an_expiry_in_another_time_zone_is_the_same_moment if {
	link := {"caller": new, "subject": old, "expires_at": "2026-06-01T14:00:00.5+02:00"}
	linked_account.permits == set() with input as question(new, null)
		with data.privacy.deployment.grounds.linked_account.links as [link]
}

test_an_actor_has_no_linked_accounts if {
	linked_account.permits == set() with input as question(new, {"id": "support-desk", "issuer": null})
		with data.privacy.deployment.grounds.linked_account as {"links": [{"caller": new, "subject": old}]}
}

test_without_links_nobody_is_permitted if {
	linked_account.permits == set() with input as question(new, null)
		with data.privacy.deployment as {"grounds": {"linked_account": true}}
}
