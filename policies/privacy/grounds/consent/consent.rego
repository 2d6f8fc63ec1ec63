# METADATA
# title: Consent
# description: |
#   Somebody else receives the data, because the data subject agreed: e.g. an account information
#   service under PSD2. The deployment's data lists the consents under an identifier of the recipient,
#   who is the caller; each names the resources it covers (e.g. IBANs), ends, and may be revoked.
#   Where `claim` names a claim of the token, only the consent that the token names there counts.
# custom:
#   legal_basis: GDPR Art. 6(1)(a) and 7, Art. 20(2); PSD2 (Directive (EU) 2015/2366) Art. 67
# schemas:
#   - input: schema.question
#   - data.privacy.deployment: schema.deployment
package privacy.grounds.consent

# METADATA
# title: Permits
# description: The subjects asked about that a valid consent to the caller covers.
permits contains subject if {
	is_null(input.caller.actor)
	consents := data.privacy.lib.deployment.settings.grounds.consent.consents
	some address in data.privacy.lib.subjects.addresses
	given := object.get(consents, address, {})
	is_object(given)
	some id, consent in given
	_named(id)
	is_object(consent)
	is_string(consent.expires_at)
	data.privacy.lib.moments.ahead(consent.expires_at)
	data.privacy.lib.moments.open(consent.revoked_at)
	is_array(consent.resources)
	some resource in consent.resources
	is_object(resource)
	subject := {"kind": resource.kind, "value": resource.value}
	subject in data.privacy.lib.subjects.asked
}

# Null must be said: where the key is missing or misspelt, no consent counts.
_named(_) if is_null(data.privacy.lib.deployment.settings.grounds.consent.claim)

_named(id) if id == input.caller.claims[data.privacy.lib.deployment.settings.grounds.consent.claim]
