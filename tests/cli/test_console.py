"""What all commands share."""

from pathlib import Path

import pytest
import typer

from gateway.cli.console import UNUSABLE, give_up, loaded, unusable
from gateway.workbench.unusable import Unusable, pointed


def test_a_configuration_without_faults_is_loaded(config: Path) -> None:
    assert loaded(config).endpoints[0].name == "orders"


def test_a_faulty_one_ends_with_exit_code_2_and_says_what_and_where(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text("{}")
    with pytest.raises(typer.Exit) as ended:
        loaded(config)
    assert ended.value.exit_code == UNUSABLE
    assert "upstream: required, but missing" in capsys.readouterr().err


def test_giving_up_is_one_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        give_up("no such thing")
    assert ended.value.exit_code == UNUSABLE
    assert capsys.readouterr() == ("", "no such thing\n")


def test_an_unusable_input_shows_its_line_with_a_caret(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit) as ended:
        unusable(Unusable("not JSON", pointed("claims", "{,}", 1, 2)))
    assert ended.value.exit_code == UNUSABLE
    assert capsys.readouterr() == ("", "claims:1:2: not JSON\n    {,}\n     ^\n")
