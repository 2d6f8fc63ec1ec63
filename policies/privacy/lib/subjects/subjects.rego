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
