"""The writer by itself: groups, refusals in the place of entries, gaps. Its faults are in
`test_append`, where a real disk fails under it."""

import gc
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.decisionlog.entry import Renderer, withdrawn
from gateway.decisionlog.file import LogFile
from gateway.decisionlog.pseudonyms import Pseudonyms
from gateway.decisionlog.writer import Writer, reason
from gateway.errors import Code, Unavailable
from tests.decisionlog.support import KEY, LABELS, NO_SPACE, FaultyDisk, caller, released


@pytest.fixture
def writer(tmp_path: Path, faulty: FaultyDisk) -> Iterator[Writer]:
    file = LogFile(tmp_path / "decisions.jsonl", KEY, faulty.disk)
    file.open()
    writer = Writer(file, Renderer(Pseudonyms(KEY.pseudonym), KEY.id, LABELS), tick=0.0)
    yield writer
    writer.close()


def told(folder: Path) -> list[tuple[str, Any]]:
    lines = map(json.loads, (folder / "decisions.jsonl").read_bytes().splitlines())
    return [(each.get("unrecorded") or each["decision_id"], each["outcome"]) for each in lines]


def test_a_group_is_settled_with_one_sync(
    tmp_path: Path, writer: Writer, faulty: FaultyDisk
) -> None:
    before = faulty.syncs
    for number in range(3):
        assert writer.take(released(f"e{number}")) > 100
    report = writer.commit()
    assert (report.settled, report.fault, report.syncs) == (3, "", 1)
    assert report.reached
    assert report.reached.seq == 3
    assert faulty.syncs - before == 1
    assert told(tmp_path) == [(f"e{number}", "released") for number in range(3)]
    assert writer.idle


def refusal(exchange_id: str) -> Any:
    return withdrawn(released(exchange_id), Code.SHUTTING_DOWN, 503, "")


def test_a_refusal_takes_the_place_of_an_entry_that_still_waits(
    tmp_path: Path, writer: Writer
) -> None:
    writer.take(released("e1"))
    writer.take(released("e2"))
    writer.refuse(1, refusal("e1"))
    assert writer.commit().settled == 2
    assert sorted(told(tmp_path)) == [("e1", "refused"), ("e2", "released")]


def test_a_refusal_follows_an_entry_that_is_written(tmp_path: Path, writer: Writer) -> None:
    writer.take(released("e1"))
    writer.commit()
    writer.refuse(1, refusal("e1"))
    assert not writer.idle
    writer.commit()
    assert told(tmp_path) == [("e1", "released"), ("e1", "refused")]


def test_a_refusal_is_owed_until_it_is_durable_and_an_entry_is_not(
    tmp_path: Path, writer: Writer, faulty: FaultyDisk
) -> None:
    faulty.write_errno = NO_SPACE
    writer.take(released("e1"))
    writer.refuse(0, refusal("e0"))
    assert writer.commit().fault.startswith("ENOSPC")
    faulty.repair()
    writer.miss(1)
    assert writer.tend()
    writer.commit()
    assert told(tmp_path) == [(1, "refused"), ("e0", "refused")]
    assert not writer.tend()


def test_a_gap_is_confessed_once(tmp_path: Path, writer: Writer) -> None:
    writer.miss(2)
    for number in range(2):
        writer.take(released(f"e{number}"))
        writer.commit()
    assert told(tmp_path) == [(2, "refused"), ("e0", "released"), ("e1", "released")]


def test_an_entry_that_cannot_be_rendered_is_named(tmp_path: Path, writer: Writer) -> None:
    naive = replace(released("bad"), received_at=released().received_at.replace(tzinfo=None))
    writer.take(released("e1"))
    writer.take(naive)
    report = writer.commit()
    assert (report.settled, report.unfit, report.fault) == (2, (2,), "")
    assert told(tmp_path) == [("e1", "released")]
    assert writer.commit().unfit == ()


@pytest.mark.parametrize("full", [False, True], ids=["written", "the disk is full"])
def test_nothing_of_an_exchange_stays_when_its_group_is_over(
    writer: Writer, faulty: FaultyDisk, full: bool
) -> None:
    canary = "canary-" + "x" * 20
    before = sys.getrefcount(canary)
    writer.take(released(caller=caller(id=canary)))
    if full:
        faulty.write_errno = NO_SPACE
    assert bool(writer.commit().fault) is full
    gc.collect()
    assert sys.getrefcount(canary) == before


def test_a_reason_names_no_path() -> None:
    assert reason(OSError(28, "No space left on device", "/secret")) == (
        "ENOSPC (No space left on device)"
    )
    assert reason(Unavailable(Code.LOG_UNAVAILABLE, "a note")) == "a note"
