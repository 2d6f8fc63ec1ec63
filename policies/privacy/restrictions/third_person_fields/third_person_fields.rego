# METADATA
# title: Third person's fields
# description: |
#   Fields about somebody else in the data subject's own records (chat partners, contacts, recipients)
#   stay behind. The deployment's data lists them by endpoint; an endpoint that isn't listed has none.
# custom:
#   legal_basis: GDPR Art. 15(4) (rights and freedoms of others)
# schemas:
#   - input: schema.question
#   - data.privacy.deployment: schema.deployment
package privacy.restrictions.third_person_fields

# METADATA
# title: Usable
# description: The deployment lists masks, and those of this endpoint are a list.
usable if {
	is_array(_masks)
	count(_listed) > 0
}

# METADATA
# title: Masks
# description: The fields to mask at this endpoint.
masks := data.privacy.lib.payload.concerned(_masks)

_listed := data.privacy.lib.deployment.settings.restrictions.third_person_fields.masks

_masks := object.get(_listed, input.endpoint.name, []) if is_object(_listed)
