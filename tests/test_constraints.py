"""What is written without pydantic is what pydantic checks and shows."""

import subprocess
import sys
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.constraints import After, Before, Pattern, Shown
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


def test_a_process_that_reads_bodies_does_without_pydantic() -> None:
    code = "import sys, gateway.inspection.process\nprint('pydantic' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
