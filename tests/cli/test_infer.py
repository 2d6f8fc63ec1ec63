"""`infer`, as somebody types it."""

import gzip
import json
from pathlib import Path

import pytest

from tests.cli.conftest import typed
from tests.config.conftest import MINIMAL

ORDERS = {"orders": [{"id": f"o-{n}", "customer": {"id": f"C-100{n % 2}"}} for n in range(6)]}


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    file = tmp_path / "orders.json"
    file.write_text(json.dumps(ORDERS))
    return file


def test_a_clear_sample_gets_a_block_and_exit_code_0(
    orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    result = typed("infer", orders)
    assert result.exit_code == 0 and result.stderr == ""
    assert "# sure: paste it into the endpoint" in result.stdout
    assert '    customer: "$.customer.id"' in result.stdout
    assert "tried on the samples: 6 records of 2 subjects, 0 without an owner" in result.stdout
    assert "+3.0 customer: a word for an owner" in result.stdout
    assert "C-1001" not in result.stdout


def test_the_block_passes_check_when_it_is_pasted(orders: Path, config: Path) -> None:
    _, _, block = typed("infer", orders).stdout.partition("# sure: paste it into the endpoint\n")
    pasted = "".join(f"    {line}\n" for line in block.splitlines())
    config.write_text(f"{MINIMAL}  - name: inferred\n    path: /inferred\n{pasted}")
    result = typed("check", "--config", config)
    assert result.exit_code == 0, result.stderr
    assert "customer: $.customer.id" in result.stdout


def test_two_likely_owners_are_both_shown_and_exit_code_1(tmp_path: Path) -> None:
    file = tmp_path / "trips.ndjson"
    trips = [{"user_id": f"U-{n % 2}00", "customer_id": f"C-{n % 3}00"} for n in range(6)]
    file.write_text("".join(json.dumps(trip) + "\n" for trip in trips))
    result = typed("infer", file)
    assert result.exit_code == 1
    assert "# AMBIGUOUS, 1 of 2" in result.stdout and "# AMBIGUOUS, 2 of 2" in result.stdout
    assert 'user: "$.user_id"' in result.stdout
    assert 'customer: "$.customer_id"' in result.stdout


def test_a_sample_without_any_owner_is_not_sure(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text('{"rows": [{"text": "hello there"}]}')
    result = typed("infer", file)
    assert result.exit_code == 1
    assert "# NOT SURE" in result.stdout
    assert "! no field seems to name an owner" in result.stdout


def test_json_holds_all_of_it(orders: Path) -> None:
    result = typed("infer", "--json", orders)
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["sure"] is True and document["alternatives"] == []
    assert document["body"] == {
        "format": "json", "records": "$.orders[*]", "subject": {"customer": "$.customer.id"},
    }  # fmt: skip
    assert document["tried"] == {
        "records": 6, "unattributed": 0, "subjects": 2, "refusal": None,
    }  # fmt: skip
    best = document["candidates"][0]
    assert best["locators"] == ["$.customer.id"] and best["chosen"] and best["belief"] > 0.9


def test_gzip_is_read_through(tmp_path: Path, orders: Path) -> None:
    coded = tmp_path / "orders.json.gz"
    coded.write_bytes(gzip.compress(orders.read_bytes()))
    assert typed("infer", coded, orders).exit_code == 0


def test_a_format_can_be_named(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("account\nA-1\nA-1\nB-2\n")
    assert typed("infer", file).exit_code == 2
    assert typed("infer", file, "--format", "csv").exit_code == 0


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "No such file"),
        (b"<html>", "neither JSON, NDJSON, CSV nor ZIP"),
        (b'{"a": 1, "a": 2}', "body_ambiguous"),
        (b'{"\x1b[2J": 1', "body_malformed"),
        (b"PK\x03\x04", "would refuse"),
    ],
)
def test_what_is_no_sample_is_one_line_and_exit_code_2(
    tmp_path: Path, data: bytes | None, said: str
) -> None:
    file = tmp_path / "x"
    if data is not None:
        file.write_bytes(data)
    result = typed("infer", file)
    assert result.exit_code == 2 and result.stdout == ""
    assert said in result.stderr and len(result.stderr.splitlines()) == 1
    assert isinstance(result.exception, SystemExit)


def test_without_a_sample_it_says_how_it_is_used() -> None:
    result = typed("infer")
    assert result.exit_code == 2 and "Missing argument" in result.stderr


def test_names_from_a_body_can_not_steer_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps([{"customer\x1b[31m": "C-1"}, {"customer\x1b[31m": "C-2"}]))
    assert "\x1b[31m" not in typed("infer", file).stdout
