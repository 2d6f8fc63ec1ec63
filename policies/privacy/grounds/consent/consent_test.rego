package privacy.grounds.consent_test

import data.privacy.grounds.consent

provider := {"kind": "client", "value": "PSDDE-BAFIN-1"}

iban := {"kind": "iban", "value": "DE02120300000000202051"}

other := {"kind": "iban", "value": "DE02500105170137075030"}

question(identifier, claims) := {
	"exchange": {"received_at": "2026-06-01T12:00:00Z"},
	"caller": {"identifiers": [identifier], "actor": null, "claims": claims},
	"payload": {"subjects": [iban, other]},
}

settings(claim, changes) := {
	"claim": claim,
	"consents": {"client": {"string": {"PSDDE-BAFIN-1": {"c-1": object.union(
		{"resources": [iban], "expires_at": "2026-06-01T12:00:01Z", "revoked_at": null},
		changes,
	)}}}},
}

permitted(asked, data_) := found if {
	found := consent.permits with input as asked
		with data.privacy.deployment.grounds.consent as data_
}

test_a_recipient_gets_what_the_consent_covers_and_no_more if {
	permitted(question(provider, {}), settings(null, {})) == {iban}
}

test_another_recipient_gets_nothing if {
	permitted(question({"kind": "client", "value": "PSDDE-BAFIN-2"}, {}), settings(null, {})) == set()
	permitted(question({"kind": "account", "value": "PSDDE-BAFIN-1"}, {}), settings(null, {})) == set()
}

test_an_actor_gets_nothing if {
	asked := question(provider, {})
	acting := object.union(asked, {"caller": {"actor": {"id": "support-desk", "issuer": null}}})
	permitted(acting, settings(null, {})) == set()
}

test_where_the_token_must_name_the_consent_only_that_one_counts if {
	permitted(question(provider, {"consent_id": "c-1"}), settings("consent_id", {})) == {iban}
	permitted(question(provider, {"consent_id": "c-2"}), settings("consent_id", {})) == set()
	permitted(question(provider, {"consent_id": ["c-1"]}), settings("consent_id", {})) == set()
	permitted(question(provider, {"consent": "c-1"}), settings("consent_id", {})) == set()
	permitted(question(provider, {}), settings("consent_id", {})) == set()
}

test_that_no_claim_is_needed_must_be_said if {
	permitted(question(provider, {}), object.remove(settings(null, {}), ["claim"])) == set()
}

test_a_consent_ends if {
	permitted(question(provider, {}), settings(null, {"expires_at": "2026-06-01T12:00:00Z"})) == set()
	permitted(question(provider, {}), settings(null, {"expires_at": "9999-12-31T00:00:00Z"})) == set()
}

test_a_revoked_consent_does_not_count if {
	permitted(question(provider, {}), settings(null, {"revoked_at": "2026-06-01T12:00:00Z"})) == set()
	permitted(question(provider, {}), settings(null, {"revoked_at": "2026-05-01T12:00:00Z"})) == set()
	permitted(question(provider, {}), settings(null, {"revoked_at": "yes"})) == set()
	permitted(question(provider, {}), settings(null, {"revoked_at": true})) == set()
}

test_until_the_moment_of_its_revocation_it_counts if {
	permitted(question(provider, {}), settings(null, {"revoked_at": "2026-06-01T12:00:00.5Z"})) == {iban}
}

test_a_consent_that_says_nothing_about_revocation_does_not_count if {
	granted := {"resources": [iban], "expires_at": "2026-06-01T12:00:01Z"}
	data_ := {"claim": null, "consents": {"client": {"string": {"PSDDE-BAFIN-1": {"c-1": granted}}}}}
	permitted(question(provider, {}), data_) == set()
}

test_without_data_nobody_is_permitted if {
	permitted(question(provider, {}), {}) == set()
}
