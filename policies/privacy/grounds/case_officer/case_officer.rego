# METADATA
# title: Case officer
# description: |
#   Somebody in charge, e.g. the data protection officer, reads the data of a case. The token must
#   hold the role, and name the purpose and the case in the claims that the deployment's data says;
#   the data must hold that case, open, for that purpose, with its subjects and its end. What it
#   permits is flagged in the reasons as bulk_disclosure.
# custom:
#   legal_basis: GDPR Art. 38(2) and 39(1)(b) (access of the data protection officer), Art. 58(1)(e)
# schemas:
#   - input: schema.question
#   - data.privacy.deployment: schema.deployment
package privacy.grounds.case_officer

# METADATA
# title: Permits
# description: The subjects asked about that belong to the case.
permits contains subject if {
	is_null(input.caller.actor)
	some subject in (_subjects & data.privacy.lib.subjects.asked)
}

_subjects contains {"kind": subject.kind, "value": subject.value} if {
	data.privacy.lib.deployment.settings.grounds.case_officer.role in input.caller.roles
	id := input.caller.claims[data.privacy.lib.deployment.settings.grounds.case_officer.case_claim]
	cases := data.privacy.lib.deployment.settings.grounds.case_officer.cases
	case := object.get(cases, [id], null)
	is_object(case)
	case.status == "open"
	case.purpose == input.caller.claims[data.privacy.lib.deployment.settings.grounds.case_officer.purpose_claim]
	is_string(case.expires_at)
	data.privacy.lib.moments.ahead(case.expires_at)
	is_array(case.subjects)
	some subject in case.subjects
	is_object(subject)
}
