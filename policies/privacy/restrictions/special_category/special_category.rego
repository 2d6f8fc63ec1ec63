# METADATA
# title: Special categories
# description: |
#   Records of a special category (health, religion, biometrics, ...) stay behind, whoever owns them,
#   but for those that the deployment excepts: by endpoint, by category, and with the exception of
#   Art. 9(2) that it rests on. The names of GDPR Art. 9(1) are always special; the deployment's data
#   adds its own.
# custom:
#   legal_basis: GDPR Art. 9(1) and (2)
# schemas:
#   - input: schema.question
#   - data.privacy.deployment: schema.deployment
package privacy.restrictions.special_category

# METADATA
# title: Usable
# description: The deployment says which of its categories are special besides; there may be none.
usable if is_array(data.privacy.lib.deployment.settings.restrictions.special_category.categories)

# METADATA
# title: Withholds
# description: The special categories seen that are not excepted at this endpoint.
withholds contains category if {
	some category in (data.privacy.lib.payload.categories & (_named | _own))
	not _excepted(category)
}

_named := {
	"biometric",
	"genetic",
	"health",
	"political_opinion",
	"racial_or_ethnic_origin",
	"religious_or_philosophical_belief",
	"sex_life",
	"sexual_orientation",
	"trade_union_membership",
}

_own contains category if {
	is_array(data.privacy.lib.deployment.settings.restrictions.special_category.categories)
	some category in data.privacy.lib.deployment.settings.restrictions.special_category.categories
}

_excepted(category) if {
	setting := data.privacy.lib.deployment.settings.restrictions.special_category
	basis := object.get(setting, ["exceptions", input.endpoint.name, category], null)
	is_string(basis)
	startswith(basis, "GDPR Art. 9(2)(")
}
