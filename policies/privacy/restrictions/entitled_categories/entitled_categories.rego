# METADATA
# title: Entitled categories
# description: |
#   Records of a category stay behind unless the caller holds what entitles to it, whoever owns them
#   and whatever identifiers they carry: who has no voice device gets no voice records. Each category
#   needs the entitlement that the deployment's data names, or none where it is listed as open; one
#   that the data doesn't know stays behind.
# custom:
#   legal_basis: GDPR Art. 5(1)(f) and 32 (confidentiality), Art. 5(1)(d) (accuracy)
# schemas:
#   - input: schema.question
#   - data.privacy.deployment: schema.deployment
package privacy.restrictions.entitled_categories

# METADATA
# title: Usable
# description: The deployment says which entitlement each category needs, and who holds which.
usable if {
	is_object(data.privacy.lib.deployment.settings.restrictions.entitled_categories.required)
	is_object(data.privacy.lib.deployment.settings.restrictions.entitled_categories.holders)
}

# METADATA
# title: Withholds
# description: The categories seen that the caller is not entitled to.
withholds contains category if {
	some category in data.privacy.lib.payload.categories
	not _entitled(category)
}

_entitled(category) if category in _open

# A rule of its own: a `not` before an expression that is undefined would be undefined itself.
_entitled(category) if data.privacy.lib.deployment.settings.restrictions.entitled_categories.required[category] in _held

_open contains category if {
	is_array(data.privacy.lib.deployment.settings.restrictions.entitled_categories.open)
	some category in data.privacy.lib.deployment.settings.restrictions.entitled_categories.open
}

_held contains entitlement if {
	holders := data.privacy.lib.deployment.settings.restrictions.entitled_categories.holders
	some address in data.privacy.lib.subjects.addresses
	held := object.get(holders, address, [])
	is_array(held)
	some entitlement in held
}
