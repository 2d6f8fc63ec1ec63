"""`log verify`, as somebody types it."""

from pathlib import Path

import pytest

from gateway.decisionlog.file import anchor_path
from tests.cli.conftest import typed
from tests.decisionlog.support import write_log

SECRET = b"a test key of at least 32 bytes."


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "decisions.jsonl"
    write_log(path, 5)
    key = tmp_path / "log-key"
    key.touch(0o600)
    key.write_bytes(SECRET)
    return path


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
