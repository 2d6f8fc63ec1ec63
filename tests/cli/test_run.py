"""`run`, as somebody types it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config import Config
from tests.cli.conftest import typed


@pytest.mark.parametrize("code", [0, 1])
def test_run_hands_the_configuration_to_the_gateway(
    config: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    from gateway import life

    handed: list[Config] = []
    serve: Callable[[Config], int] = lambda settings: (handed.append(settings), code)[1]  # noqa: E731
    monkeypatch.setattr(life, "run", serve)
    assert typed("run", "--config", config).exit_code == code
    assert [settings.endpoints[0].name for settings in handed] == ["orders"]


def test_run_starts_nothing_with_a_faulty_configuration(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway import life

    monkeypatch.setattr(life, "run", lambda _: pytest.fail("it started"))
    config.write_text("{}")
    result = typed("run", "--config", config)
    assert result.exit_code == 2
    assert "upstream: required, but missing" in result.stderr


def test_run_needs_a_configuration() -> None:
    assert typed("run").exit_code == 2
