"""The commands, put together."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from gateway.cli.commands import COMMANDS, made
from tests.conftest import REPOSITORY


@pytest.mark.parametrize("names", [COMMANDS, ("check",), ("log", "drain")])
def test_there_are_as_many_as_are_asked_for(names: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(made(names), ["--help"]).output
    assert {each for each in COMMANDS if f"│ {each} " in shown} == {*names}


@pytest.mark.parametrize("asked", [["--help"], ["--help", "run"], ["-h", "run"]])
def test_help_before_a_command_is_about_all_of_them(asked: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *asked],
        capture_output=True, text=True, cwd=REPOSITORY, check=True, timeout=60,
    )  # fmt: skip
    assert {each for each in COMMANDS if f"│ {each} " in done.stdout} == {*COMMANDS}
