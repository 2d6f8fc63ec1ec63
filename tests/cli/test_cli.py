"""The command line, as somebody types it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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
        ((), ["run", "check", "demo", "log", "Exit codes: 0"]),
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


def ran(*arguments: str | Path, **how: Any) -> subprocess.CompletedProcess[str]:
    """In a process of its own, as the console script does it."""
    command = [sys.executable, "-m", "gateway", *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
    return subprocess.run(command, text=True, check=False, **streams)


def test_it_runs_as_a_module() -> None:
    done = ran("--version")
    assert (done.returncode, done.stdout) == (0, f"privacy-gateway {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("explain",), "privacy-gateway explain: Missing option '--config' / '-c'."),
        (("explain", "--subjects", "x"), "Invalid value for '--subjects'"),
        (("mutate", "--limit", "-1"), "greater than or equal to 1"),
        (("infer", "--format", "pdf", "x"), "'--format': 'pdf' is not one of"),
        (("check", "--json=1"), "No such option: --json"),
        (("expalin",), "Did you mean 'explain'?"),
        (("infer", "no\nsuch\x1b[31m"), "no\ufffdsuch\ufffd[31m: can't be read"),
    ],
)
def test_what_is_typed_wrongly_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], said: str
) -> None:
    done = ran(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr and len(done.stderr.splitlines()) == 1


def test_an_output_that_cannot_be_written_is_one_line_and_exit_code_2() -> None:
    with Path("/dev/full").open("w") as full:
        done = ran("check", "--schema", stdout=full)
    assert done.returncode == 2
    assert done.stderr == "standard output: No space left on device\n"


def test_a_reader_that_has_seen_enough_is_no_reason_for_a_trace() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = ran("check", "--schema", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_terminal_without_utf_8_gets_ascii(config: Path) -> None:
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = ran("check", "--config", config, env=ascii_only)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii() and "orders" in done.stdout
