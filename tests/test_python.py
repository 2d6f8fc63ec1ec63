"""The Python that the gateway runs on reads patterns as its readers rely on."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


def test_a_possessive_group_gives_back_what_it_matched_in_part() -> None:
    """cpython issue 106052, mended in 3.11.5: a carriage return before a field's end was lost."""
    found = re.match(rb"([^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+)(?:\r?\n|\Z)", b"a\r\n\r\n")
    assert found and found[1] == b"a"


def test_an_older_python_is_refused_where_it_is_started() -> None:
    source = (REPOSITORY / "gateway" / "__init__.py").read_text()
    old = "import sys; sys.version_info = (3, 11, 4)\n"
    run = subprocess.run([sys.executable, "-c", old + source], capture_output=True, text=True)
    assert run.returncode != 0 and "needs Python 3.11.5 or newer" in run.stderr
    now = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert now.returncode == 0


@pytest.mark.parametrize("name", ["pyproject.toml", "Makefile", "README.md"])
def test_the_oldest_python_is_the_same_everywhere(name: str) -> None:
    text = Path(REPOSITORY / name).read_text()
    assert "3.11.5" in text or "(3, 11, 5)" in text
