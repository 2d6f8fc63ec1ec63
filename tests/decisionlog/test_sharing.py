"""One writer for several processes: two logs here, each with a channel to it as processes have."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.decisionlog.append import DecisionLog
from gateway.decisionlog.messages import Setup
from gateway.decisionlog.sharing import Joined, SharedLog
from gateway.decisionlog.supervisor import WRITER, Spawned
from gateway.errors import Unavailable
from tests.decisionlog.running import entries, refused, syncing, told, unrecorded, until
from tests.decisionlog.support import KEY, LABELS, NO_SPACE, FaultyDisk, released, settings


@asynccontextmanager
async def sharing(
    folder: Path, faulty: FaultyDisk | None = None, processes: int = 2
) -> AsyncIterator[tuple[SharedLog, list[DecisionLog]]]:
    file = settings(folder)
    command = faulty.writer if faulty else (WRITER,)
    shared = SharedLog(Spawned(Setup(file.file, KEY, LABELS, 0.01, 10.0), command))
    await shared.start()
    logs = [joining(folder, shared) for _ in range(processes)]
    try:
        await asyncio.gather(*(log.start() for log in logs))
        yield shared, logs
    finally:
        await asyncio.gather(*(log.stop() for log in logs))
        await shared.stop()


def joining(folder: Path, shared: SharedLog) -> DecisionLog:
    joined = Joined(lambda: shared.connect(lambda channel: joined.hand(channel.dup())))
    return DecisionLog(settings(folder), joined)


async def test_what_all_append_is_one_chain(tmp_path: Path) -> None:
    async with sharing(tmp_path, processes=3) as (shared, logs):
        await asyncio.gather(
            *(log.append(released(f"{n}-{at}")) for at in range(50) for n, log in enumerate(logs))
        )
        assert shared.facts().entries == 150
        assert shared.ready()
        assert all(log.ready() for log in logs)
    assert len(entries(tmp_path)) == 150
    assert {each for each, _ in told(tmp_path)} == {
        f"{n}-{at}" for n in range(3) for at in range(50)
    }


async def test_entries_of_two_processes_share_a_sync(tmp_path: Path, faulty: FaultyDisk) -> None:
    async with sharing(tmp_path, faulty) as (shared, (one, other)):
        faulty.hold()
        first = asyncio.create_task(one.append(released("first")))
        await syncing(faulty)
        rest = [asyncio.create_task(log.append(released(f"{id(log)}"))) for log in (one, other)]
        await until(lambda: one.facts().queue == 2 and other.facts().queue == 1)
        before = faulty.syncs
        faulty.free()
        await asyncio.gather(first, *rest)
        assert faulty.syncs - before <= 2  # one for all; the second may come before its frame
        assert shared.facts().syncs >= 2


async def test_when_the_writer_dies_both_are_refused_and_both_go_on(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    async with sharing(tmp_path, faulty) as (shared, logs):
        faulty.hold()
        appends = [asyncio.create_task(log.append(released(f"{n}"))) for n, log in enumerate(logs)]
        await syncing(faulty)
        os.kill(shared.pid, signal.SIGKILL)
        for append in appends:
            assert await refused(append) == "the writer of the decision log died"
        assert not any(log.ready() for log in logs)
        faulty.free()
        await until(lambda: shared.ready() and all(log.ready() for log in logs))
        for n, log in enumerate(logs):
            await log.append(released(f"after-{n}"))
    said = dict(told(tmp_path))
    assert said == {"0": "refused", "1": "refused", "after-0": "released", "after-1": "released"}


async def test_a_full_disk_is_known_to_all_and_over_for_all(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    async with sharing(tmp_path, faulty) as (shared, (one, other)):
        faulty.write_errno = NO_SPACE
        assert "ENOSPC" in await refused(one.append(released("lost")))
        await until(lambda: not other.ready() and not shared.ready())
        faulty.repair()
        await until(lambda: one.ready() and other.ready() and shared.ready())
        await other.append(released("after"))
    assert told(tmp_path) == [("after", "released")]
    assert unrecorded(tmp_path) == 1


async def test_a_process_that_joins_while_the_disk_fails_goes_on_when_it_works_again(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    async with sharing(tmp_path, faulty) as (shared, (one, _)):
        faulty.write_errno = NO_SPACE
        await refused(one.append(released("lost")))
        late = joining(tmp_path, shared)
        await late.start()
        with pytest.raises(Unavailable):
            await late.append(released("lost too"))
        faulty.repair()
        await until(late.ready)
        await late.append(released("after"))
        await late.stop()
    assert told(tmp_path) == [("after", "released")]


async def test_a_process_that_ends_leaves_the_others_alone(tmp_path: Path) -> None:
    async with sharing(tmp_path) as (_, (one, other)):
        await one.append(released("e1"))
        await one.stop()
        for number in range(3):
            await other.append(released(f"after-{number}"))
        with pytest.raises(Unavailable):
            await one.append(released("never"))
    assert [each for each, _ in told(tmp_path)] == ["e1", "after-0", "after-1", "after-2"]


async def test_a_process_that_dies_with_entries_under_way_leaves_a_sound_chain(
    tmp_path: Path, faulty: FaultyDisk
) -> None:
    """Its entry is written, though nobody hears of it: a record without a release is harmless."""
    async with sharing(tmp_path, faulty) as (_, (one, other)):
        faulty.hold()
        append = asyncio.create_task(other.append(released("e1")))
        await syncing(faulty)
        cut = asyncio.create_task(one.append(released("cut off")))
        await until(lambda: one.facts().queue == 1)
        await asyncio.sleep(0)
        one._writer.end()  # as the end of its process ends its channel
        faulty.free()
        await append
        await other.append(released("e2"))
        cut.cancel()
        await asyncio.wait([cut])
    assert [each for each, _ in told(tmp_path) if each != "cut off"] == ["e1", "e2"]


async def test_one_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    shared = SharedLog(Spawned(Setup(tmp_path / "absent" / "log", KEY, LABELS, 0.01)))
    with pytest.raises(Unavailable) as caught:
        await shared.start()
    assert caught.value.note == "ENOENT (No such file or directory)"
    await shared.stop()
