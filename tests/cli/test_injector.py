"""`injector`: options that can't be used are one line."""

from pathlib import Path

import pytest

from tests.cli.conftest import typed

OWN = ("--name=a.b.svc", "--secret=n/s", "--webhook=w", "--api=https://127.0.0.1:1")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "--name"),
        (OWN[1:], "--name"),
        ((*OWN, "--listen=here"), "--listen"),
        ((*OWN, "--admin=127.0.0.1"), "--admin"),
        ((*OWN, "--drain=10"), "--drain"),
        ((*OWN, "--log-level=loud"), "--log-level"),
        ((*OWN, "--certificate=/c"), "--certificate"),
        ((*OWN[:3], "--api=http://127.0.0.1"), "--api"),
    ],
)
def test_options_that_can_not_be_used_are_one_line(given: tuple[str, ...], said: str) -> None:
    answer = typed("injector", "--sidecar", Path("sidecar.yaml"), *given)
    assert answer.exit_code == 2
    assert said in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_the_sidecar_must_be_named() -> None:
    assert typed("injector").exit_code == 2


def test_help_names_every_option() -> None:
    text = typed("injector", "--help").stdout
    for option in ("--sidecar", "--certificate", "--secret", "--webhook", "--lifetime", "--drain"):
        assert option in text
