# METADATA
# title: Who may do what with OPA itself
# description: |
#   For an OPA beside the gateway, started with `--authentication=token --authorization=basic` and
#   with this bundle beside the policies' own. Whoever reaches its port may ask for a decision, look
#   whether OPA is well, and read the policies, as the gateway does before it trusts them. Everything
#   else is refused, with a token or without: policies and data come in bundles, and no other way.
# entrypoint: true
package system.authz

default allow := false

allow if {
	input.method == "POST"
	input.path == ["v1", "data", "privacy", "decision"]
}

allow if {
	input.method == "GET"
	input.path in [["health"], ["v1", "policies"]]
}
