"""`replay`, as somebody types it."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import typed
from tests.policy.support import shipped_bundle
from tests.workbench.replay.support import key_file, rendered, write, written_json
from tests.workbench.replay.test_run import entries

STRICTER = {"grounds": {"self_access": True}, "scopes": {"orders": ["export"]}}
LINK = {"kind": "account", "value": "A9", "expires_at": None}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    key_file(tmp_path)
    return write(tmp_path / "decisions.jsonl", *rendered(*entries()))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "pseudonym-key"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return shipped_bundle(tmp_path / "bundle", {"grounds": {"self_access": True}})


def test_a_plan_without_differences_ends_well(log: Path, key: Path, bundle: Path) -> None:
    result = typed("replay", log, "--bundle", bundle, "--key-file", key)
    assert result.exit_code == 0
    assert "4 entries, all intact and in order" in result.stdout
    assert "Plan: 4 unchanged, 0 would newly release, 0 would newly block." in result.stdout


def test_a_plan_with_differences_shows_them_and_is_not_well(
    log: Path, key: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    grounds = {
        "self_access": True,
        "linked_account": {"links": {"account": {"string": {"A1": [LINK]}}}},
    }
    data = written_json(tmp_path / "data.json", {"grounds": grounds})
    result = typed("replay", log, "--bundle", bundle, "--data", data, "--key-file", key)
    assert result.exit_code == 1
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("!  orders"))
    assert line.split() == [
        "!", "orders", "block", "→", "allow", "2", "4", "leave",
        "reasons", "+linked_account", "-subject_not_permitted",
    ]  # fmt: skip
    assert "e1" in result.stdout.split()  # a decision id, to look up in the log
    assert "! Up to 4 records would newly leave." in result.stdout
    assert "Plan: 2 unchanged, 2 would newly release, 0 would newly block." in result.stdout


def test_the_json_of_a_plan_has_a_fixed_shape(
    log: Path, key: Path, bundle: Path, tmp_path: Path
) -> None:
    data = written_json(tmp_path / "data.json", STRICTER)
    result = typed("replay", log, "--bundle", bundle, "--data", data, "--key-file", key, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found.pop("candidate").startswith("shipped-1+sha256:")
    nothing = {"added": [], "removed": []}
    assert found == {
        "schema": "privacy-gateway/plan/v1",
        "log": {"file": str(log), "entries": 4, "anchored": 4, "sealed": True, "missing": 0},
        "against": None,
        "unchanged": 0,
        "newly_releasing": 0,
        "newly_blocking": 2,
        "other_reasons": 2,
        "records": {"newly_leaving": 0, "newly_staying": 6},
        "differences": [
            {
                "direction": "blocks",
                "endpoint": "orders",
                "before": "allow",
                "after": "block",
                "reasons": {"added": ["scope_missing"], "removed": []},
                "mask": nothing,
                "withhold": nothing,
                "exchanges": 2,
                "records": {"newly_leaving": 0, "newly_staying": 6},
                "examples": ["e0", "e2"],
            },
            {
                "direction": "reasons",
                "endpoint": "orders",
                "before": "block",
                "after": "block",
                "reasons": {"added": ["scope_missing"], "removed": []},
                "mask": nothing,
                "withhold": nothing,
                "exchanges": 2,
                "records": {"newly_leaving": 0, "newly_staying": 0},
                "examples": ["e1", "e3"],
            },
        ],
        "not_replayed": {},
        "reads_inside_texts": {},
        "summary": "Plan: 0 unchanged, 0 would newly release, 2 would newly block,"
        " 2 only for other reasons.",
    }


def test_two_bundles_share_the_data_unless_the_other_has_its_own(
    log: Path, key: Path, bundle: Path, tmp_path: Path
) -> None:
    stricter = written_json(tmp_path / "stricter.json", STRICTER)
    common = ("replay", log, "--bundle", bundle, "--key-file", key, "--against", bundle)
    assert typed(*common, "--data", stricter).exit_code == 0
    plain = written_json(tmp_path / "plain.json", {"grounds": {"self_access": True}})
    result = typed(*common, "--data", stricter, "--against-data", plain)
    assert result.exit_code == 1
    assert "2 would newly block" in result.stdout


def test_builtins_that_can_not_be_followed_are_named(log: Path, key: Path, bundle: Path) -> None:
    module = bundle / "privacy" / "grounds" / "mine" / "mine.rego"
    module.parent.mkdir()
    module.write_text('package privacy.grounds.mine\n\na if startswith(input.caller.id, "A")\n')
    result = typed("replay", log, "--bundle", bundle, "--key-file", key)
    assert result.exit_code == 0
    where = "can't be followed: startswith (privacy/grounds/mine/mine.rego:3)"
    assert where in result.stdout.replace("\n", " ")


def test_a_part_of_a_log_can_be_chosen(log: Path, key: Path, bundle: Path) -> None:
    common = ("replay", log, "--bundle", bundle, "--key-file", key)
    assert "Plan: 1 unchanged" in typed(*common, "--limit", "1").stdout
    assert "Plan: 4 unchanged" in typed(*common, "--since", "2026-06-01").stdout
    assert "Plan: 4 unchanged" in typed(*common, "--until", "2026-06-01T14:01:00+02:00").stdout
    result = typed(*common, "--since", "2026-06-02")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "nothing to replay" in result.stderr


def test_a_log_that_was_changed_can_not_be_used(log: Path, key: Path, bundle: Path) -> None:
    log.write_bytes(log.read_bytes().replace(b'"allow"', b'"block"', 1))
    result = typed("replay", log, "--bundle", bundle, "--key-file", key)
    assert result.exit_code == 2
    assert result.stderr == (
        f"{log}: line 1: entry 1 was changed: its bytes don't match its hash:"
        " a changed log proves nothing\n"
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("LOG", "--key-file", "KEY"), "say what to replay against"),
        (("LOG", "--key-file", "KEY", "--bundle", "NOWHERE"), "not a folder"),
        (("LOG", "--key-file", "NOWHERE", "--bundle", "BUNDLE"), "No such file"),
        (("NOWHERE", "--key-file", "KEY", "--bundle", "BUNDLE"), "No such file"),
        (("BUNDLE", "--key-file", "KEY", "--bundle", "BUNDLE"), "a folder, not a log"),
        (("PIPE", "--key-file", "KEY", "--bundle", "BUNDLE"), "not a regular file"),
        (("LOG", "--key-file", "PIPE", "--bundle", "BUNDLE"), "not a regular file"),
        (("LOG", "--key-file", "KEY", "--bundle", "BUNDLE", "--data", "NOWHERE"), "No such file"),
        (("LOG", "--key-file", "KEY", "--bundle", "BUNDLE", "--anchor", "NOWHERE"), "No such file"),
        (("LOG", "--key-file", "KEY", "--bundle", "BUNDLE", "--anchor", "LOG"), "isn't an anchor"),
        (
            ("LOG", "--key-file", "KEY", "--bundle", "BUNDLE", "--since", "noon"),
            "--since 'noon': expected a date or time",
        ),
        (
            ("LOG", "--key-file", "KEY", "--bundle", "BUNDLE", "--against", "NOWHERE"),
            "not a folder",
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_wrong_input_gets_one_line(
    log: Path, key: Path, bundle: Path, tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    paths = {
        "LOG": log, "KEY": key, "BUNDLE": bundle,
        "NOWHERE": tmp_path / "nowhere", "PIPE": tmp_path / "pipe",
    }  # fmt: skip
    result = typed("replay", *(paths.get(each, each) for each in arguments))
    assert result.exit_code == 2
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
