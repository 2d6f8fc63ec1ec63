"""Streams under way: real reading processes, fed and answered in turns."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from gateway.errors import BadUpstream, Code, InternalError, Late, Unavailable
from gateway.inspection.flowmessages import Asked, Ended, Piece
from gateway.inspection.settings import BodySpec, InspectionSettings, Limits
from gateway.inspection.streams import Session, Streams
from gateway.model import Counts, Decision, Effect, Format, SubjectRef
from gateway.response import Payload

ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")
SPEC = BodySpec(Format.NDJSON, subject=({"account": ("$.owner",)},))
REDACT = Decision(Effect.REDACT, frozenset({ME}), False, frozenset(), (), (), "r1")
LIMITS = Limits()


def line(owner: str) -> bytes:
    return json.dumps({"owner": owner}).encode() + b"\n"


@dataclass
class Arriving:
    """A body that comes as the test says; after the last chunk it ends, or hangs."""

    chunks: list[bytes]
    hangs: bool = False
    fault: Exception | None = None
    proven: bool = True
    payload: Payload = field(default_factory=lambda: Payload("application/x-ndjson"))
    received: int = 0
    complete: bool = False
    closed: bool = False

    async def read(self) -> bytes:
        if self.chunks:
            chunk = self.chunks.pop(0)
            self.received += len(chunk)
            return chunk
        if self.fault:
            raise self.fault
        if self.hangs:
            await asyncio.Event().wait()
        self.complete = self.proven
        return b""

    def close(self) -> None:
        self.closed = True


@pytest_asyncio.fixture
async def streams() -> AsyncIterator[Streams]:
    streams = Streams(InspectionSettings(streams=2))
    yield streams
    await streams.stop()


async def through(session: Session) -> tuple[bytes, Ended]:
    """All that leaves, with one answer to every question."""
    body = b""
    session.answer(REDACT)
    while True:
        match told := await session.next():
            case Piece():
                body += told.data
                session.taken()
            case Asked():
                session.answer(REDACT)
            case Ended():
                session.close()
                return body, told


async def test_a_body_is_asked_about_released_and_accounted_for(streams: Streams) -> None:
    body = Arriving([line("me"), line("foreign"), line("me")])
    session = await streams.open(body, SPEC, LIMITS, "me")
    assert session.seen.subjects == (ME,)
    assert streams.facts().jobs == 1
    left, ended = await through(session)
    assert left == line("me") * 2
    assert ended.counts == Counts(3, 2, 1)
    assert body.closed and streams.facts().jobs == 0


async def test_a_process_that_came_to_a_clean_end_reads_the_next_stream(streams: Streams) -> None:
    assert streams.pids() == ()
    await through(await streams.open(Arriving([line("me")]), SPEC, LIMITS, "me"))
    before = streams.pids()
    for _ in range(3):
        await through(await streams.open(Arriving([line("me")]), SPEC, LIMITS, "me"))
    assert set(before) & set(streams.pids())
    assert streams.facts().restarts == 0


async def test_a_refusal_arrives_with_its_code_and_its_process_lives_on(streams: Streams) -> None:
    body = Arriving([b'{"owner"\n'])
    with pytest.raises(BadUpstream) as caught:
        await streams.open(body, SPEC, LIMITS, "me")
    assert caught.value.code is Code.BODY_MALFORMED and body.closed
    assert streams.facts().restarts == 0
    left, _ = await through(await streams.open(Arriving([line("me")]), SPEC, LIMITS, "me"))
    assert left == line("me")


async def test_what_the_upstream_does_wrong_is_the_stream_s_fault(streams: Streams) -> None:
    cut = BadUpstream(Code.BODY_INCOMPLETE, "cut")
    session = await streams.open(Arriving([line("me")], fault=cut), SPEC, LIMITS, "me")
    session.answer(REDACT)
    assert isinstance(await session.next(), Piece)
    session.taken()
    with pytest.raises(BadUpstream) as caught:
        await session.next()
    assert caught.value is cut
    session.close()
    left, _ = await through(await streams.open(Arriving([line("me")]), SPEC, LIMITS, "me"))
    assert left == line("me")


async def test_an_end_that_is_not_proven_is_none(streams: Streams) -> None:
    session = await streams.open(Arriving([line("me")], proven=False), SPEC, LIMITS, "me")
    with pytest.raises(InternalError):
        await through(session)
    session.close()


async def test_a_killed_process_is_a_refusal_and_another_takes_its_place(streams: Streams) -> None:
    session = await streams.open(Arriving([line("me")], hangs=True), SPEC, LIMITS, "me")
    killed = streams.pids()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    session.answer(REDACT)
    with pytest.raises(BadUpstream) as caught:
        await session.next()
    assert caught.value.code is Code.INSPECTION_FAILED
    session.close()
    async with asyncio.timeout(60):  # the one that waited ahead was killed, too
        while set(killed) & set(streams.pids()) or streams._readers._coming:
            await asyncio.sleep(0.001)
    left, _ = await through(await streams.open(Arriving([line("me")]), SPEC, LIMITS, "me"))
    assert left == line("me")


async def test_a_process_that_says_nothing_is_given_up_at_the_deadline(streams: Streams) -> None:
    impatient = Streams(InspectionSettings(deadline=0.5, streams=2))
    try:
        session = await impatient.open(Arriving([line("me")], hangs=True), SPEC, LIMITS, "me")
        for pid in impatient.pids():
            os.kill(pid, signal.SIGSTOP)
        session.answer(REDACT)
        with pytest.raises(Late) as caught:
            await session.next()
        assert caught.value.code is Code.INSPECTION_TIMEOUT
        session.close()
    finally:
        await impatient.stop()


async def test_more_streams_than_configured_are_refused_until_one_ends(streams: Streams) -> None:
    first, second = [
        await streams.open(Arriving([line("me")], hangs=True), SPEC, LIMITS, each)
        for each in ("one", "two")
    ]
    third = Arriving([line("me")])
    with pytest.raises(Unavailable) as caught:
        await streams.open(third, SPEC, LIMITS, "three")
    assert caught.value.code is Code.OVERLOADED and third.closed
    first.close()
    left, _ = await through(await streams.open(Arriving([line("me")]), SPEC, LIMITS, "three"))
    assert left == line("me")
    second.close()


async def test_a_caller_with_many_streams_leaves_one_for_another(streams: Streams) -> None:
    lasting = Arriving([line("me")], hangs=True)
    first = await streams.open(lasting, SPEC, LIMITS, "me")
    beyond = Arriving([line("me")])
    with pytest.raises(Unavailable) as caught:
        await streams.open(beyond, SPEC, LIMITS, "me")
    assert caught.value.code is Code.OVERLOADED and beyond.closed
    assert caught.value.note == "the caller has its share of inspection.streams"
    left, _ = await through(await streams.open(Arriving([line("me")]), SPEC, LIMITS, "another"))
    assert left == line("me")
    first.close()
    # What the caller had is free again.
    left, _ = await through(await streams.open(Arriving([line("me")]), SPEC, LIMITS, "me"))
    assert left == line("me")


async def test_a_cancelled_opening_gives_its_process_and_its_body_back(streams: Streams) -> None:
    body = Arriving([], hangs=True)
    opening = asyncio.create_task(streams.open(body, SPEC, LIMITS, "me"))
    while streams.facts().jobs == 0:
        await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert body.closed and streams.facts().jobs == 0


async def test_a_reader_that_hands_on_before_an_answer_is_not_listened_to(
    streams: Streams,
) -> None:
    """Nothing leaves before the verdict, whatever a process that read hostile input says."""
    session = await streams.open(Arriving([line("me"), line("me")]), SPEC, LIMITS, "me")
    session.answer(REDACT)
    session._decided = False  # as if the answer had not been given
    with pytest.raises(InternalError):
        await session.next()
    session.close()
