# METADATA
# title: Representative
# description: |
#   Somebody acts for the data subject. The token says for whom (its subject) and who acts (`act`,
#   RFC 8693), and the deployment's data must delegate from that very subject to that very actor, for
#   a time that has an end. The one who acts is named with the issuer that knows them by that name;
#   an actor without an issuer is known to the issuer of the token. It is the only ground that counts
#   for a token with an actor.
# custom:
#   legal_basis: GDPR Art. 15(1) and (3) with Art. 12(2) and (6), Art. 80(1)
# schemas:
#   - input: schema.question
#   - data.privacy.deployment: schema.deployment
package privacy.grounds.representative

# METADATA
# title: Permits
# description: The subjects that are the caller, and have delegated to the actor.
permits contains subject if {
	delegations := data.privacy.lib.deployment.settings.grounds.representative.delegations
	some subject in (data.privacy.lib.subjects.asked & data.privacy.lib.subjects.mine)
	[kind, type, text] := [subject.kind, type_name(subject.value), sprintf("%v", [subject.value])]
	end := object.get(delegations, [_issuer, kind, type, text, input.caller.actor.id], null)
	is_string(end)
	data.privacy.lib.moments.ahead(end)
}

_issuer := input.caller.actor.issuer if is_string(input.caller.actor.issuer)

_issuer := input.caller.issuer if is_null(input.caller.actor.issuer)
