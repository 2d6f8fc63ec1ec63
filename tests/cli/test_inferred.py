"""What `infer` prints at a terminal."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.inferred import document, show
from gateway.workbench.infer.proposal import Proposal, infer


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def proposed(folder: Path, document: Any) -> Proposal:
    file = folder / "x.json"
    file.write_text(json.dumps(document))
    return infer([file])


def test_the_chosen_one_is_marked_and_its_evidence_is_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": f"o-{n}", "customer": {"id": f"C-100{n % 2}"}} for n in range(4)]
    show(proposed(tmp_path, {"rows": rows}))
    shown = capsys.readouterr().out
    (line,) = [each for each in shown.splitlines() if "→" in each]
    assert "$.customer.id" in line and "customer" in line and "97%" in line
    assert "+1.5 repeated: 2 distinct in 4 records" in shown
    assert "records at $.rows[*]" in shown


def test_each_way_that_is_as_likely_has_a_block_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trips = [{"user_id": f"U-{n % 2}00", "customer_id": f"C-{n % 3}00"} for n in range(6)]
    show(proposed(tmp_path, trips))
    assert capsys.readouterr().out.count("body:\n  format: json\n") == 2


def test_what_a_trial_refused_is_not_summed_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show(proposed(tmp_path, {"rows": [{"text": "hello there"}]}))
    shown = capsys.readouterr().out
    assert "1 record of 0 subjects, 1 without an owner" in shown
    assert "# NOT SURE" in shown


def test_as_json_nothing_of_a_sample_is_whole(tmp_path: Path) -> None:
    rows = [{"customer": {"id": f"customer-{n}"}} for n in range(4)]
    text = json.dumps(document(proposed(tmp_path, {"rows": rows})))
    assert "customer-1" not in text and '"sure": true' in text
