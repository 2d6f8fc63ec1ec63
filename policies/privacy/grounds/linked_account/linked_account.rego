# METADATA
# title: Linked account
# description: |
#   The same person under another identifier, e.g. an account from before a merger. The deployment's
#   data lists the links; each goes one way, from an identifier of the caller to a subject, and may
#   expire. The time is the arrival of the request, so that a decision can be replayed.
# custom:
#   legal_basis: GDPR Art. 15(1) and (3) with Art. 12(6) (identity of the data subject confirmed)
# schemas:
#   - input: schema.question
#   - data.privacy.deployment: schema.deployment
package privacy.grounds.linked_account

# METADATA
# title: Permits
# description: The subjects asked about that a valid link leads to from an identifier of the caller.
permits contains link.subject if {
	is_null(input.caller.actor)
	some link in data.privacy.deployment.grounds.linked_account.links
	link.caller in data.privacy.lib.subjects.mine
	link.subject in data.privacy.lib.subjects.asked
	_valid(link)
}

_valid(link) if not "expires_at" in object.keys(link)

_valid(link) if {
	time.parse_rfc3339_ns(input.exchange.received_at) < time.parse_rfc3339_ns(link.expires_at)
}
