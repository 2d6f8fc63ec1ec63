# METADATA
# title: Self access
# description: |
#   The data subject asks for their own data: the caller holds, verified, the very identifier that
#   the records name. When an actor acts for the caller it is not the subject who would receive the
#   data, and this ground permits nobody.
# custom:
#   legal_basis: GDPR Art. 15(1) and (3), Art. 20(1)
# schemas:
#   - input: schema.question
package privacy.grounds.self_access

# METADATA
# title: Permits
# description: The subjects that are the caller.
permits contains subject if {
	is_null(input.caller.actor)
	some subject in (data.privacy.lib.subjects.asked & data.privacy.lib.subjects.mine)
}
