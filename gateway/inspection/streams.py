"""Streams under way: each is read by a process of its own, which can be killed at any moment.

A stream may last for hours, so that it can't have one of the few processes for bodies at rest
(`flowreaders`), and a caller with many leaves others their share (`places`).
"""

import time
from collections.abc import Callable, Hashable
from functools import partial
from typing import Protocol

from gateway.errors import refusal_of
from gateway.inspection import flowmessages as messages
from gateway.inspection.flowmessages import Ended, Kind, Piece, Refused, Wanting
from gateway.inspection.flowreaders import READER, Reader, Readers
from gateway.inspection.settings import BodySpec, InspectionSettings, Limits
from gateway.inspection.work import Task
from gateway.model import Decision, Inspection
from gateway.places import Place, Places
from gateway.response import Payload
from gateway.workers.pool import WorkerFacts


class Incoming(Protocol):
    """A response whose body is still coming. (`proxy.upstream`)"""

    @property
    def payload(self) -> Payload: ...

    @property
    def received(self) -> int:
        """Bytes of the body so far."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the body came to its proven end."""
        ...

    async def read(self) -> bytes:
        """The next bytes, none at the proven end. Raises BadUpstream, or Late."""
        ...

    def close(self) -> None:
        """Give up what is still to come."""
        ...


class Session:
    """One stream, from its first question on, which is about `seen`.

    `next` waits for what may leave, for another question, or for the end; each of the first two has
    an answer. `waited` are the seconds that the upstream took.
    """

    seen: Inspection

    def __init__(
        self,
        reader: Reader,
        incoming: Incoming,
        deadline: float,
        done: Callable[[Reader, bool], None],
    ) -> None:
        self._reader, self._incoming, self._deadline, self._done = reader, incoming, deadline, done
        self._ended = self._closed = self._decided = False
        self.waited = 0.0

    async def begin(self) -> None:
        """Read up to the first question. Raises as `next` does."""
        asked = await self.next()
        if not isinstance(asked, messages.Asked):
            raise self._reader.unfit()
        self.seen = asked.inspection

    async def next(self) -> Piece | messages.Asked | Ended:
        """Raises BadUpstream, Late or InternalError; the stream is lost then."""
        while True:
            told = await self._reader.told(self._deadline)
            match told:
                case Wanting():
                    began = time.perf_counter()
                    chunk = await self._incoming.read()
                    self.waited += time.perf_counter() - began
                    self._reader.tell(messages.frame(Kind.CHUNK, chunk))
                case Piece() if self._decided:
                    return told
                case messages.Asked():
                    self._decided = False
                    return told
                case Ended() if self._decided and self._accounted(told.inspection):
                    self._ended = True
                    return told
                case Refused():
                    self._ended = True
                    raise refusal_of(told.code, told.note)
                case _:
                    raise self._reader.unfit()

    def _accounted(self, inspection: Inspection) -> bool:
        """Every byte that came was read, and none is missing."""
        incoming = self._incoming
        return incoming.complete and inspection.bytes_inspected == incoming.received

    def answer(self, decision: Decision) -> None:
        """What is in force from now on."""
        self._decided = True
        self._reader.tell(messages.decision_frame(decision))

    def taken(self) -> None:
        """The last piece has left."""
        self._reader.tell(messages.frame(Kind.TAKEN))

    def close(self) -> None:
        """Over, whatever it came to; what is under way is given up."""
        if self._closed:
            return
        self._closed = True
        self._incoming.close()
        self._done(self._reader, self._ended)


class Streams:
    """The streams under way, at most `inspection.streams` of them. `key` is that of pseudonyms,
    `reader` the module that each is read by."""

    def __init__(
        self, settings: InspectionSettings, key: bytes | None = None, *, reader: str = READER
    ) -> None:
        self._deadline, self._key = settings.deadline, key
        self._readers = Readers(settings.streams, reader)
        self._places = Places(settings.streams, "inspection.streams")

    async def stop(self) -> None:
        await self._readers.stop()

    def facts(self) -> WorkerFacts:
        return WorkerFacts(len(self.pids()), self._readers.restarts, self._readers.used)

    def pids(self) -> tuple[int, ...]:
        return self._readers.pids()

    async def open(
        self, incoming: Incoming, spec: BodySpec, limits: Limits, owner: Hashable
    ) -> Session:
        """Read a body up to the first question about it. Takes `incoming` over, also where it
        raises: Unavailable(OVERLOADED) for too many streams, or too many of `owner`, what starting
        a process raises, and what `Session.next` does."""
        place = self._places.take()
        try:
            place.claim(owner)
            reader = await self._readers.take()
        except BaseException:
            place.give_back()
            incoming.close()
            raise
        session = Session(reader, incoming, self._deadline, partial(self._over, place))
        try:
            reader.tell(messages.task_frame(Task(incoming.payload, spec, limits), self._key))
            self._readers.start_ahead()
            await session.begin()
        except BaseException:
            session.close()
            raise
        return session

    def _over(self, place: Place, reader: Reader, ended: bool) -> None:
        place.give_back()
        self._readers.give_back(reader, ended)
