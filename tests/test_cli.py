"""The command line, as somebody types it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway import __version__
from gateway.cli import commands
from gateway.config import Config, json_schema
from gateway.decisionlog.file import anchor_path
from tests.config.conftest import MINIMAL, folder
from tests.decisionlog.support import write_log

__all__ = ["folder"]

SECRET = b"a test key of at least 32 bytes."


def typed(*arguments: str | Path) -> Result:
    return CliRunner().invoke(commands, [str(each) for each in arguments], prog_name="x")


@pytest.fixture
def config(folder: Path) -> Path:
    path = folder / "gateway.yaml"
    path.write_text(MINIMAL)
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "decisions.jsonl"
    write_log(path, 5)
    key = tmp_path / "log-key"
    key.touch(0o600)
    key.write_bytes(SECRET)
    return path


# --- help, version ------------------------------------------------------------------------------


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


# --- check --------------------------------------------------------------------------------------


def test_a_good_configuration_is_summarized(config: Path) -> None:
    result = typed("check", "--config", config)
    assert result.exit_code == 0
    for word in (
        "orders", "/exports/orders", "json", "account: $.customer.id", "https://id.example.org",
        "RS256", "embedded", "127.0.0.1:8282", "no faults",
    ):  # fmt: skip
        assert word in result.stdout
    assert result.stderr == ""


def test_the_summary_says_whose_a_member_is(config: Path) -> None:
    body = (
        "{format: zip, members: ["
        "{match: manifest.json, format: json, records: '$.r[*]', subject: {account: $.a},"
        " vouches_for: $.f}, {match: '*.wav', attribution: manifest}, {match: '*.pdf'}]}"
    )
    archive = f"  - {{name: archive, path: /a, methods: [GET, POST], body: {body}}}\n"
    config.write_text(MINIMAL + archive)
    shown = " ".join(typed("check", "-c", config).stdout.split())
    for words in ("GET, POST /a", "manifest.json: account: $.a", "*.wav: manifest",
                  "*.pdf: unattributed"):  # fmt: skip
        assert words in shown


def test_every_fault_is_printed_with_its_line_and_a_caret(config: Path) -> None:
    config.write_text(MINIMAL.replace("format: json", "format: jsno") + "listn: x\n")
    result = typed("check", "--config", config)
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"{config}:13:20: endpoints[0].body.format: `jsno` is not one of")
    assert lines[0].endswith("did you mean `json`?")
    assert lines[1].lstrip().startswith("body: {format: jsno")
    assert lines[1][lines[2].index("^") :].startswith("jsno")
    assert lines[3] == f"{config}:14:1: listn: unknown key; did you mean `listen`?"
    assert lines[-1] == f"{config}: 2 faults"


def test_a_long_fault_stays_on_one_line(config: Path) -> None:
    config.write_text(MINIMAL.replace("RS256", "RS-256"))
    first = typed("check", "--config", config).stderr.splitlines()[0]
    assert len(first) > 120
    assert first.endswith("?")


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    result = typed("check", "--config", tmp_path / "nothing.yaml")
    assert result.exit_code == 2
    assert "can't be read: No such file or directory" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_environment_counts_as_it_does_for_run(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIVACY_GATEWAY_UPSTREAM", "https://other.example")
    assert "https://other.example" in typed("check", "--config", config).stdout
    monkeypatch.setenv("PRIVACY_GATEWAY_UPSTRAEM", "https://other.example")
    result = typed("check", "--config", config)
    assert result.exit_code == 2
    assert "did you mean `PRIVACY_GATEWAY_UPSTREAM`?" in result.stderr


def test_the_schema_is_printed_as_json() -> None:
    result = typed("check", "--schema")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json_schema()


def test_check_needs_one_of_its_two_options(config: Path) -> None:
    assert typed("check").exit_code == 2
    assert typed("check", "--schema", "--config", config).exit_code == 2


# --- run, demo ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1])
def test_run_hands_the_configuration_to_the_gateway(
    config: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    from gateway import app

    handed: list[Config] = []
    serve: Callable[[Config], int] = lambda settings: (handed.append(settings), code)[1]  # noqa: E731
    monkeypatch.setattr(app, "run", serve)
    assert typed("run", "--config", config).exit_code == code
    assert [settings.endpoints[0].name for settings in handed] == ["orders"]


def test_run_starts_nothing_with_a_faulty_configuration(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway import app

    monkeypatch.setattr(app, "run", lambda _: pytest.fail("it started"))
    config.write_text("{}")
    result = typed("run", "--config", config)
    assert result.exit_code == 2
    assert "upstream: required, but missing" in result.stderr


def test_run_needs_a_configuration() -> None:
    assert typed("run").exit_code == 2


@pytest.mark.parametrize(("option", "serve"), [([], False), (["--serve"], True)])
def test_the_demo_is_played(
    monkeypatch: pytest.MonkeyPatch, option: list[str], serve: bool
) -> None:
    from gateway import demo

    monkeypatch.setattr(demo, "run", lambda told: 0 if told is serve else 1)
    assert typed("demo", *option).exit_code == 0


# --- log verify ---------------------------------------------------------------------------------


def test_an_intact_log_is_ok_with_the_anchor_beside_it(log: Path) -> None:
    result = typed("log", "verify", log)
    assert result.exit_code == 0
    assert "OK: 5 entries" in result.stdout
    assert "up to 5 (seal NOT checked" in result.stdout


def test_with_the_key_the_seal_is_checked(log: Path, tmp_path: Path) -> None:
    result = typed("log", "verify", log, "--key-file", tmp_path / "log-key")
    assert result.exit_code == 0
    assert "(seal checked)" in result.stdout


def test_a_changed_log_is_not_ok(log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:2] + lines[3:]))
    result = typed("log", "verify", log)
    assert result.exit_code == 1
    assert "NOT OK: line 3: entry 3 is missing." in result.stdout


def test_a_cut_log_is_noticed_by_the_anchor_beside_it_or_by_a_copy(
    log: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "kept-elsewhere"
    anchor_path(log).rename(copy)
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:3]))
    assert typed("log", "verify", log).exit_code == 0
    assert "would not be noticed" in typed("log", "verify", log).stdout
    result = typed("log", "verify", log, "--anchor", copy)
    assert result.exit_code == 1
    assert "cut off" in result.stdout
    copy.rename(anchor_path(log))
    assert typed("log", "verify", log).exit_code == 1


def test_a_key_without_an_anchor_is_refused(log: Path, tmp_path: Path) -> None:
    anchor_path(log).unlink()
    result = typed("log", "verify", log, "--key-file", tmp_path / "log-key")
    assert result.exit_code == 2
    assert "no anchor" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing",),
        (".",),
        ("decisions.jsonl", "--anchor", "nothing"),
        ("decisions.jsonl", "--key-file", "nothing"),
        ("decisions.jsonl", "--key-file", "short"),
        (),
    ],
)
def test_what_can_not_be_read_is_one_clear_line_and_exit_code_2(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short").touch(0o600)
    result = typed("log", "verify", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert isinstance(result.exception, SystemExit)
