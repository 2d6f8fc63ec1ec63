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
# title: Settings
# description: |
#   The whole document, where its sections are known and are objects. A mistyped key must not loosen
#   anything: an unknown one could be a misspelt `scopes` or `restrictions`.
settings := found if {
	found := data.privacy.deployment
	every name, section in found {
		name in {"grounds", "partial", "restrictions", "scopes"}
		is_object(section)
	}
}

# METADATA
# title: Partial exports
# description: What to do with an export of which only a part may leave; block unless the endpoint says redact.
# scope: document
default partial := "block"

partial := "redact" if settings.partial[input.endpoint.name] == "redact"
