package system.authz_test

import data.system.authz

test_a_decision_can_be_asked_for if {
	authz.allow with input as {"method": "POST", "path": ["v1", "data", "privacy", "decision"]}
}

test_health_and_policies_can_be_read if {
	authz.allow with input as {"method": "GET", "path": ["health"]}
	authz.allow with input as {"method": "GET", "path": ["v1", "policies"]}
}

test_nothing_can_be_changed_whoever_asks if {
	every method in ["PUT", "PATCH", "DELETE", "POST"] {
		not authz.allow with input as {"method": method, "path": ["v1", "policies"], "identity": "token"}
		not authz.allow with input as {"method": method, "path": ["v1", "data", "privacy"], "identity": "token"}
	}
}

test_nothing_else_can_be_read_or_asked if {
	not authz.allow with input as {"method": "GET", "path": ["v1", "data"], "identity": "token"}
	not authz.allow with input as {"method": "POST", "path": ["v1", "query"]}
}
