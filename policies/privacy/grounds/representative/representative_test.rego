package privacy.grounds.representative_test

import data.privacy.grounds.representative

principal := {"kind": "account", "value": "A1"}

foreign := {"kind": "account", "value": "A9"}

agent := {"id": "agent-7", "issuer": "https://partners.example.org"}

delegations := {"https://partners.example.org": {"account": {"string": {"A1": {"agent-7": "2026-06-01T12:00:01Z"}}}}}

until(end) := {"https://partners.example.org": {"account": {"string": {"A1": {"agent-7": end}}}}}

question(identifier, actor) := {
	"exchange": {"received_at": "2026-06-01T12:00:00Z"},
	"caller": {"issuer": "https://id.example.org", "identifiers": [identifier], "actor": actor},
	"payload": {"subjects": [principal, foreign]},
}

permitted(asked, granted) := found if {
	found := representative.permits with input as asked
		with data.privacy.deployment.grounds.representative.delegations as granted
}

test_who_acts_for_a_data_subject_that_delegated_to_them_is_permitted if {
	permitted(question(principal, agent), delegations) == {principal}
}

test_without_an_actor_nobody_represents if {
	permitted(question(principal, null), delegations) == set()
}

test_another_actor_is_not_permitted if {
	every actor in [
		{"id": "agent-8", "issuer": "https://partners.example.org"},
		{"id": "agent-7", "issuer": "https://other.example.org"},
		{"id": "AGENT-7", "issuer": "https://partners.example.org"},
		{"id": "agent-7", "issuer": "https://partners.example.org/"},
	] {
		permitted(question(principal, actor), delegations) == set()
	}
}

test_a_delegation_by_somebody_else_does_not_count if {
	permitted(question(foreign, agent), delegations) == set()
	granted := {"https://partners.example.org": {"account": {"string": {"A9": {"agent-7": "2027-01-01T00:00:00Z"}}}}}
	permitted(question(principal, agent), granted) == set()
}

test_an_actor_without_an_issuer_is_known_to_the_issuer_of_the_token if {
	own := {"https://id.example.org": delegations["https://partners.example.org"]}
	actor := {"id": "agent-7", "issuer": null}
	permitted(question(principal, actor), own) == {principal}
	permitted(question(principal, actor), delegations) == set()
}

test_a_delegation_ends if {
	permitted(question(principal, agent), until("2026-06-01T12:00:00.000000001Z")) == {principal}
	permitted(question(principal, agent), until("2026-06-01T12:00:00Z")) == set()
}

test_a_delegation_without_an_end_does_not_count if {
	permitted(question(principal, agent), until("never")) == set()
}

test_a_number_and_its_text_are_two_subjects if {
	number := {"kind": "account", "value": 42}
	asked := object.union(question(number, agent), {"payload": {"subjects": [number]}})
	entry := {"42": {"agent-7": "2027-01-01T00:00:00Z"}}
	permitted(asked, {"https://partners.example.org": {"account": {"string": entry}}}) == set()
	permitted(asked, {"https://partners.example.org": {"account": {"number": entry}}}) == {number}
}

test_without_delegations_nobody_is_permitted if {
	permitted(question(principal, agent), {}) == set()
}
