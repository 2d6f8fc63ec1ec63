"""`run`, as somebody types it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import early
from gateway.config import Config
from tests.cli.conftest import typed


@pytest.mark.parametrize("code", [0, 1])
def test_run_hands_the_configuration_to_the_gateway(
    config: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    from gateway import life

    begun: list[Config | str] = []
    monkeypatch.setattr(early, "begin_certain", lambda: begun.append("certain"))
    monkeypatch.setattr(early, "begin_others", begun.append)
    handed: list[Config] = []
    serve: Callable[[Config], int] = lambda settings: (handed.append(settings), code)[1]  # noqa: E731
    monkeypatch.setattr(life, "run", serve)
    assert typed("run", "--config", config).exit_code == code
    assert [settings.endpoints[0].name for settings in handed] == ["orders"]
    assert begun == ["certain", *handed]


def test_run_starts_nothing_with_a_faulty_configuration(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway import life

    monkeypatch.setattr(life, "run", lambda _: pytest.fail("it started"))
    monkeypatch.setattr(early, "begin_certain", lambda: None)
    monkeypatch.setattr(early, "begin_others", lambda _: pytest.fail("its children started"))
    config.write_text("{}")
    result = typed("run", "--config", config)
    assert result.exit_code == 2
    assert "upstream: required, but missing" in result.stderr


def test_where_there_is_no_room_for_another_process_that_is_said(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(early, "begin_certain", refused)
    result = typed("run", "--config", config)
    assert result.exit_code == 1
    assert result.stderr == "no room for another process: Resource temporarily unavailable\n"


def test_run_needs_a_configuration() -> None:
    assert typed("run").exit_code == 2
