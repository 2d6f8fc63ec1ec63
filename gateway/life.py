"""The life of the process: from the first line of its log to its exit code.

    start ─▶ serve ─▶ drain: not ready, still serving ─▶ stop: no new connection, exchanges end ─▶ 0
                  SIGTERM, SIGINT         client.drain_delay            client.drain
                  or POST /drain          or a second signal

Whoever stops a pod takes it out of its Service at the same moment, and connections still arrive for
seconds after that: while it drains, the gateway takes them and serves them, and every answer closes
its connection. What ends the start is misconfiguration; what may come back by itself is waited for,
with the admin port open, so that `/readyz` says for what (`docs/life-of-a-pod.md`).
"""

import asyncio
import json
import signal
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

from gateway.config import Config
from gateway.fleet.cores import cores
from gateway.living import harden, take_descriptors
from gateway.log import Log
from gateway.single import Gateway
from gateway.startup import CannotStart, started
from gateway.telemetry import logs

if TYPE_CHECKING:
    from gateway.fleet.fleet import Fleet

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LOG = Log(__name__)


def run(config: Config) -> int:
    """Serve until SIGTERM or SIGINT. Returns 0, or 1 where it could not start."""
    harden()
    take_descriptors()
    logs.configure(config.log_level)
    try:
        asyncio.run(_live(config))
    except CannotStart as error:
        _LOG.error("cannot start", reason=str(error))
        return 1
    return 0


class _Orders:
    """What the signals ask for: the first one to stop, another one to stop waiting for callers."""

    def __init__(self) -> None:
        self.stop, self.hurry = asyncio.Event(), asyncio.Event()
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._heard)

    def _heard(self) -> None:
        (self.hurry if self.stop.is_set() else self.stop).set()

    def no_more(self) -> None:
        """There is nothing left to ask for, and a flood of signals can lock Python up."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _fleet(config: Config, processes: int) -> "Fleet":
    from gateway.fleet.fleet import Fleet  # what one process needs none of

    return Fleet(config, processes)


async def _live(config: Config) -> None:
    orders = _Orders()
    processes = cores() if config.workers == "auto" else config.workers
    gateway = _fleet(config, processes) if processes > 1 else Gateway(config)
    async with AsyncExitStack() as stack:
        # The loop takes its handlers along when it closes; a late second signal would kill.
        stack.callback(signal.pthread_sigmask, signal.SIG_BLOCK, _SIGNALS)
        if not await started(gateway.start, stack, orders.stop, stopping=orders.no_more):
            return
        words = {"listen": gateway.data_url, "admin": gateway.admin_url}
        print(json.dumps(words), flush=True)
        _LOG.info("listening", **words)
        await orders.stop.wait()
        gateway.drain()
        delay = config.client.drain_delay - gateway.drained_for
        if delay > 0:
            _LOG.info("still serving", seconds=round(delay, 3))
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await orders.hurry.wait()
        orders.no_more()
        _LOG.info("stopping", exchanges=gateway.exchanges)
