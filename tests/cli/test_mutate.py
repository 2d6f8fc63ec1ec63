"""`mutate`, as somebody types it."""

import json
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.conftest import typed
from tests.workbench.conftest import config_file
from tests.workbench.mutate.support import exported, lines, spoiled

__all__ = ["config_file"]

EQUAL = "mine.value == subject.value"


@pytest.fixture
def body(tmp_path: Path) -> Path:
    file = tmp_path / "voice.ndjson"
    file.write_bytes(lines("A1", "A9", "A1"))
    return file


def mutate(
    config: Path, *bodies: Path, endpoint: str = "voice", more: tuple[str, ...] = ()
) -> Result:
    options = [each for file in bodies for each in ("--body", str(file))]
    return typed(
        "mutate", "--config", config, "-e", endpoint, "--claims", '{"sub": "A1"}', *options, *more
    )


def test_a_policy_that_notices_everything_is_exit_code_0(config_file: Path, body: Path) -> None:
    result = mutate(config_file, body)
    assert result.exit_code == 0, result.output
    for words in ("owner", "lookalike", "caller", "mutants killed"):
        assert words in result.stdout
    assert "2 of 3 records leave; only they change" in result.stdout


def test_a_hole_is_exit_code_1_and_shows_where(
    config_file: Path, body: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    hole = spoiled(tmp_path, EQUAL, "lower(mine.value) == lower(subject.value)")
    result = mutate(config_file, body, more=("--bundle", str(hole)))
    assert result.exit_code == 1
    for words in (
        "survived: it was changed, and it left", "lookalike: another case", "record 0", "$.id",
        '"A1" → "a1"', "1 unit left that must stay behind",
    ):  # fmt: skip
        assert words in result.stdout


def test_fields_that_nothing_compares_are_listed(config_file: Path, body: Path) -> None:
    result = mutate(config_file, body)
    assert "never compared, never masked" in result.stdout and "$.text" in result.stdout


def test_json_holds_all_of_it(config_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.zip"
    file.write_bytes(exported("A1", "A9"))
    result = mutate(config_file, file, endpoint="archive", more=("--json", "--limit", "20"))
    assert result.exit_code == 0 and result.stderr == ""
    document = json.loads(result.stdout)
    assert document["well"] is True and document["survived"] == document["overkill"] == []
    assert document["tried"] + document["unused"] == 20 < document["possible"]
    assert document["kinds"]["manifest"]["killed"] > 0
    assert document["baselines"][0]["effect"] == "redact"
    assert {"members": "recordings/*.wav", "field": None, "records": 0,
            "hint": "contents, as of recordings/0.wav"} in document["never_compared"]  # fmt: skip


def test_a_survivor_in_json_says_what_was_where(
    config_file: Path, body: Path, tmp_path: Path
) -> None:
    hole = spoiled(tmp_path, EQUAL, "true")
    body.write_bytes(lines("A1"))
    result = mutate(config_file, body, more=("--bundle", str(hole), "--json", "--seed", "1"))
    assert result.exit_code == 1
    told = [each for each in json.loads(result.stdout)["survived"] if each["kind"] == "owner"]
    assert told[0] == {
        "kind": "owner", "how": "a stranger's", "file": str(body), "member": None,
        "record": 0, "field": "$.id", "old": '"A1"', "new": '"A9"',
        "why": "1 unit left that must stay behind",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"body": b""}, "no record of it leaves"),
        ({"body": lines("A9")}, "nothing of it leaves, so that nothing can leak: blocked"),
        ({"body": b"{"}, "body_incomplete"),
        ({"body": None}, "can't be read: No such file"),
        ({"endpoint": "vioce"}, "did you mean `voice`?"),
        ({"more": ("--bundle", "/nowhere")}, "/nowhere"),
        ({"more": ("--param", "x")}, "--param"),
        ({"more": ("--param", "y=1")}, "'y': not in the path of voice"),
        ({"more": ("--at", "soon")}, "--at 'soon'"),
        ({"claims": "{"}, "not strict JSON"),
        ({"claims": '{"sub": 1}'}, "token_claims"),
        ({"claims": "nowhere.json"}, "nowhere.json: can't be read"),
    ],
)
def test_what_can_not_be_used_is_one_line_and_exit_code_2(
    config_file: Path, tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    file = tmp_path / "x"
    data = changed.get("body", lines("A1"))
    if isinstance(data, bytes):
        file.write_bytes(data)
    result = typed(
        "mutate", "-c", config_file, "-e", str(changed.get("endpoint", "voice")), "--claims",
        str(changed.get("claims", '{"sub": "A1"}')), "--body", file,
        *changed.get("more", ()),  # type: ignore[misc]
    )  # fmt: skip
    assert result.exit_code == 2, result.output
    assert result.stdout == "" and said in result.stderr
    assert "Traceback" not in result.stderr
    assert isinstance(result.exception, SystemExit)


def test_options_out_of_range_are_refused(config_file: Path, body: Path) -> None:
    assert mutate(config_file, body, more=("--limit", "0")).exit_code == 2
    assert typed("mutate", "--config", config_file).exit_code == 2
