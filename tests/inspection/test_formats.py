"""The page on formats says of each what the table of formats says."""

import importlib.util
import re
from dataclasses import fields
from types import ModuleType

import pytest

from gateway.errors import Code
from gateway.inspection.formats import FORMATS
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.model import Format
from tests.conftest import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGE = (DOCS / "formats.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE[: PAGE.index("\n## ")].splitlines()
    if line.startswith("| `")
]


def generator() -> ModuleType:
    script = DOCS / "generate_formats.py"
    spec = importlib.util.spec_from_file_location("generate_formats", script)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_format_has_its_row_and_nothing_else_has_one() -> None:
    assert sorted(row[0].split("`")[1] for row in ROWS) == sorted(Format)
    assert {*FORMATS} <= {*Format}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_says_something_in_every_column(row: list[str]) -> None:
    heading = next(line for line in PAGE.splitlines() if line.startswith("| format | record"))
    assert len(row) == heading.count(" | ") + 1
    assert all(row)


def test_every_name_in_the_tables_exists() -> None:
    known = {each.name for spec in (BodySpec, MemberSpec, Limits) for each in fields(spec)}
    # The last two are an event's and JavaScript's.
    known |= {*Format} | {code.value for code in Code} | {"data", "__proto__"}
    words = {word for row in ROWS for word in re.findall(r"`([a-z_-]+)`", "".join(row))}
    assert words <= known, words - known


def test_the_settings_and_limits_are_those_of_the_code() -> None:
    assert generator().page(PAGE) == PAGE, "run: python docs/generate_formats.py"


def test_what_is_written_between_the_marks_is_written_anew() -> None:
    mark = "<!-- limits: written by docs/generate_formats.py; do not edit -->"
    stale = PAGE.replace(f"{mark}\n", f"{mark}\n\nstale\n")
    assert "stale" in stale and generator().page(stale) == PAGE
