# METADATA
# title: Admission
# description: Whether this caller may ask this endpoint at all. Checked in both phases.
# schemas:
#   - input: schema.question
package privacy.lib.admission

# METADATA
# title: Admitted
# description: The caller has an identifier and the endpoint's scopes, and some ground is enabled.
admitted if count(reasons) == 0

# METADATA
# title: Reasons
# scope: document
# description: What stands in the way.
reasons contains "no_ground_enabled" if count(data.privacy.lib.deployment.enabled) == 0

reasons contains "no_identifier" if count(data.privacy.lib.subjects.mine) == 0

reasons contains "scope_missing" if not _scoped

_scoped if {
	every scope in data.privacy.lib.deployment.scopes {
		scope in input.caller.scopes
	}
}
