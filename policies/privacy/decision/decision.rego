# METADATA
# title: The decision
# description: |
#   The whole of this package is the answer to the gateway's question, so that it holds the six
#   fields of the answer and nothing else: one more rule here would be an unknown field, and refused.
#   It grants and never denies: what no enabled ground permits stays behind, and the default is block.
#   Grounds permit. Restrictions take away: where one does, an export that could leave whole is
#   redacted. What nobody permits is left out only where the endpoint's data says so.
#   Here and everywhere, other packages are named by their whole path: the embedded engine evaluates
#   every rule of a package that is imported, which took a quarter of a decision's time.
# entrypoint: true
# schemas:
#   - input: schema.question
#   - data.privacy.deployment: schema.deployment
package privacy.decision

default effect := "block"

effect := "allow" if {
	count(data.privacy.lib.admission.reasons) == 0
	data.privacy.lib.permission.whole
	count(data.privacy.lib.restriction.reasons) == 0
}

effect := "redact" if {
	count(data.privacy.lib.admission.reasons) == 0
	data.privacy.lib.permission.whole
	count(data.privacy.lib.restriction.reasons) > 0
}

effect := "redact" if {
	count(data.privacy.lib.admission.reasons) == 0
	not data.privacy.lib.permission.whole
	data.privacy.lib.deployment.partial == "redact"
	count(data.privacy.lib.permission.permitted) > 0
}

# METADATA
# title: Permitted subjects
# description: Those of the subjects asked about whose records may leave. A block permits nobody.
permitted contains subject if {
	effect != "block"
	some subject in data.privacy.lib.permission.permitted
}

# METADATA
# title: Unattributed records
# description: Records whose owner nobody knows never leave.
unattributed := "withhold"

# METADATA
# title: Withheld categories
# description: Categories that stay behind whoever owns them.
withhold contains category if {
	data.privacy.lib.deployment.settings.restrictions
	some act in data.privacy.lib.restriction.acts
	some category in act.withhold
}

# METADATA
# title: Masked fields
# description: Fields whose values stay behind.
mask contains field if {
	data.privacy.lib.deployment.settings.restrictions
	some act in data.privacy.lib.restriction.acts
	some field in act.mask
}

# METADATA
# title: Reasons
# description: |
#   Names of the grounds that permitted, of what stood in the way, and of the restrictions that took
#   something away.
reasons := union({
	data.privacy.lib.permission.reasons,
	data.privacy.lib.admission.reasons,
	data.privacy.lib.restriction.reasons,
})
