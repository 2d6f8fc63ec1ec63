# METADATA
# title: Subjects
# description: |
#   Subjects as bare references of kind and value, so that equal means equal in kind, type and
#   value: 42 and "42" are two subjects, and so are ME and me.
# schemas:
#   - input: schema.question
package privacy.lib.subjects

# METADATA
# title: Asked
# description: The distinct subjects that the payload holds records of. None in the request phase.
asked contains {"kind": subject.kind, "value": subject.value} if {
	some subject in input.payload.subjects
}

# METADATA
# title: Mine
# description: The verified identifiers of the caller.
mine contains {"kind": identifier.kind, "value": identifier.value} if {
	some identifier in input.caller.identifiers
}

# METADATA
# title: Addresses
# description: |
#   Where a register in the deployment's data holds what it knows under an identifier of the caller:
#   register[kind][type][text], where type is `string` or `number`. An address says the type, so that
#   it is as exact as the reference itself.
addresses contains [identifier.kind, type_name(identifier.value), sprintf("%v", [identifier.value])] if {
	some identifier in input.caller.identifiers
}
