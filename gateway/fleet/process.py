"""The whole life of a serving process: `python -m gateway.fleet.process PARENT FD`.

It has a data plane of its own, and no port, no signal and no file of the log: what there is once is
the main process's. It ends when it is told to, when its start fails, or with the main process.
"""

import asyncio
import mmap
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack

from gateway.app import Beside, DataPlane
from gateway.child import Channel
from gateway.decisionlog.sharing import Joined
from gateway.fleet import messages
from gateway.fleet.messages import (
    Ask,
    Begin,
    Drain,
    Level,
    Linked,
    Report,
    Serving,
    Setup,
    State,
    Stop,
    Unfit,
    Unlinked,
)
from gateway.living import end_with, harden, take_descriptors
from gateway.startup import CannotStart, started
from gateway.telemetry import levels, logs
from gateway.telemetry.merging import tell
from gateway.turns import Ledger


class Process:
    """Hears the main process on `sock`, and does what it says."""

    def __init__(self, sock: socket.socket) -> None:
        self._channel = Channel(sock, heard=self._heard, lost=_end, takes_fds=True)
        self._joined = Joined(lambda: self._report(Unlinked()))
        self._begin: asyncio.Future[tuple[Setup, Beside]] = asyncio.Future()
        self._stop = asyncio.Event()
        self._plane: DataPlane | None = None
        self._answers: set[asyncio.Task[None]] = set()

    async def live(self) -> None:
        """Until it is told to stop, and has."""
        setup, beside = await self._begin
        logs.configure(setup.config.log_level)
        for room, level in setup.levels.items():
            levels.put(room, level, setup.config.log_level)
        async with AsyncExitStack() as stack:
            try:
                serves = await started(
                    lambda stack: self._start(setup, beside, stack), stack, self._stop
                )
            except CannotStart as error:
                self._report(Unfit(str(error)))
                self._channel.flush()
                return
            if serves:
                self._report(Serving())
                await self._stop.wait()

    async def _start(self, setup: Setup, beside: Beside, stack: AsyncExitStack) -> None:
        plane = self._plane = DataPlane(setup.config, beside)
        await plane.start(stack)

    def _report(self, report: Report) -> None:
        self._channel.send(messages.frame(report))

    def _heard(self, payload: bytes) -> None:
        match messages.read_order(payload):
            case Begin() as order:
                setup = messages.read_setup(order)
                self._begin.set_result((setup, self._beside(setup, order.sockets)))
                self._level = setup.config.log_level
            case Linked():
                self._joined.hand(socket.socket(fileno=self._channel.fds.popleft()))
            case Ask(number=number):
                answer = asyncio.create_task(self._answer(number))
                self._answers.add(answer)
                answer.add_done_callback(self._answers.discard)
            case Drain():
                if self._plane:
                    self._plane.drain()
            case Level(room=room, level=level):
                levels.put(room, level, self._level)
            case Stop():
                if self._plane:
                    self._plane.drain()
                self._stop.set()

    def _beside(self, setup: Setup, sockets: int) -> Beside:
        fds = self._channel.fds
        ledger = fds.popleft()
        shared = mmap.mmap(ledger, 8 * setup.processes)
        os.close(ledger)
        numbers = memoryview(shared).cast("q")
        return Beside(
            instance=setup.instance,
            writers=self._joined,
            sockets=tuple(socket.socket(fileno=fds.popleft()) for _ in range(sockets)),
            ledger=Ledger(numbers, setup.place),
        )

    async def _answer(self, number: int) -> None:
        plane = self._plane
        if plane is None:
            return  # it is made in this very moment
        state = State(
            number=number,
            checks=dict(await plane.checks()),
            details=dict(plane.details()),
            revision=plane.engine.facts().revision,
            exchanges=plane.exchanges,
            families=tell(plane.metrics.families()),
        )
        self._report(state)


def _end() -> None:
    """The main process is gone: nobody restarts, counts or stops this one any more."""
    os._exit(0)


async def _live(sock: socket.socket) -> None:
    await Process(sock).live()


def main(parent: str, fd: str) -> None:
    end_with(int(parent))
    harden()
    take_descriptors()  # the zygote that it is forked from may have few
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group by some supervisors:
        signal.signal(number, signal.SIG_IGN)  # the main process decides when to stop
    asyncio.run(_live(socket.socket(fileno=int(fd))))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
