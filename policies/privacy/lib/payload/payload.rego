# METADATA
# title: Payload
# description: What the payload holds besides subjects, as far as a restriction can know it.
# schemas:
#   - input: schema.question
package privacy.lib.payload

# METADATA
# title: Categories
# description: The categories of all records. Those of records without a category are not among them.
# scope: document
categories contains category if {
	some subject in input.payload.subjects
	some category in subject.categories
}

categories contains category if some category in input.payload.unattributed.categories

# METADATA
# title: Concerned
# description: |
#   Those of the masks that could find something: all but those whose first name is not the name of any
#   field (`fields` are the names at the top of the records; what is deeper, nobody knows). Readers that
#   fold case or trim take `SSN` for `ssn`, so that such a field counts, too, and the rewriting refuses
#   the body; and beyond ASCII, where looks are many, every mask counts.
concerned(masks) := {mask |
	is_array(masks)
	some mask in masks
	path := _path(mask)
	name := regex.replace(path, _first_name, "$1$2$3")
	true in {lower(trim(name, " ")) in _fields.names, name == path, _fields.beyond_ascii}
}

# A mask is a path, or an object that says what stands in its place. What is neither counts as ever: it
# makes an answer that nobody accepts.
_path(mask) := mask if is_string(mask)

_path(mask) := mask.path if _has_path(mask)

_path(mask) := "" if {
	not is_string(mask)
	not _has_path(mask)
}

# A rule of its own: a `not` before an expression that is undefined would be undefined itself.
_has_path(mask) if is_string(mask.path)

# `$.name…`, `$['name']…`, `$["name"]…` become name; a mask whose first name isn't plain, or is a
# wildcard, stays what it is.
_first_name := concat("", [
	`^\$(?:\.([A-Za-z_][A-Za-z0-9_]*)|\['([ -&(-\[\]-~]+)'\]|\["([ !#-\[\]-~]+)"\])`,
	`(?:[.\[][ -~]*)?$`,
])

# Without records there is nothing that a mask could find.
_fields := {"names": names, "beyond_ascii": beyond_ascii} if {
	input.payload.records > 0
	fields := object.get(input.payload, "fields", ["\u0000"])
	names := {lower(trim(name, " ")) | some name in fields}
	beyond_ascii := regex.match(`[^ -~]`, concat("", fields))
}
