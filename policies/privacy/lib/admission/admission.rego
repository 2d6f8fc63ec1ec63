# METADATA
# title: Admission
# description: Whether this caller may ask this endpoint at all. Checked in both phases.
# schemas:
#   - input: schema.question
#   - data.privacy.deployment: schema.deployment
package privacy.lib.admission

# METADATA
# title: Reasons
# scope: document
# description: |
#   What stands in the way: the caller has no identifier or not the endpoint's scopes, no ground is
#   enabled, or a restriction is that lacks its data. Where there is none, the caller is admitted.
reasons contains "no_ground_enabled" if count(data.privacy.lib.permission.grants) == 0

reasons contains "no_identifier" if count(data.privacy.lib.subjects.mine) == 0

reasons contains "scope_missing" if not _scoped

reasons contains "restriction_data_missing" if {
	data.privacy.lib.deployment.settings.restrictions
	count(data.privacy.lib.restriction.missing) > 0
}

_scoped if {
	required := object.get(data.privacy.lib.deployment.settings, ["scopes", input.endpoint.name], [])
	is_array(required)
	every scope in required {
		scope in input.caller.scopes
	}
}
