# METADATA
# title: Linked account
# description: |
#   The same person under another identifier, e.g. an account from before a merger. The deployment's
#   data lists the links under an identifier of the caller; each goes one way, to a subject, and ends
#   when it says.
# custom:
#   legal_basis: GDPR Art. 15(1) and (3) with Art. 12(6) (identity of the data subject confirmed)
# schemas:
#   - input: schema.question
#   - data.privacy.deployment: schema.deployment
package privacy.grounds.linked_account

# METADATA
# title: Permits
# description: The subjects asked about that a valid link leads to from an identifier of the caller.
permits contains subject if {
	is_null(input.caller.actor)
	links := data.privacy.lib.deployment.settings.grounds.linked_account.links
	some link in data.privacy.lib.registers.entries(links)
	subject := {"kind": link.kind, "value": link.value}
	subject in data.privacy.lib.subjects.asked
	data.privacy.lib.moments.open(link.expires_at)
}
