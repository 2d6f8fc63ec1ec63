"""What can't be written is one line."""

import sys
from io import BytesIO, TextIOWrapper

import pytest

from gateway.cli.output import UNUSABLE, written


def test_what_a_command_comes_to_is_handed_on() -> None:
    assert written(lambda: "found") == "found"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "standard output: No space left on device\n"),
        (
            OSError(13, "Permission denied", "a\nb"),
            "a\N{REPLACEMENT CHARACTER}b: Permission denied\n",
        ),
    ],
)
def test_what_the_system_refuses_is_one_line_and_exit_code_2(
    error: OSError, said: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def command() -> int:
        raise error

    monkeypatch.setattr("os.dup2", lambda *_: None)  # the test's own output goes on
    assert written(command) == UNUSABLE
    assert capfd.readouterr().err == said


def test_a_terminal_without_utf_8_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(terminal, "ascii", write_through=True))
    written(lambda: print("é"))
    assert terminal.getvalue() == b"\\xe9\n"
