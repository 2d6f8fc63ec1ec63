"""What is written without pydantic is what pydantic checks and shows."""

import subprocess
import sys
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.constraints import After, Around, Before, Besides, Pattern, Shown
from tests.conftest import REPOSITORY


def _doubled(text: str) -> str:
    if text == "no":
        raise ValueError("not no")
    return text * 2


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def test_a_function_sees_the_value_before_or_after_its_type_does() -> None:
    assert TypeAdapter(Annotated[str, After(_doubled)]).validate_python("a") == "aa"
    adapter = TypeAdapter(Annotated[list[str], Before(_listed, shown=str | list[str])])
    assert adapter.validate_python("a") == adapter.validate_python(["a"]) == ["a"]
    assert [each["type"] for each in adapter.json_schema()["anyOf"]] == ["string", "array"]
    with pytest.raises(ValidationError, match="not no"):
        TypeAdapter(Annotated[str, After(_doubled)]).validate_python("no")


def test_a_pattern_is_held_and_shown() -> None:
    adapter = TypeAdapter(Annotated[str, Pattern("^a+$")])
    assert adapter.validate_python("aa") == "aa"
    assert adapter.json_schema() == {"type": "string", "pattern": "^a+$"}
    with pytest.raises(ValidationError, match="string_pattern_mismatch"):
        adapter.validate_python("ab")


def test_what_is_shown_replaces_the_schema_and_checks_nothing() -> None:
    adapter = TypeAdapter(Annotated[int, Shown({"type": "string"})])
    assert (adapter.validate_python(1), adapter.json_schema()) == (1, {"type": "string"})


def _whole(value: Any, made: Callable[[Any], Any]) -> Any:
    if value == "no":
        raise ValueError("not no")
    return made(0 if value is None else value)


def test_a_function_around_a_type_sees_the_value_and_makes_one_of_it() -> None:
    adapter = TypeAdapter(Annotated[int | str, Around(_whole, int)])
    assert (adapter.validate_python(None), adapter.validate_python(7)) == (0, 7)
    for wrong, said in (("no", "not no"), ("a", "int_parsing")):
        with pytest.raises(ValidationError, match=said) as found:
            adapter.validate_python(wrong)
        assert found.value.error_count() == 1  # a union would have one for each of its types


def test_what_is_shown_besides_checks_nothing_and_replaces_nothing() -> None:
    adapter = TypeAdapter(Annotated[tuple[int, ...], Besides({"minItems": 1})])
    assert adapter.validate_python(()) == ()
    shown = {"type": "array", "items": {"type": "integer"}, "minItems": 1}
    assert adapter.json_schema() == shown


def test_a_process_that_reads_bodies_does_without_pydantic() -> None:
    code = "import sys, gateway.inspection.process\nprint('pydantic' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
