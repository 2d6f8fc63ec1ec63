package privacy.grounds.self_access_test

import data.privacy.grounds.self_access

mine := {"kind": "account", "value": "A1"}

foreign := {"kind": "account", "value": "A9"}

question(identifiers, actor) := {
	"caller": {"identifiers": identifiers, "actor": actor},
	"payload": {"subjects": [mine, foreign]},
}

test_the_caller_is_permitted_and_a_stranger_is_not if {
	self_access.permits == {mine} with input as question([mine], null)
}

test_a_subject_nobody_asked_about_is_not_permitted if {
	other := {"kind": "account", "value": "A2"}
	self_access.permits == set() with input as question([other], null)
}

test_the_same_value_of_another_kind_is_another_subject if {
	namesake := {"kind": "email", "value": "A1"}
	self_access.permits == set() with input as question([namesake], null)
}

test_letters_are_not_folded if {
	lookalike := {"kind": "account", "value": "a1"}
	self_access.permits == set() with input as question([lookalike], null)
}

test_an_actor_is_not_the_subject if {
	self_access.permits == set() with input as question([mine], {"id": "support-desk", "issuer": null})
}

test_a_caller_without_identifiers_is_nobody if {
	self_access.permits == set() with input as question([], null)
}
