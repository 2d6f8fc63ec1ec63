"""The processes that read streams: taken for one, given back for the next.

There is none before the first stream. From then on one waits ahead, since starting one may take
longer than a caller should wait for a first record; and one that comes back is kept beside it, so
that most streams start none. Of a stream that is given up in its midst (its caller left, the policy
blocks it) the process is told to stop; it is killed where it doesn't, or where it did something
wrong.
"""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Coroutine

from gateway.child import Child
from gateway.errors import BadUpstream, Code, InternalError, Late, Refusal, Unavailable
from gateway.inspection import flowmessages as messages
from gateway.inspection.flowmessages import Kind, Ready, Told
from gateway.log import Log

READER = "gateway.inspection.flowprocess"
_START_DEADLINE = 60.0
_STOP_DEADLINE = 1.0
"""Seconds. The next stream may wait for it: no longer than for another one to start, about."""
_IDLE = 2
"""Processes that are kept for the next streams."""
_NICE = 10
"""Small exchanges go first, as with the bodies at rest; from its start on, so that one that waits
ahead takes no core from the stream that is under way meanwhile."""

_LOG = Log(__name__)


class Reader:
    """One process. Raises OSError where the system has no room for another one."""

    def __init__(self, module: str = READER) -> None:
        self._told: deque[bytes] = deque()
        self._heard: asyncio.Future[None] | None = None
        self._lost = False
        self._child = Child(module, heard=self._hear, lost=self._lose)
        with contextlib.suppress(OSError):  # it ended already, which is seen when it is asked
            own = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, self._child.pid, own + _NICE)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def lost(self) -> bool:
        return self._lost

    async def told(self, deadline: float) -> Told:
        """What it says next. Raises Late, InternalError for nonsense, or BadUpstream where it died;
        it is lost then."""
        if not self._told and not self._lost:
            self._heard = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(deadline):
                    await self._heard
            except TimeoutError:
                self.end()
                raise Late(Code.INSPECTION_TIMEOUT, "inspection.deadline passed") from None
            finally:
                self._heard = None
        if not self._told:
            raise BadUpstream(Code.INSPECTION_FAILED, "the inspecting process died")
        try:
            return messages.read_told(self._told.popleft())
        except ValueError:
            raise self.unfit("a reader said what is no word") from None

    def unfit(self, note: str = "a reader spoke out of turn") -> InternalError:
        """The fault of one that isn't listened to any more, and is ended."""
        self.end()
        return InternalError(Code.INTERNAL_ERROR, note)

    def tell(self, frame: bytes) -> None:
        self._child.send(frame)

    async def ready(self, deadline: float = _START_DEADLINE) -> None:
        """Wait until it can be given a task. Raises as `told` does."""
        if not isinstance(await self.told(deadline), Ready):
            raise self.unfit()

    async def stopped(self) -> None:
        """Have it give up its task, and wait until it can be given another. Raises as `told`."""
        self.tell(messages.frame(Kind.STOP))
        if not isinstance(await self.told(_STOP_DEADLINE), Ready):  # said before it heard that
            await self.ready(_STOP_DEADLINE)

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


class Readers:
    """At most `most` processes in use, and those that wait. `module` is what each runs."""

    def __init__(self, most: int, module: str = READER) -> None:
        self._most, self._module = most, module
        self._used: set[Reader] = set()
        self._idle: list[Reader] = []
        self._coming: dict[Reader, asyncio.Task[None]] = {}  # that will be idle
        self._waiting: deque[asyncio.Future[Reader]] = deque()
        self._stopped = False
        self.restarts = 0

    @property
    def used(self) -> int:
        return len(self._used)

    def pids(self) -> tuple[int, ...]:
        return tuple(reader.pid for reader in self._all() if not reader.lost)

    async def stop(self) -> None:
        self._stopped = True
        for task in self._coming.values():
            task.cancel()
        for reader in self._all():
            reader.end()
        self._idle.clear()

    async def take(self) -> Reader:
        """One that waits for a task.

        Raises Unavailable(OVERLOADED) where there can't be another, and what starting one raises.
        """
        if len(self._used) + len(self._waiting) >= self._most:
            raise Unavailable(Code.OVERLOADED, "as many streams as inspection.streams")
        while self._idle:
            reader = self._idle.pop()
            if not reader.lost:
                self._used.add(reader)
                return reader
            self.restarts += 1
        turn: asyncio.Future[Reader] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._start_for_all()
        try:
            return await turn
        except BaseException:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif turn.done() and not turn.cancelled() and not turn.exception():
                self.give_back(turn.result(), True)  # its turn came when nobody waited any more
            raise

    def give_back(self, reader: Reader, ended: bool) -> None:
        """Whoever took it has no use for it; its stream ended, or must be given up."""
        self._used.discard(reader)
        if reader.lost:
            self._replace()
        elif ended:
            self._free(reader)
        elif self._has_place():
            self._expect(reader, self._stopping(reader))
        else:
            reader.end()

    def start_ahead(self) -> None:
        """Have one wait for the next stream, if none does."""
        if not (self._idle or self._coming or self._stopped):
            with contextlib.suppress(OSError):
                self._start_another()

    def _all(self) -> tuple[Reader, ...]:
        return (*self._idle, *self._coming, *self._used)

    def _has_place(self) -> bool:
        kept = len(self._idle) + len(self._coming)
        return not self._stopped and kept < _IDLE + len(self._waiting)

    def _free(self, reader: Reader) -> None:
        """It can be given a task: by whoever waits longest, or else for the next stream."""
        if turn := self._next_turn():
            self._used.add(reader)
            turn.set_result(reader)
        elif self._has_place():
            self._idle.append(reader)
        else:
            reader.end()

    def _next_turn(self) -> asyncio.Future[Reader] | None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # cancelled, and not heard of it yet
                return turn
        return None

    def _replace(self) -> None:
        self.restarts += 1
        _LOG.info("a stream's process is ended in its midst")
        self.start_ahead()
        self._start_for_all()

    def _start_for_all(self) -> None:
        """As many are on their way as are waited for."""
        while len(self._coming) < len(self._waiting):
            try:
                self._start_another()
            except OSError:
                self._fail(Unavailable(Code.OVERLOADED, "no room for another process"))

    def _fail(self, error: Refusal) -> None:
        if len(self._coming) < len(self._waiting) and (turn := self._next_turn()):
            turn.set_exception(error)

    def _start_another(self) -> None:
        reader = Reader(self._module)
        self._expect(reader, self._starting(reader))

    def _expect(self, reader: Reader, free: Coroutine[None, None, None]) -> None:
        self._coming[reader] = asyncio.get_running_loop().create_task(free)

    async def _starting(self, reader: Reader) -> None:
        try:
            await reader.ready()
        except (BadUpstream, Late, InternalError) as error:
            del self._coming[reader]
            self._fail(error)
        else:
            del self._coming[reader]
            self._free(reader)

    async def _stopping(self, reader: Reader) -> None:
        try:
            await reader.stopped()
        except (BadUpstream, Late, InternalError):
            del self._coming[reader]
            self._replace()
        else:
            del self._coming[reader]
            self._free(reader)
