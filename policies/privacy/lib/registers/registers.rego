# METADATA
# title: Registers
# description: |
#   A register in the deployment's data is register[kind][type][text]: what is known under an
#   identifier, found without a search (see `subjects.addresses`). Malformed entries are no entries,
#   said so because engines disagree on what the field of a text or the element of a number is.
# schemas:
#   - input: schema.question
package privacy.lib.registers

# METADATA
# title: Entries
# description: The objects that a register lists under the identifiers of the caller.
entries(register) := [entry |
	some address in data.privacy.lib.subjects.addresses
	listed := object.get(register, address, [])
	is_array(listed)
	some entry in listed
	is_object(entry)
]
