"""Durable before anybody is told: groups, backpressure, faults, recovery, and fifty kills."""

import asyncio
import fcntl
import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.decisionlog.file import anchor_path
from gateway.decisionlog.verify import Problem, verify
from gateway.errors import Unavailable
from gateway.model import Identifier, SubjectRef
from tests.conftest import REPOSITORY
from tests.decisionlog.running import (
    SHORT,
    deleted,
    entries,
    refused,
    running,
    syncing,
    told,
    truncated,
    unrecorded,
    until,
)
from tests.decisionlog.support import (
    IO_ERROR,
    KEY,
    NO_SPACE,
    FaultyDisk,
    caller,
    decision_log,
    group,
    inspection,
    released,
)
from tests.support import said


async def test_an_entry_is_on_disk_when_its_append_returns(tmp_path: Path) -> None:
    async with running(tmp_path) as log:
        await log.append(released("e1"))
        lines = (tmp_path / "decisions.jsonl").read_bytes().splitlines()
        assert [json.loads(line)["decision_id"] for line in lines] == ["e1"]
    assert told(tmp_path) == [("e1", "released")]


async def test_no_append_returns_before_the_sync_does(tmp_path: Path, faulty: FaultyDisk) -> None:
    async with running(tmp_path, faulty=faulty) as log:
        faulty.hold()
        append = asyncio.create_task(log.append(released("e1")))
        await syncing(faulty)
        assert b"e1" in (tmp_path / "decisions.jsonl").read_bytes()  # written, but not durable
        await asyncio.sleep(0)
        assert not append.done()
        faulty.free()
        await append


