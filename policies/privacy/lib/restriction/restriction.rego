# METADATA
# title: Restriction
# description: |
#   Puts the restrictions together: what any enabled one takes away stays behind, whoever owns it. A
#   new restriction is a folder beside the others and a rule of `acts`; one that is not enabled is not
#   run.
# schemas:
#   - input: schema.question
#   - data.privacy.deployment: schema.deployment
package privacy.lib.restriction

# METADATA
# title: Acts
# description: |
#   Each enabled restriction that has its data, the categories it withholds and the fields it masks.
acts := {name: act | # regal ignore:prefer-set-or-object-rule
	some name, setting in data.privacy.lib.deployment.settings.restrictions
	is_object(setting)
	act := _act(name)
}

_act("special_category") := act if {
	data.privacy.restrictions.special_category.usable
	act := {"withhold": data.privacy.restrictions.special_category.withholds, "mask": set()}
}

_act("entitled_categories") := act if {
	data.privacy.restrictions.entitled_categories.usable
	act := {"withhold": data.privacy.restrictions.entitled_categories.withholds, "mask": set()}
}

_act("third_person_fields") := act if {
	data.privacy.restrictions.third_person_fields.usable
	act := {"withhold": set(), "mask": data.privacy.restrictions.third_person_fields.masks}
}

_act("never_disclose") := act if {
	data.privacy.restrictions.never_disclose.usable
	act := {"withhold": set(), "mask": data.privacy.restrictions.never_disclose.masks}
}

# METADATA
# title: Missing
# description: |
#   The restrictions that don't act, though they aren't set to false: their data is missing or
#   malformed, or nobody knows their name.
missing contains name if {
	some name, setting in data.privacy.lib.deployment.settings.restrictions
	setting != false
	not acts[name]
}

# METADATA
# title: Reasons
# description: The restrictions that take something away.
reasons contains name if {
	data.privacy.lib.deployment.settings.restrictions
	some name, act in acts
	count(act.withhold) + count(act.mask) > 0
}
