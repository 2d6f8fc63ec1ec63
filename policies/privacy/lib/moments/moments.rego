# METADATA
# title: Moments
# description: |
#   Moments in the deployment's data, held against the arrival of the request, never against a clock:
#   a decision can be replayed.
# schemas:
#   - input: schema.question
package privacy.lib.moments

# METADATA
# title: Arrival
# description: When the request arrived, in nanoseconds.
arrival := time.parse_rfc3339_ns(input.exchange.received_at)

# METADATA
# title: Ahead
# description: |
#   Whether a moment lies ahead. What is no moment doesn't: engines read more or less than RFC 3339
#   (24:00, a comma, a leap second, a year that nanoseconds can't hold), so that its form is checked.
# scope: document
ahead(moment) if {
	regex.match(_form, moment)
	arrival < time.parse_rfc3339_ns(moment)
}

# METADATA
# title: Open
# description: Whether something with this end still holds. The end null is none.
# scope: document
open(end) if is_null(end)

open(end) if {
	is_string(end)
	ahead(end)
}

_form := concat("", [
	`^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])`,
	`T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?`,
	`(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`,
])
