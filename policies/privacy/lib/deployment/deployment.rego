# METADATA
# title: Deployment
# description: |
#   What this deployment's data at data.privacy.deployment enables. Missing or malformed data
#   enables nothing.
# schemas:
#   - input: schema.question
#   - data.privacy.deployment: schema.deployment
package privacy.lib.deployment

# METADATA
# title: Enabled grounds
# description: Grounds set to true, or to an object with their own data.
enabled contains name if {
	some name, setting in _settings.grounds
	type_name(setting) in {"boolean", "object"}
	setting != false
}

# METADATA
# title: Partial exports
# description: What to do with an export of which only a part may leave; block unless the endpoint says redact.
# scope: document
default partial := "block"

partial := "redact" if _settings.partial[input.endpoint.name] == "redact"

# METADATA
# title: Required scopes
# description: The scopes that a caller of this endpoint must hold; undefined where the data is malformed.
scopes := required if {
	required := object.get(_settings, ["scopes", input.endpoint.name], [])
	is_array(required)
}

# A mistyped key must not loosen anything: an unknown key could be a misspelt `scopes`.
_settings := settings if {
	settings := data.privacy.deployment
	object.subset({"grounds", "partial", "scopes"}, object.keys(settings))
	is_object(object.get(settings, "scopes", {}))
}
