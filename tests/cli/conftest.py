"""A configuration without faults, and a way to type."""

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli.commands import made
from tests.config.conftest import MINIMAL, folder

__all__ = ["folder", "typed"]


def typed(*arguments: str | Path) -> Result:
    return CliRunner().invoke(made(), [str(each) for each in arguments], prog_name="x")


@pytest.fixture
def config(folder: Path) -> Path:
    path = folder / "gateway.yaml"
    path.write_text(MINIMAL)
    return path
