"""The command line, as somebody types it."""

import subprocess
import sys

import pytest

from gateway import __version__
from tests.cli.conftest import typed


@pytest.mark.parametrize("arguments", [(), ("log",)])
def test_without_a_command_there_is_help(arguments: tuple[str, ...]) -> None:
    result = typed(*arguments)
    assert "Usage:" in result.output
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ["run", "check", "demo", "log"]),
        (("run",), ["--config", "SIGTERM", "/readyz"]),
        (("check",), ["--config", "--schema", "touches no network"]),
        (("demo",), ["--serve"]),
        (("log", "verify"), ["--anchor", "--key-file"]),
    ],
)
def test_help_is_documentation(arguments: tuple[str, ...], words: list[str]) -> None:
    result = typed(*arguments, "--help")
    assert result.exit_code == 0
    assert all(word in " ".join(result.output.split()) for word in words)


def test_the_version_is_said() -> None:
    result = typed("--version")
    assert (result.exit_code, result.output) == (0, f"privacy-gateway {__version__}\n")


def test_it_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"privacy-gateway {__version__}\n"
