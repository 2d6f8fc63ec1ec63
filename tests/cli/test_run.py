"""`run`: its options, and what it hands over."""

from pathlib import Path

import pytest

from gateway.cli.commands import made
from gateway.cli.console import answered
from gateway.config import Config
from tests.cli.conftest import typed


def test_run_hands_over_the_configuration(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["x", "run", "--config", str(config)])
    found = answered(made(["run"]), "x")
    assert isinstance(found, Config) and found.endpoints[0].name == "orders"


def test_a_faulty_configuration_is_exit_code_2_and_every_fault(config: Path) -> None:
    config.write_text("{}")
    result = typed("run", "--config", config)
    assert result.exit_code == 2
    assert "upstream: required, but missing" in result.stderr


def test_run_needs_a_configuration() -> None:
    assert typed("run").exit_code == 2
