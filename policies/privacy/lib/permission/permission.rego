# METADATA
# title: Permission
# description: |
#   Puts the grounds together: a subject is permitted if any enabled ground permits it. A new ground
#   is a folder beside the others and a rule of `_permits`; a ground that is not enabled is not run.
# schemas:
#   - input: schema.question
#   - data.privacy.deployment: schema.deployment
package privacy.lib.permission

# METADATA
# title: Grants
# description: Each enabled ground, and the subjects it permits; {} where none is (ADR 19).
grants := {ground: granted | # regal ignore:prefer-set-or-object-rule
	some ground, setting in data.privacy.lib.deployment.settings.grounds
	granted := _permits(ground, setting)
}

# One that is not enabled is not run: its rule is for its name and its setting only.
_permits("self_access", true) := data.privacy.grounds.self_access.permits

_permits("self_access", setting) := data.privacy.grounds.self_access.permits if is_object(setting)

_permits("linked_account", setting) := data.privacy.grounds.linked_account.permits if is_object(setting)

_permits("representative", setting) := data.privacy.grounds.representative.permits if is_object(setting)

_permits("guardian", setting) := data.privacy.grounds.guardian.permits if is_object(setting)

_permits("consent", setting) := data.privacy.grounds.consent.permits if is_object(setting)

_permits("case_officer", setting) := data.privacy.grounds.case_officer.permits if is_object(setting)

_permits("participant", setting) := data.privacy.grounds.participant.permits if is_object(setting)

# METADATA
# title: Permitted
# description: The subjects asked about that some enabled ground permits.
permitted := union({granted | some granted in grants}) & data.privacy.lib.subjects.asked

# METADATA
# title: Whole
# description: |
#   Nobody stands in the way: every subject is permitted, and no record is without an owner. In the
#   request phase there is nothing yet, and an export without records is whole, too.
# scope: document
whole if input.phase == "request"

whole if {
	input.phase == "response"
	count(permitted) == count(data.privacy.lib.subjects.asked)
	input.payload.unattributed.records == 0
}

# METADATA
# title: Reasons
# description: The grounds that permitted somebody, and what keeps the export from being whole.
# scope: document
reasons contains ground if {
	some ground, granted in grants
	count(granted & permitted) > 0
}

reasons contains "bulk_disclosure" if count(grants.case_officer & permitted) > 0

reasons contains "subject_not_permitted" if count(permitted) < count(data.privacy.lib.subjects.asked)

reasons contains "unattributed_records" if input.payload.unattributed.records > 0
