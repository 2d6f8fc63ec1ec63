"""The processes that read streams: who gets one, and what becomes of one that comes back."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from gateway.errors import BadUpstream, Code, InternalError, Late, Unavailable
from gateway.inspection import flowmessages as messages
from gateway.inspection import flowreaders
from gateway.inspection.flowmessages import Asked, Kind, Piece, Wanting
from gateway.inspection.flowreaders import Reader, Readers
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.work import Task
from gateway.model import Counts, Decision, Effect, Format, SubjectRef
from gateway.response import Payload

PATIENCE = 30.0
ME = SubjectRef("account", "me")
SPEC = BodySpec(Format.NDJSON, subject=({"account": ("$.owner",)},))
TASK = messages.task_frame(Task(Payload("application/x-ndjson"), SPEC, Limits()), None)
ALLOW = Decision(Effect.ALLOW, frozenset({ME}), False, frozenset(), (), (), "r1")
LINE = b'{"owner": "me"}\n'


@pytest_asyncio.fixture
async def readers() -> AsyncIterator[Readers]:
    readers = Readers(3)
    readers.start_ahead()
    await until(readers, 1)
    yield readers
    await readers.stop()


async def until(readers: Readers, waiting: int) -> None:
    """None is on its way any more, and so many wait for a task."""
    async with asyncio.timeout(PATIENCE):
        while coming := readers._coming.values():
            await asyncio.wait(coming)
    assert len(readers._idle) == waiting


async def wants(reader: Reader) -> None:
    reader.tell(TASK)
    assert await reader.told(PATIENCE) == Wanting()


async def asks(reader: Reader) -> None:
    await wants(reader)
    reader.tell(messages.frame(Kind.CHUNK, LINE))
    assert isinstance(await reader.told(PATIENCE), Asked)


async def hands_on(reader: Reader) -> None:
    await asks(reader)
    reader.tell(messages.decision_frame(ALLOW))
    assert await reader.told(PATIENCE) == Piece(LINE, Counts(1, 1, 0))


async def is_told_and_not_heard(reader: Reader) -> None:
    await wants(reader)
    reader.tell(messages.frame(Kind.CHUNK, LINE))


async def has_no_task(_: Reader) -> None:
    return


@pytest.mark.parametrize(
    "midst", [wants, asks, hands_on, is_told_and_not_heard, has_no_task], ids=lambda f: f.__name__
)
async def test_one_that_is_given_up_in_the_midst_reads_the_next_stream_from_its_start(
    readers: Readers,
    midst: Callable[[Reader], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flowreaders, "_STOP_DEADLINE", PATIENCE)  # on a machine however busy
    reader = await readers.take()
    await midst(reader)
    readers.give_back(reader, False)
    await until(readers, 1)
    assert await readers.take() is reader and readers.restarts == 0
    await hands_on(reader)  # exactly what the first one has, and nothing of the one before


async def test_one_that_does_not_stop_is_killed_and_another_takes_its_place(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flowreaders, "_STOP_DEADLINE", 0.1)
    reader = await readers.take()
    os.kill(reader.pid, signal.SIGSTOP)
    readers.give_back(reader, False)
    await until(readers, 1)
    assert reader.lost and readers.restarts == 1
    assert await readers.take() is not reader


async def test_one_that_was_late_is_killed(readers: Readers) -> None:
    reader = await readers.take()
    with pytest.raises(Late) as caught:
        await reader.told(0.05)
    assert caught.value.code is Code.INSPECTION_TIMEOUT and reader.lost
    readers.give_back(reader, False)
    assert readers.restarts == 1 and reader.pid not in readers.pids()


async def test_one_that_says_what_is_no_word_is_killed(readers: Readers) -> None:
    reader = await readers.take()
    reader._hear(b"?")
    with pytest.raises(InternalError):
        await reader.told(PATIENCE)
    assert reader.lost


async def test_no_more_than_two_are_kept(readers: Readers) -> None:
    taken = [await readers.take() for _ in range(3)]
    for reader in taken:
        readers.give_back(reader, True)
    await until(readers, 2)
    assert len(readers.pids()) == 2 and taken[2].lost and readers.restarts == 0


async def test_whoever_waits_gets_the_first_that_is_free(readers: Readers) -> None:
    first = await readers.take()
    second = asyncio.create_task(readers.take())
    await asyncio.sleep(0)
    assert len(readers._coming) == 1  # one is started for it, which takes longer
    readers.give_back(first, True)
    assert await second is first
    await until(readers, 1)


async def test_as_many_are_started_as_are_waited_for(readers: Readers) -> None:
    taken = await asyncio.gather(*(readers.take() for _ in range(3)))
    assert len(set(taken)) == len(readers.pids()) == 3


async def test_one_that_waits_counts_against_the_bound(readers: Readers) -> None:
    waiting = [asyncio.create_task(readers.take()) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as caught:
        await readers.take()
    assert caught.value.code is Code.OVERLOADED
    await asyncio.gather(*waiting)


async def test_one_that_nobody_waits_for_any_more_is_the_next_stream_s(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "_start_for_all", lambda: None)  # another may be there as soon
    first = await readers.take()
    second, third = [asyncio.create_task(readers.take()) for _ in range(2)]
    await asyncio.sleep(0)
    second.cancel()
    readers.give_back(first, True)  # before it heard of that
    assert await third is first
    third = asyncio.create_task(readers.take())
    await asyncio.sleep(0)
    readers.give_back(first, True)
    third.cancel()  # when it was given one already
    await asyncio.gather(second, third, return_exceptions=True)
    assert readers.used == 0
    await until(readers, 1)


async def test_where_none_can_be_started_whoever_waits_is_refused(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: str) -> Reader:
        raise OSError

    await readers.take()
    monkeypatch.setattr(flowreaders, "Reader", full)
    with pytest.raises(Unavailable) as caught:
        await readers.take()
    assert caught.value.code is Code.OVERLOADED
    readers.start_ahead()  # which nobody waits for: nothing happens


async def test_where_it_dies_while_it_starts_whoever_waits_is_refused() -> None:
    dying = Readers(2, "gateway.no_such_module")
    try:
        with pytest.raises(BadUpstream) as caught:
            await dying.take()
        assert caught.value.code is Code.INSPECTION_FAILED and dying.used == 0
    finally:
        await dying.stop()


async def test_it_leaves_the_cores_to_small_exchanges(readers: Readers) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    for pid in readers.pids():
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, own + 10)
