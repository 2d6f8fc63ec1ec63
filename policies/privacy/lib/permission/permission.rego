# METADATA
# title: Permission
# description: |
#   Puts the grounds together: a subject is permitted if any enabled ground permits it. A new ground
#   is a folder beside the others and a rule of `grants`; a ground that is not enabled is not run.
# schemas:
#   - input: schema.question
package privacy.lib.permission

# METADATA
# title: Grants
# scope: document
# description: Each enabled ground, and the subjects it permits.
grants["self_access"] := granted if {
	"self_access" in data.privacy.lib.deployment.enabled
	granted := data.privacy.grounds.self_access.permits
}

grants["linked_account"] := granted if {
	"linked_account" in data.privacy.lib.deployment.enabled
	granted := data.privacy.grounds.linked_account.permits
}

# METADATA
# title: Permitted
# description: The subjects asked about that some enabled ground permits.
permitted := union({granted | some granted in grants}) & data.privacy.lib.subjects.asked

# METADATA
# title: Foreign
# description: The subjects asked about that no enabled ground permits.
foreign := data.privacy.lib.subjects.asked - permitted

# METADATA
# title: Whole
# description: |
#   Nothing has to stay behind: every subject is permitted, and no record is without an owner. In
#   the request phase there is nothing yet, and an export without records is whole, too.
# scope: document
whole if input.phase == "request"

whole if {
	input.phase == "response"
	count(foreign) == 0
	input.payload.unattributed.records == 0
}

# METADATA
# title: Reasons
# description: The grounds that permitted somebody, and what keeps the export from being whole.
# scope: document
reasons contains ground if {
	some ground, granted in grants
	count(granted & data.privacy.lib.subjects.asked) > 0
}

reasons contains "subject_not_permitted" if count(foreign) > 0

reasons contains "unattributed_records" if input.payload.unattributed.records > 0
