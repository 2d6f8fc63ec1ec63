"""Which rules there are, and where they stand."""

import regorus

from gateway.workbench.syntax import Rule, metadata, rules

MODULE = """\
# METADATA
# title: A thing
# custom:
#   legal_basis: GDPR Art. 15
package privacy.thing

default effect := "block"

effect := "allow" if {
	input.x == 1
	input.y
} else := "redact" if {
	input.z
}

reasons contains "why" if input.w

by["name"] := 1

f(x) := x
"""


def parsed(text: str = MODULE) -> list[Rule]:
    engine = regorus.Engine()
    engine.add_policy("privacy/thing.rego", text)
    return list(rules(engine.get_ast_as_json()))


def test_every_rule_has_its_name_package_and_line() -> None:
    found = [(rule.name, rule.line) for rule in parsed()]
    assert found == [("effect", 7), ("effect", 9), ("reasons", 16), ("by", 18), ("f", 20)]
    assert {rule.package for rule in parsed()} == {("privacy", "thing")}


def test_constants_and_functions_are_told_apart() -> None:
    default, effect, reasons, by, function = parsed()
    assert (default.value, effect.value, reasons.key, by.key) == ("block", "allow", "why", None)
    assert function.is_function and not effect.is_function


def test_the_lines_of_every_body_are_known() -> None:
    assert parsed()[1].statements == ((10, 11), (13,))
    assert parsed()[1].lines == {9, 10, 11, 13}


def test_title_and_legal_basis_are_in_the_metadata_of_the_package() -> None:
    assert metadata(MODULE.split("\n")) == ("A thing", "GDPR Art. 15")
    assert metadata(["package privacy.x", "# METADATA", "# title: of a rule"]) == ("", "")
    assert metadata(["# title: long before", "", "package privacy.x"]) == ("", "")
