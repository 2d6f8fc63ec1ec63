# METADATA
# title: Guardian
# description: |
#   A guardian asks for a child's data. The deployment's data lists the wards under an identifier of
#   the guardian, each with birth date and jurisdiction, and up to what age a guardian may ask there.
#   On the birthday that ends it the child asks alone: from the moment the day begins anywhere (at
#   UTC+14), and for one born on a 29 February on 1 March.
# custom:
#   legal_basis: GDPR Art. 15(1) and (3), exercised by the holder of parental responsibility (Art. 8, recital 38)
# schemas:
#   - input: schema.question
#   - data.privacy.deployment: schema.deployment
package privacy.grounds.guardian

# METADATA
# title: Permits
# description: The subjects asked about that are wards of the caller, and young enough.
permits contains subject if {
	is_null(input.caller.actor)
	wards := data.privacy.lib.deployment.settings.grounds.guardian.wards
	some ward in data.privacy.lib.registers.entries(wards)
	subject := {"kind": ward.kind, "value": ward.value}
	subject in data.privacy.lib.subjects.asked
	data.privacy.lib.moments.open(ward.expires_at)
	_young(ward)
}

# Days as numbers such as 20260601: a year later is 10000 more, on the same day.
_young(ward) if {
	limit := object.get(data.privacy.lib.deployment.settings.grounds.guardian.age_limits, [ward.jurisdiction], null)
	limit in numbers.range(1, 21)
	regex.match(`^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`, ward.born)
	born := to_number(replace(ward.born, "-", ""))
	born <= _today
	_today < born + (limit * 10000)
}

_today := ((year * 10000) + (month * 100)) + day if {
	[year, month, day] := time.date(data.privacy.lib.moments.arrival + _utc_plus_14)
}

_utc_plus_14 := ((14 * 60) * 60) * 1000000000
