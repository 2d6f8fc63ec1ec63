"""One serving process at a time, and another in its place where it dies or stands still.

    spawn ─▶ Begin ─▶ Serving ─▶ Ask, State, Ask, State … ─▶ Stop ─▶ it ends
      ▲         └── Unfit: at the first start the gateway can't start, later it is tried again
      └── a pause ◀── it died, or hasn't answered for `_STILL`

What it had in flight is cut off: its connections are reset, its spool files go with it, and nothing
was released that has no entry.
"""

import asyncio
import socket
from collections.abc import Callable

import msgspec

from gateway.child import Child
from gateway.fleet import messages
from gateway.fleet.messages import Ask, Linked, Order, Serving, State, Unfit, Unlinked
from gateway.log import Log
from gateway.startup import CannotStart

_PROCESS = "gateway.fleet.process"
_EVERY = 5.0
"""Seconds between two looks; what it counted since the last one is lost where it is killed."""
_STILL = 30.0
_BEGINNING = 60.0
"""Seconds for the first answer of a process, which has its modules to load."""
_SLOWER = 5
"""How often the pause before another process doubles, while none comes to serve."""

_LOG = Log(__name__)


class Member:
    """`begin` sends the first order, with its descriptors; `unlinked` is called when the process
    needs a channel to the log's writer, `gone` with its last state when it ended unasked.

    `still` is how long it may leave a question unanswered, in seconds.
    """

    def __init__(
        self,
        begin: Callable[[Child], None],
        unlinked: Callable[["Member"], None],
        gone: Callable[["Member", State | None], None],
        *,
        still: float = _STILL,
        every: float = _EVERY,
    ) -> None:
        self._begin, self._unlinked, self._gone = begin, unlinked, gone
        self._still, self._every = still, every
        self._child: Child | None = None
        self._first: asyncio.Future[None] | None = None
        self._news = asyncio.Event()
        self._asked = self._failures = 0
        self._watching: asyncio.Task[None] | None = None
        self._stopping = False
        self.serves = False
        self.state: State | None = None
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    async def start(self) -> None:
        """Return when it serves. Raises CannotStart, or OSError."""
        self._first = asyncio.get_running_loop().create_future()
        self._spawn()
        self._watching = asyncio.create_task(self._watch())
        await self._first

    async def stop(self, grace: float) -> None:
        """Have it end; kill it where that takes longer than `grace` seconds."""
        self._stopping = True
        self.tell(messages.Stop())
        try:
            async with asyncio.timeout(grace):
                while self._child:
                    await self._hear()
        except TimeoutError:
            _LOG.error("a serving process did not stop, and is killed", pid=self.pid)
        finally:
            if self._watching:
                self._watching.cancel()
            self._end()

    def tell(self, order: Order) -> None:
        """Lost where there is no process."""
        if self._child:
            self._child.send(messages.frame(order))

    def link(self, channel: socket.socket) -> None:
        """Give it a channel to the log's writer."""
        if self._child is None:
            return
        if self._child.flush():
            self._child.send_with((channel.fileno(),), messages.frame(Linked()))
        else:
            self._lost("it reads nothing")

    async def ask(self, patience: float) -> State | None:
        """How it does now; None where it doesn't answer."""
        if self._child is None:
            return None
        self._asked += 1
        number = self._asked
        self.tell(Ask(number))
        try:
            async with asyncio.timeout(patience):
                while self._child and (self.state is None or self.state.number < number):
                    await self._hear()
        except TimeoutError:
            return None
        return self.state

    async def _hear(self) -> None:
        """Wait for the next report, or the end of the process."""
        self._news.clear()
        await self._news.wait()

    async def _watch(self) -> None:
        while True:
            child = self._child
            answer = await self.ask(self._still if self.state else _BEGINNING)
            if answer is None and child is not None and child is self._child:
                self._lost("it stands still")
            await asyncio.sleep(self._every)

    def _spawn(self) -> None:
        """Raises OSError where the system has no room for another process."""
        self._child = Child(
            _PROCESS, heard=self._heard, lost=lambda: self._lost("the process ended")
        )
        self._begin(self._child)

    def _heard(self, payload: bytes) -> None:
        try:
            report = messages.read_report(payload)
        except msgspec.DecodeError:
            self._lost("it says what nobody asked")
            return
        match report:
            case State():
                self.state = report
            case Unlinked():
                self._unlinked(self)
            case Serving():
                self.serves, self._failures = True, 0
                if self._first and not self._first.done():
                    self._first.set_result(None)
                else:
                    _LOG.info("a serving process took the place of another", pid=self.pid)
            case Unfit(reason=reason):
                if self._first and not self._first.done():
                    self._first.set_exception(CannotStart(reason))
                else:
                    _LOG.error("a serving process can't start", reason=reason)
        self._news.set()

    def _lost(self, reason: str) -> None:
        pid = self.pid
        state, self.state, self.serves = self.state, None, False
        self._end()
        self._gone(self, state)
        if self._first and not self._first.done():
            self._first.set_exception(CannotStart(f"a serving process: {reason}"))
        if self._stopping or (self._first and not self._served_once()):
            return
        self.restarts += 1
        pause = self._every / 50 * 2 ** min(self._failures, _SLOWER)
        self._failures += 1
        _LOG.error("a serving process is replaced", pid=pid, reason=reason, seconds=pause)
        asyncio.get_running_loop().call_later(pause, self._respawn)

    def _served_once(self) -> bool:
        return bool(self._first and self._first.done() and self._first.exception() is None)

    def _respawn(self) -> None:
        if self._stopping:
            return
        try:
            self._spawn()
        except OSError:  # no descriptor, no memory, no place for a process: that passes
            self._lost("there is no room for a process")

    def _end(self) -> None:
        if self._child:
            self._child.end()
        self._child = None
        self._news.set()
