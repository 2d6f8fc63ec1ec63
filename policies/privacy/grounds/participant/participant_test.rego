package privacy.grounds.participant_test

import data.privacy.grounds.participant

me := {"kind": "account", "value": "A1"}

chat := {"kind": "conversation", "value": "C1"}

foreign := {"kind": "conversation", "value": "C9"}

question(identifier, actor) := {
	"exchange": {"received_at": "2026-06-01T12:00:00Z"},
	"caller": {"identifiers": [identifier], "actor": actor},
	"payload": {"subjects": [chat, foreign, {"kind": "account", "value": "C1"}]},
}

conversations(participant, end) := {"account": {"string": {participant: [
	object.union(chat, {"expires_at": end}),
	{"kind": "conversation", "value": "C2", "expires_at": null},
]}}}

permitted(asked, listed) := found if {
	found := participant.permits with input as asked
		with data.privacy.deployment.grounds.participant.conversations as listed
}

test_a_participant_gets_their_conversation_and_no_other if {
	permitted(question(me, null), conversations("A1", null)) == {chat}
}

test_who_does_not_take_part_gets_nothing if {
	permitted(question(me, null), conversations("A2", null)) == set()
	permitted(question({"kind": "email", "value": "A1"}, null), conversations("A1", null)) == set()
}

test_who_has_left_gets_nothing_any_more if {
	permitted(question(me, null), conversations("A1", "2026-06-01T12:00:01Z")) == {chat}
	permitted(question(me, null), conversations("A1", "2026-06-01T12:00:00Z")) == set()
}

test_an_actor_takes_part_in_nothing if {
	permitted(question(me, {"id": "support-desk", "issuer": null}), conversations("A1", null)) == set()
}

test_without_data_nobody_is_permitted if {
	permitted(question(me, null), {}) == set()
}
