"""Tests mean on regorus what they mean on OPA once their replacements are hoisted."""

import json
import subprocess
from pathlib import Path

import pytest
import regorus

from gateway.workbench.hoisting import hoisted

HEAD = """\
package privacy.x_test

mine := {"kind": "account", "value": "A1"}

asked contains each if {
	some each in input.subjects
}

settings := {"mine": mine}

known contains each if {
	some each in data.privacy.settings
}

double(n) := n + n

triple(n) := (n + n) + n

"""


def separated(text: str) -> list[str]:
    return text.split("---\n")


TRUE = separated("""\
test_x if asked == {mine} with input as {"subjects": [mine]}
---
test_x if {
	asked == {mine} with input as {
		"subjects": [mine],
		"b": {"c": "d"},
	}
}
---
test_x if {
	asked == {mine} with input.subjects as [mine]
	known == {mine} with data.privacy.settings as settings
}
---
test_x if known == {mine} with input as {"a": mine} with data.privacy.settings as [mine]
---
test_x if "a" in asked with input as {"subjects": ["a"]}
---
test_x if double(2) == 6 with double as triple
---
test_x if count([1, 2]) == 4 with count as double_count

double_count(_) := 4
---
test_x if not mine in asked with input as {"subjects": []}
---
test_x if {
	every name in ["a", "b"] {
		asked == {name, mine} with input.subjects as [name, mine]
	}
}
---
test_x if {
	all := [each | asked == {mine} with input as {"subjects": [mine]}; each := mine]
	all == [mine]
}
---
test_x if {
	some name in ["b"]
	asked == {"ä", name} with input as {"subjects": ["ä", name]}
}
---
test_x if asked == {`q`, mine} with input as {`subjects`: [`q`, mine]}
---
test_x if {
	asked == set() with input as object.union({"subjects": []}, {"x": "y"})
}
""")

FALSE = separated("""\
test_x if asked == {mine} with input as {"subjects": [mine, "other"]}
---
test_x if not mine in asked with input as {"subjects": [mine]}
""")


def rewritten(text: str) -> str:
    engine = regorus.Engine()
    engine.add_policy("x_test.rego", text)
    return hoisted(text, engine.get_ast_as_json())


def value(text: str) -> object:
    engine = regorus.Engine()
    engine.add_policy("x_test.rego", text)
    rows = json.loads(engine.eval_query_as_json("data.privacy.x_test.test_x")).get("result")
    return rows[0]["expressions"][0]["value"] if rows else None


@pytest.mark.parametrize("test", TRUE)
def test_a_test_that_holds_holds(test: str) -> None:
    assert value(rewritten(HEAD + test)) is True


@pytest.mark.parametrize("test", FALSE)
def test_a_test_that_fails_fails(test: str) -> None:
    assert value(rewritten(HEAD + test)) is None


def test_without_it_regorus_would_forget_a_rule() -> None:
    assert value(HEAD + TRUE[0]) is None, "regorus is mended: this module can go"


def test_what_has_no_replacement_is_left_as_it_is() -> None:
    text = HEAD + "test_x if mine.value == `A1`\n"
    assert rewritten(text) == text


@pytest.mark.opa
def test_opa_reads_the_same_out_of_all_of_them(opa_binary: str, tmp_path: Path) -> None:
    for number, (test, holds) in enumerate(
        [*((each, True) for each in TRUE), *((each, False) for each in FALSE)]
    ):
        for text in (HEAD + test, rewritten(HEAD + test)):
            file = tmp_path / f"x{number}_test.rego"
            file.write_text(text)
            done = subprocess.run([opa_binary, "test", str(file)], capture_output=True, check=False)
            assert done.returncode == (0 if holds else 2), text
