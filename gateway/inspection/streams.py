"""Streams under way: each is read by a process of its own, which can be killed at any moment.

A stream may last for hours, so that it can't have one of the few processes for bodies at rest. A
process that came to a clean end reads the next stream; whatever went wrong ends it. One waits
ahead, since starting one takes longer than a caller should wait for a first record.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from gateway.child import Child
from gateway.errors import BadUpstream, Code, InternalError, Late, Unavailable, refusal_of
from gateway.inspection import flowmessages as messages
from gateway.inspection.flowmessages import Ended, Kind, Piece, Ready, Refused, Told, Wanting
from gateway.inspection.settings import BodySpec, InspectionSettings, Limits
from gateway.inspection.work import Task
from gateway.log import Log
from gateway.model import Decision, Inspection
from gateway.response import Payload
from gateway.workers.pool import WorkerFacts

_READER = "gateway.inspection.flowprocess"
_START_DEADLINE = 60.0
_IDLE = 2
"""Processes that are kept for the next streams."""

_LOG = Log(__name__)


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


class _Reader:
    """One process. Raises OSError where the system has no room for another one."""

    def __init__(self, module: str) -> None:
        self._told: deque[bytes] = deque()
        self._heard: asyncio.Future[None] | None = None
        self._lost = False
        self._child = Child(module, heard=self._hear, lost=self._lose)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def lost(self) -> bool:
        return self._lost

    async def told(self, deadline: float) -> Told:
        """What it says next. Raises Late, or BadUpstream where it died or says nonsense."""
        if not self._told and not self._lost:
            self._heard = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(deadline):
                    await self._heard
            except TimeoutError:
                raise Late(Code.INSPECTION_TIMEOUT, "inspection.deadline passed") from None
            finally:
                self._heard = None
        if not self._told:
            raise BadUpstream(Code.INSPECTION_FAILED, "the inspecting process died")
        try:
            return messages.read_told(self._told.popleft())
        except ValueError:
            raise InternalError(Code.INTERNAL_ERROR, "a reader said what is no word") from None

    def tell(self, frame: bytes) -> None:
        self._child.send(frame)

    def end(self) -> None:
        """Kill it; whoever waits for it hears that it is lost."""
        self._child.end()
        self._lose()

    def _hear(self, frame: bytes) -> None:
        self._told.append(frame)
        self._wake()

    def _lose(self) -> None:
        self._lost = True
        self._wake()

    def _wake(self) -> None:
        if self._heard and not self._heard.done():
            self._heard.set_result(None)


class Session:
    """One stream, from its first question on, which is about `seen`.

    `next` waits for what may leave, for another question, or for the end; each of the first two has
    an answer. `waited` are the seconds that the upstream took.
    """

    seen: Inspection

    def __init__(
        self,
        reader: _Reader,
        incoming: Incoming,
        deadline: float,
        done: Callable[[_Reader, bool], None],
    ) -> None:
        self._reader, self._incoming, self._deadline, self._done = reader, incoming, deadline, done
        self._ended = self._closed = self._decided = False
        self.waited = 0.0

    async def begin(self) -> None:
        """Read up to the first question. Raises as `next` does."""
        asked = await self.next()
        if not isinstance(asked, messages.Asked):
            raise InternalError(Code.INTERNAL_ERROR, "a reader spoke out of turn")
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
                    raise InternalError(Code.INTERNAL_ERROR, "a reader spoke out of turn")

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
        self, settings: InspectionSettings, key: bytes | None = None, *, reader: str = _READER
    ) -> None:
        self._settings, self._key, self._module = settings, key, reader
        self._open: set[_Reader] = set()
        self._idle: list[_Reader] = []
        self._starting: set[asyncio.Task[None]] = set()
        self._restarts = 0
        self._stopped = False

    async def start(self) -> None:
        """Raises BadUpstream, Late or OSError where no process can be had."""
        self._idle.append(await self._started())

    async def stop(self) -> None:
        self._stopped = True
        for task in tuple(self._starting):
            task.cancel()
        for reader in (*self._idle, *self._open):
            reader.end()
        self._idle.clear()

    def facts(self) -> WorkerFacts:
        return WorkerFacts(len(self.pids()), self._restarts, len(self._open))

    def pids(self) -> tuple[int, ...]:
        return tuple(reader.pid for reader in (*self._idle, *self._open) if not reader.lost)

    async def open(self, incoming: Incoming, spec: BodySpec, limits: Limits) -> Session:
        """Read a body up to the first question about it. Takes `incoming` over, also where it
        raises: Unavailable(OVERLOADED) for too many streams, what starting a process raises, and
        what `Session.next` does."""
        try:
            reader = await self._take()
        except BaseException:
            incoming.close()
            raise
        session = Session(reader, incoming, self._settings.deadline, self._over)
        try:
            reader.tell(messages.task_frame(Task(incoming.payload, spec, limits), self._key))
            await session.begin()
        except BaseException:
            session.close()
            raise
        return session

    async def _take(self) -> _Reader:
        if len(self._open) >= self._settings.streams:
            raise Unavailable(Code.OVERLOADED, "as many streams as inspection.streams")
        while self._idle:
            reader = self._idle.pop()
            if not reader.lost:
                self._open.add(reader)
                self._start_ahead()
                return reader
            self._restarts += 1
        try:
            reader = await self._started(self._open)
        except OSError:
            raise Unavailable(Code.OVERLOADED, "no room for another process") from None
        return reader

    async def _started(self, place: set[_Reader] | None = None) -> _Reader:
        reader = _Reader(self._module)
        if place is not None:
            place.add(reader)  # before anything is waited for: it counts
        try:
            if not isinstance(await reader.told(_START_DEADLINE), Ready):
                raise InternalError(Code.INTERNAL_ERROR, "a reader spoke out of turn")
        except BaseException:
            reader.end()
            if place is not None:
                place.discard(reader)
            raise
        return reader

    def _over(self, reader: _Reader, clean: bool) -> None:
        self._open.discard(reader)
        if clean and not reader.lost and len(self._idle) < _IDLE and not self._stopped:
            self._idle.append(reader)
            return
        self._restarts += not clean
        reader.end()
        if not clean:
            _LOG.info("a stream's process is ended in its midst")
            self._start_ahead()

    def _start_ahead(self) -> None:
        """Have a process wait for the next stream, if none does."""
        if self._idle or self._starting or self._stopped:
            return
        task = asyncio.get_running_loop().create_task(self._ahead())
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _ahead(self) -> None:
        with contextlib.suppress(BadUpstream, Late, InternalError, OSError):
            self._idle.append(await self._started())
