# METADATA
# title: Participant
# description: |
#   The record is a conversation, and the caller takes part in it: its subject is the conversation
#   (e.g. of the kind `conversation`), and the deployment's data lists the conversations under an
#   identifier of each participant, until they leave. What others wrote can be masked
#   (third_person_fields).
# custom:
#   legal_basis: GDPR Art. 15(1) and (3) with Art. 15(4)
# schemas:
#   - input: schema.question
#   - data.privacy.deployment: schema.deployment
package privacy.grounds.participant

# METADATA
# title: Permits
# description: The conversations asked about that the caller takes part in.
permits contains subject if {
	is_null(input.caller.actor)
	conversations := data.privacy.lib.deployment.settings.grounds.participant.conversations
	some conversation in data.privacy.lib.registers.entries(conversations)
	subject := {"kind": conversation.kind, "value": conversation.value}
	subject in data.privacy.lib.subjects.asked
	data.privacy.lib.moments.open(conversation.expires_at)
}
