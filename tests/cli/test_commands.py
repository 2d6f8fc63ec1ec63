"""The commands, put together."""

import pytest
from typer.testing import CliRunner

from gateway.cli.commands import COMMANDS, made


@pytest.mark.parametrize("names", [COMMANDS, ("check",), ("log", "drain")])
def test_there_are_as_many_as_are_asked_for(names: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(made(names), ["--help"]).output
    assert {each for each in COMMANDS if f"│ {each} " in shown} == {*names}