async def test_concurrent_exchanges_share_a_sync_and_keep_their_order(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    async with running(tmp_path, faulty=faulty) as log:
        before = faulty.syncs
        faulty.hold()
        first = asyncio.create_task(log.append(released("e0")))
        await syncing(faulty)
        rest = [asyncio.create_task(log.append(released(f"e{n}"))) for n in range(1, 64)]
        await until(lambda: log.facts().queue == 64)
        faulty.free()
        await asyncio.gather(first, *rest)
        assert faulty.syncs - before == 2
        assert log.facts().syncs == 2
    assert told(tmp_path) == [(f"e{n}", "released") for n in range(64)]


async def test_lone_appends_have_a_sync_each(tmp_path: Path, faulty: FaultyDisk) -> None:
    async with running(tmp_path, faulty=faulty) as log:
        before = faulty.syncs
        for number in range(5):
            await log.append(released(f"e{number}"))
        assert faulty.syncs - before == 5


async def test_a_log_goes_on_after_a_restart(tmp_path: Path) -> None:
    for number in range(3):
        async with running(tmp_path) as log:
            await log.append(released(f"e{number}"))
    assert told(tmp_path) == [(f"e{number}", "released") for number in range(3)]


async def test_a_slow_disk_makes_exchanges_wait_and_then_refuses_them(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    """E09. The first entry was being written, the second waits in the queue, the third has no
    place in it: none of the three was released, and the log says of none that it was."""
    async with running(tmp_path, faulty=faulty, queue=2, deadline=SHORT) as log:
        faulty.hold()
        first = asyncio.create_task(log.append(released("written")))
        await syncing(faulty)
        rest = [log.append(released("queued")), log.append(released("outside"))]
        notes = await asyncio.gather(refused(first), *map(refused, rest))
        assert set(notes) == {"not durable within decision_log.deadline"}
        faulty.free()
        await until(lambda: log.facts().queue == 0)
    said = told(tmp_path)
    # The last word on each exchange counts.
    assert dict(said) == {"written": "refused", "queued": "refused"}
    assert said[0] == ("written", "released")
    assert ("queued", "released") not in said
    assert unrecorded(tmp_path) == 1


async def test_a_disk_that_hangs_refuses_at_once_until_it_answers(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    """E09: readiness says so, and nobody waits for the deadline in vain."""
    async with running(tmp_path, faulty=faulty, deadline=SHORT) as log:
        faulty.hold()
        await refused(log.append(released("written")))
        await until(lambda: not log.ready())
        assert log.facts().fault == "a sync takes longer than decision_log.deadline"
        assert await refused(log.append(released("e1"))) == log.facts().fault
        faulty.free()
        await until(log.ready)
        await log.append(released("e2"))
    assert dict(told(tmp_path))["e2"] == "released"
    assert unrecorded(tmp_path) == 1


async def test_a_slow_disk_that_is_in_time_refuses_nobody(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    async with running(tmp_path, faulty=faulty, queue=2) as log:
        faulty.hold()
        appends = [asyncio.create_task(log.append(released(f"e{n}"))) for n in range(20)]
        await syncing(faulty)
        assert log.facts().queue == 20  # eighteen of them wait for a place
        faulty.free()
        await asyncio.gather(*appends)
    assert told(tmp_path) == [(f"e{n}", "released") for n in range(20)]
    assert unrecorded(tmp_path) == 0


async def test_a_cancelled_append_is_not_recorded_as_a_release(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    """E21, for this room."""
    async with running(tmp_path, faulty=faulty, queue=2) as log:
        faulty.hold()
        written = asyncio.create_task(log.append(released("written")))
        await syncing(faulty)
        queued = asyncio.create_task(log.append(released("queued")))
        outside = asyncio.create_task(log.append(released("outside")))
        await until(lambda: log.facts().queue == 3)
        for task in (written, queued, outside):
            task.cancel()
        for task in (written, queued, outside):
            with pytest.raises(asyncio.CancelledError):
                await task
        faulty.free()
        await until(lambda: log.facts().queue == 0)
        await asyncio.gather(*(log.append(released(f"after-{n}")) for n in range(8)))
    last = dict(told(tmp_path))
    assert (last["written"], last["queued"]) == ("refused", "refused")
    assert last["after-7"] == "released"
    assert unrecorded(tmp_path) == 1
    withdrawn = [each for each in entries(tmp_path) if each["decision_id"] == "queued"]
    assert [each["code"] for each in withdrawn] == ["shutting_down"]


def no_space(faulty: FaultyDisk) -> None:
    faulty.write_errno, faulty.spare = NO_SPACE, 100


def sync_fails(faulty: FaultyDisk) -> None:
    """Once is enough: the kernel reports a lost page to one sync only."""
    faulty.sync_errno = IO_ERROR


@pytest.mark.parametrize(("breaks", "name"), [(no_space, "ENOSPC"), (sync_fails, "EIO")])
async def test_a_failing_disk_refuses_and_a_mended_one_goes_on_without_a_restart(
    tmp_path: Path,
    faulty: FaultyDisk,
    caplog: pytest.LogCaptureFixture,
    breaks: Callable[[FaultyDisk], None],
    name: str,
) -> None:
    """E06, E07."""
    async with running(tmp_path, faulty=faulty) as log:
        await log.append(released("before"))
        breaks(faulty)
        for number in range(3):
            assert name in await refused(log.append(released(f"lost-{number}")))
            assert not log.ready()
            assert name in log.facts().fault
        assert log.facts().unrecorded == 3
        faulty.repair()
        await until(log.ready)
        await log.append(released("after"))
    assert told(tmp_path) == [("before", "released"), ("after", "released")]
    assert unrecorded(tmp_path) == 3
    assert "the decision log is unavailable" in caplog.messages and name in said.text(caplog)
    assert "the decision log works again" in caplog.messages


async def test_all_the_exchanges_of_a_group_that_failed_are_refused(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    async with running(tmp_path, faulty=faulty) as log:
        faulty.hold()
        first = asyncio.create_task(log.append(released("first")))
        await syncing(faulty)
        rest = [asyncio.create_task(log.append(released(f"e{n}"))) for n in range(10)]
        await until(lambda: log.facts().queue == 11)
        faulty.sync_errno = IO_ERROR
        faulty.free()
        await asyncio.gather(*map(refused, [first, *rest]))
        faulty.repair()
        await until(log.ready)
    assert told(tmp_path) == []
    assert unrecorded(tmp_path) == 11


async def test_a_refusal_that_was_owed_is_written_when_the_disk_is_mended(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    """An entry became durable too late for its exchange; the correction meets a full disk."""
    async with running(tmp_path, faulty=faulty, deadline=SHORT) as log:
        faulty.hold()
        late = asyncio.create_task(log.append(released("late")))
        await syncing(faulty)
        await refused(late)
        faulty.write_errno = NO_SPACE
        faulty.free()
        await until(lambda: "ENOSPC" in log.facts().fault)
        assert told(tmp_path) == [("late", "released")]
        faulty.repair()
        await until(log.ready)
    assert told(tmp_path) == [("late", "released"), ("late", "refused")]


def moved(path: Path) -> None:
    path.rename(path.with_suffix(".1"))


@pytest.mark.parametrize(
    ("happens", "note"),
    [(moved, "moved or deleted"), (deleted, "moved or deleted"), (truncated, "length")],
)
async def test_a_log_that_is_taken_away_under_load_stops_every_release(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    happens: Callable[[Path], None],
    note: str,
) -> None:
    """E10."""
    path = tmp_path / "decisions.jsonl"
    recorded: list[str] = []
    refusals: list[str] = []

    async def exchanges(number: int) -> None:
        for count in range(10_000):
            exchange_id = f"{number}-{count}"
            try:
                await log.append(released(exchange_id))
            except Unavailable as refusal:
                refusals.append(refusal.note)
                return
            recorded.append(exchange_id)

    async with running(tmp_path) as log:
        tasks = [asyncio.create_task(exchanges(number)) for number in range(8)]
        await until(lambda: len(recorded) > 50)
        happens(path)
        await asyncio.gather(*tasks)
        assert len(refusals) == 8
        assert all(note in refusal for refusal in refusals)
        assert not log.ready()
    assert note in said.text(caplog)
    if happens is moved:
        path.with_suffix(".1").rename(path)
        assert set(recorded) <= {decision_id for decision_id, _ in told(tmp_path)}


@pytest.mark.parametrize("happens", [moved, deleted])
async def test_a_log_that_is_taken_away_while_nobody_asks_is_noticed_too(
    tmp_path: Path, happens: Callable[[Path], None]
) -> None:
    async with running(tmp_path) as log:
        await log.append(released("e1"))
        happens(tmp_path / "decisions.jsonl")
        await until(lambda: not log.ready())
        assert "moved or deleted" in await refused(log.append(released("e2")))
        assert not (tmp_path / "decisions.jsonl").exists()


async def test_a_log_that_comes_back_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    async with running(tmp_path) as log:
        await log.append(released("e1"))
        moved(path)
        await refused(log.append(released("lost")))
        path.with_suffix(".1").rename(path)
        await until(log.ready)
        await log.append(released("e2"))
    assert told(tmp_path) == [("e1", "released"), ("e2", "released")]
    assert unrecorded(tmp_path) == 1


async def test_a_log_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    log = decision_log(tmp_path / "absent")
    assert "ENOENT" in await refused(log.start())
    assert not log.ready()
    async with running(tmp_path) as first:
        assert "another gateway" in await refused(decision_log(tmp_path, patience=0.0).start())
        await first.append(released("e1"))


async def test_a_stopped_log_takes_nothing(tmp_path: Path) -> None:
    log = decision_log(tmp_path)
    assert "stopped" in await refused(log.append(released("too early")))
    await log.start()
    await log.append(released("in time"))
    await log.stop()
    assert "stopped" in await refused(log.append(released("too late")))
    assert [each[0] for each in told(tmp_path)] == ["in time"]
    await log.stop()  # a second time does nothing


async def test_what_is_queued_when_the_gateway_stops_is_still_written(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    """E12, E13."""
    log = decision_log(tmp_path, faulty=faulty, queue=3)
    await log.start()
    faulty.hold()
    appends = [asyncio.create_task(log.append(released(f"e{n}"))) for n in range(20)]
    await syncing(faulty)
    stop = asyncio.create_task(log.stop())
    await until(lambda: not log.ready())
    faulty.free()
    await asyncio.gather(*appends, stop)
    assert told(tmp_path) == [(f"e{n}", "released") for n in range(20)]


async def test_a_sync_that_never_returns_keeps_nobody_from_stopping(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    log = decision_log(tmp_path, faulty=faulty, deadline=SHORT)
    await log.start()
    faulty.hold()
    append = asyncio.create_task(log.append(released("e1")))
    await syncing(faulty)
    await log.stop()
    await refused(append)
    faulty.free()


async def test_facts_say_how_the_log_is(tmp_path: Path) -> None:
    async with running(tmp_path) as log:
        await log.append(released("e1"))
        await log.append(released("e2"))
        facts = log.facts()
        assert (facts.entries, facts.syncs, facts.unrecorded, facts.fault) == (2, 2, 0, "")
        assert facts.bytes == (tmp_path / "decisions.jsonl").stat().st_size
        await until(lambda: log.facts().queue == 0)


async def test_how_long_each_sync_took_is_heard_once(tmp_path: Path) -> None:
    heard: list[float] = []
    async with running(tmp_path, synced=heard.append) as log:
        await log.append(released("e1"))
        await log.append(released("e2"))
        await until(lambda: len(heard) == 2)
        assert log.facts().syncs == 2
    assert all(0 < seconds < 60 for seconds in heard)


async def test_an_entry_that_cannot_be_rendered_is_refused_and_harms_no_other(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, queue=1) as log:
        for _ in range(3):
            naive = replace(released(), received_at=released().received_at.replace(tzinfo=None))
            assert await refused(log.append(naive)) == "the entry can't be rendered"
        await log.append(released("e1"))
    assert told(tmp_path) == [("e1", "released")]
    assert unrecorded(tmp_path) == 3


async def test_what_message_pack_can_not_hold_is_logged_all_the_same(tmp_path: Path) -> None:
    async with running(tmp_path) as log:
        for number, value in enumerate(("lone \ud800 surrogate", 2**80)):
            odd = caller(identifiers=(Identifier("account", value),))
            await log.append(released(f"e{number}", caller=odd))
    assert told(tmp_path) == [("e0", "released"), ("e1", "released")]


async def test_a_refusal_that_is_owed_is_written_before_the_log_stops(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    log = decision_log(tmp_path, faulty=faulty)
    await log.start()
    faulty.hold()
    append = asyncio.create_task(log.append(released("written")))
    await syncing(faulty)
    os.kill(log.pid, signal.SIGKILL)
    await refused(append)
    faulty.free()
    await log.stop()
    assert dict(told(tmp_path)) == {"written": "refused"}


async def test_what_was_not_recorded_is_said_once_whatever_becomes_of_the_writer(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    async with running(tmp_path, faulty=faulty) as log:
        no_space(faulty)
        for number in range(3):
            await refused(log.append(released(f"lost-{number}")))
        faulty.repair()
        await until(log.ready)
        await log.append(released("e1"))
        assert unrecorded(tmp_path) == 3
        os.kill(log.pid, signal.SIGKILL)
        await until(lambda: not log.ready())
        await refused(log.append(released("lost-3")))
        await until(log.ready)
    assert unrecorded(tmp_path) == 4
    assert told(tmp_path) == [("e1", "released")]


async def test_what_was_not_recorded_is_said_although_nothing_follows(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    async with running(tmp_path, faulty=faulty, deadline=SHORT) as log:
        faulty.hold()
        await refused(log.append(released("written")))
        for number in range(3):
            await refused(log.append(released(f"e{number}")))
        faulty.free()
        await until(log.ready)
    assert unrecorded(tmp_path) == 3


def deep() -> Any:
    """Deeper than anything can be written."""
    claim: Any = []
    for _ in range(100_000):
        claim = [claim]
    return caller(claims={"deep": claim})


def illegible() -> Any:
    """Its writer can't read it: there is no such type."""
    return caller(scopes=(7,))


@pytest.mark.parametrize("poison", [deep, illegible])
async def test_evidence_that_cannot_be_told_to_the_writer_is_refused_and_harms_no_other(
    tmp_path: Path, poison: Callable[[], Any]
) -> None:
    async with running(tmp_path) as log:
        for _ in range(3):
            assert "can't be" in await refused(log.append(released("bad", caller=poison())))
        pid = log.pid
        for number in range(3):
            await log.append(released(f"e{number}"))
        assert log.pid == pid
    assert told(tmp_path) == [(f"e{number}", "released") for number in range(3)]
    assert unrecorded(tmp_path) == 3


async def test_an_entry_of_ten_thousand_subjects_is_whole_and_holds_up_nothing(
    tmp_path: Path,
) -> None:
    groups = [group(SubjectRef("account", f"{n}" * 50)) for n in range(10_000)]
    large = released("large", inspection=inspection(*groups))
    async with running(tmp_path) as log:
        await asyncio.gather(
            log.append(large), *(log.append(released(f"e{number}")) for number in range(20))
        )
    assert len(told(tmp_path)) == 21
    assert max(each["subjects_total"] for each in entries(tmp_path)) == 10_000


async def test_the_faults_that_are_logged_name_no_path(
    tmp_path: Path, faulty: FaultyDisk, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "gateway"):
        async with running(tmp_path, faulty=faulty) as log:
            no_space(faulty)
            await refused(log.append(released("e1")))
    assert "the decision log is unavailable" in caplog.messages
    assert str(tmp_path) not in said.text(caplog)


def appender(mode: str, folder: Path, piece: int = 0) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.decisionlog.appender", mode, str(folder), str(piece)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, start_new_session=True)


def test_a_disk_that_is_really_full_refuses_and_recovers(tmp_path: Path) -> None:
    """E06, with a limit that the kernel sets."""
    child = appender("full", tmp_path)
    said, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    lines = said.decode().splitlines()
    refusals = [line for line in lines if line.startswith("refused")]
    assert refusals == ["refused EFBIG (File too large)"] * 3
    recorded = [line for line in lines if not line.startswith("refused")]
    assert len(recorded) > 3
    assert [decision_id for decision_id, _ in told(tmp_path)] == recorded
    assert unrecorded(tmp_path) == 3


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_fifty_kills_lose_no_entry_that_anybody_was_told_of(tmp_path: Path) -> None:
    """E08. One log, taken up again by each child; every other child writes in small pieces, so
    that its kill leaves a torn line."""
    chance = random.Random(20181217)
    path = tmp_path / "decisions.jsonl"
    promised: set[str] = set()
    recorded: set[str] = set()
    read = torn = 0
    for kill in range(50):
        with appender("kill", tmp_path, piece=(0, 1)[kill % 2]) as child:
            assert child.stdout is not None
            for _ in range(chance.randint(1, 100)):
                promised.add(child.stdout.readline().decode().strip())
            # At any moment of the next group, and with its writer, as at the end of a container:
            # where a gateway is killed alone, its writer may have the time to end its line.
            time.sleep(chance.random() * 0.005)
            os.killpg(child.pid, signal.SIGKILL)
            promised |= {line.decode().strip() for line in child.stdout if line.endswith(b"\n")}
        until_nobody_holds(path)
        found = verify(path, anchor=anchor_path(path), key=KEY)
        assert found.problem in (None, Problem.TORN), found.message
        torn += not found.ok
        intact = path.read_bytes()[read:].rpartition(b"\n")[0] + b"\n"
        read += len(intact)
        recorded |= {json.loads(line)["decision_id"] for line in intact.splitlines()}
        assert promised <= recorded, f"kill {kill}"

    asyncio.run(append_one(tmp_path))
    said = told(tmp_path)
    assert {decision_id for decision_id, _ in said} == recorded | {"the last"}
    assert len(said) == len(recorded) + 1
    assert torn == len(list(tmp_path.glob("decisions.jsonl.torn-*")))
    assert torn, "no kill came in the middle of a line: this proves too little"


def until_nobody_holds(path: Path) -> None:
    """Until the writer has ended, too. The kernel kills it only after its gateway has closed its
    files, and it ends only when the disk has answered: it may write for a while yet."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


async def append_one(folder: Path) -> None:
    async with running(folder) as log:
        await log.append(released("the last"))
