"""The process that writes: killed, stopped, lying, and another in its place."""

import asyncio
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.decisionlog.append import DecisionLog
from gateway.decisionlog.file import anchor_path
from gateway.decisionlog.messages import Setup
from gateway.decisionlog.supervisor import Spawned
from gateway.errors import Unavailable
from tests.decisionlog.running import (
    SHORT,
    children,
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
    KEY,
    LABELS,
    NO_SPACE,
    FaultyDisk,
    released,
    settings,
)


async def test_a_writer_that_is_killed_is_replaced_and_what_it_may_have_written_is_refused(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    """The entry was on its way to the disk when its writer died: nobody was told, nothing left."""
    async with running(tmp_path, faulty=faulty) as log:
        await log.append(released("before"))
        faulty.hold()
        append = asyncio.create_task(log.append(released("written")))
        await syncing(faulty)
        os.kill(log.pid, signal.SIGKILL)
        assert await refused(append) == "the writer of the decision log died"
        assert not log.ready()
        assert await refused(log.append(released("lost"))) == log.facts().fault
        faulty.free()
        await until(log.ready)
        await log.append(released("after"))
    said = told(tmp_path)
    assert said[0] == ("before", "released")
    assert dict(said) == {"before": "released", "written": "refused", "after": "released"}
    assert unrecorded(tmp_path) == 1


async def test_a_refusal_that_is_owed_outlives_its_writer(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    """Durable too late, and so refused; the writer dies before it could write the refusal."""
    async with running(tmp_path, faulty=faulty, deadline=SHORT) as log:
        faulty.hold()
        late = asyncio.create_task(log.append(released("late")))
        await syncing(faulty)
        await refused(late)
        faulty.write_errno = NO_SPACE
        faulty.free()
        await until(lambda: "ENOSPC" in log.facts().fault)
        os.kill(log.pid, signal.SIGKILL)
        await until(lambda: "died" in log.facts().fault)
        faulty.repair()
        await until(log.ready)
    assert told(tmp_path) == [("late", "released"), ("late", "refused")]


async def test_a_writer_that_dies_again_and_again_is_one_process_and_one_line_in_the_log(
    tmp_path: Path, faulty: FaultyDisk, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path, faulty=faulty) as log:
        faulty.deadly = 1
        assert await refused(log.append(released("fatal"))) == "the writer of the decision log died"
        descriptors = len(os.listdir("/proc/self/fd"))
        await until(lambda: faulty.starts >= 5)
        assert len(children()) <= 1
        assert len(os.listdir("/proc/self/fd")) <= descriptors + 2  # of one child
        assert caplog.messages.count("the decision log is unavailable") == 1
        faulty.deadly = 0
        await until(log.ready)
        await log.append(released("after"))
    assert dict(told(tmp_path)) == {"fatal": "refused", "after": "released"}


def put_back(path: Path) -> None:
    """An older log with its own anchor, as from a backup."""
    for each in (path, anchor_path(path)):
        each.unlink()
        each.with_suffix(".old").rename(each)


@pytest.mark.parametrize(
    ("happens", "note"), [(deleted, "ENOENT"), (put_back, "cut off"), (truncated, "cut off")]
)
async def test_a_new_writer_goes_on_with_the_same_log_or_not_at_all(
    tmp_path: Path, faulty: FaultyDisk, happens: Callable[[Path], None], note: str
) -> None:
    path = tmp_path / "decisions.jsonl"
    async with running(tmp_path, faulty=faulty) as log:
        await log.append(released("e1"))
        for each in (path, anchor_path(path)):
            each.with_suffix(".old").write_bytes(each.read_bytes())
        await log.append(released("e2"))
        kept = [each.read_bytes() for each in (path, anchor_path(path))]
        os.kill(log.pid, signal.SIGSTOP)  # so that it doesn't see what happens
        happens(path)
        os.kill(log.pid, signal.SIGKILL)
        await until(lambda: note in log.facts().fault)
        assert note in await refused(log.append(released("lost")))
        await until(lambda: faulty.starts >= 4)  # one attempt must not prepare the next
        assert note in log.facts().fault
        for each, content in zip((path, anchor_path(path)), kept, strict=True):
            each.write_bytes(content)
        await until(log.ready)
        await log.append(released("e3"))
    assert told(tmp_path) == [("e1", "released"), ("e2", "released"), ("e3", "released")]
    assert unrecorded(tmp_path) == 1


@pytest.mark.parametrize("lie", ["settled", "refusals", "confessed", "garbage"])
async def test_a_writer_whose_reports_cannot_be_true_is_replaced(tmp_path: Path, lie: str) -> None:
    """Nothing is released on the word of one that speaks of entries it was never sent."""
    writer = ("tests.decisionlog.lying_writer", lie, str(tmp_path / "marker"))
    setup = Setup(settings(tmp_path).file, KEY, LABELS, 0.01)
    log = DecisionLog(settings(tmp_path), Spawned(setup, writer))
    await log.start()
    assert await refused(log.append(released("lied about"))) == log.facts().fault
    await until(log.ready)
    await log.append(released("after"))
    await log.stop()
    said = told(tmp_path)
    assert dict(said) == {"lied about": "refused", "after": "released"}


async def test_a_writer_that_stands_still_is_no_reason_to_wait_and_none_to_restart(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, deadline=SHORT) as log:
        await log.append(released("before"))
        pid = log.pid
        os.kill(pid, signal.SIGSTOP)
        await refused(log.append(released("held")))
        assert not log.ready()
        for number in range(5_000):
            await refused(log.append(released(f"lost-{number}")))
        os.kill(pid, signal.SIGCONT)
        await until(log.ready)
        await log.append(released("after"))
        assert log.pid == pid
    assert dict(told(tmp_path)) == {"before": "released", "held": "refused", "after": "released"}
    assert unrecorded(tmp_path) == 5_000
    gaps = [each["unrecorded"] for each in entries(tmp_path) if "unrecorded" in each]
    assert gaps == [5_000]


async def test_what_the_writer_warns_of_is_in_the_log_of_the_gateway(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path) as log:
        await log.append(released("e1"))
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(path.read_bytes() + b'{"seq":2,"prev"')
    async with running(tmp_path) as log:
        await log.append(released("e2"))
    (line,) = (vars(each)["values"] for each in caplog.records if "warns" in each.getMessage())
    assert line == {"warning": "a torn line was moved", "bytes": 15, "to": "decisions.jsonl.torn-1"}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_fifty_kills_of_the_writer_leave_every_exchange_with_its_last_word(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    """E08, for the writer alone: the gateway lives on, and so do its exchanges, some of which are
    cut off or are late. The last word on each is what became of it."""
    chance = random.Random(20181218)
    outcomes: dict[str, str] = {}
    over = False

    async def exchanges(log: DecisionLog, number: int) -> None:
        count = 0
        while not over:
            count += 1
            exchange_id = f"{number}-{count}"
            outcomes[exchange_id] = "refused"
            try:
                async with asyncio.timeout(chance.choice((0.0005, 0.005, 30))):
                    await log.append(released(exchange_id))
            except (Unavailable, TimeoutError):
                await asyncio.sleep(0.001)
            else:
                outcomes[exchange_id] = "released"

    def releases() -> int:
        return sum(outcome == "released" for outcome in outcomes.values())

    async with running(tmp_path, faulty=faulty, queue=8, deadline=30) as log:
        descriptors = len(os.listdir("/proc/self/fd"))
        tasks = [asyncio.create_task(exchanges(log, number)) for number in range(16)]
        for kill in range(50):
            faulty.piece = (0, 7)[kill % 2]
            before = releases()
            await until(lambda: releases() > before)  # noqa: B023 - it is awaited here
            await asyncio.sleep(chance.random() * 0.05)
            os.kill(log.pid, signal.SIGKILL)
            await until(lambda: not log.ready())
        await until(log.ready)
        over = True
        await asyncio.gather(*tasks)
        assert len(os.listdir("/proc/self/fd")) == descriptors
        assert log.pid in children()
    last = dict(told(tmp_path))
    for exchange_id, outcome in outcomes.items():
        assert last.get(exchange_id, "refused") == outcome, exchange_id
    assert releases() >= 50
    missing = [each for each in outcomes if each not in last]
    assert unrecorded(tmp_path) >= len(missing)
    assert len(children()) <= 1  # one that the kernel still holds
