# METADATA
# title: Never disclosed
# description: |
#   Fields that leave for nobody, not even for the one they are about: social security numbers,
#   account passwords, answers to security questions, biometric templates. The deployment's data lists
#   them for all endpoints, written as its exports write them.
# custom:
#   legal_basis: CCPA Regulations § 7024(d) (11 CCR); GDPR Art. 32
# schemas:
#   - input: schema.question
#   - data.privacy.deployment: schema.deployment
package privacy.restrictions.never_disclose

# METADATA
# title: Usable
# description: The deployment lists masks.
usable if {
	is_array(data.privacy.lib.deployment.settings.restrictions.never_disclose.masks)
	count(data.privacy.lib.deployment.settings.restrictions.never_disclose.masks) > 0
}

# METADATA
# title: Masks
# description: The fields to mask.
masks := data.privacy.lib.payload.concerned(data.privacy.lib.deployment.settings.restrictions.never_disclose.masks)
