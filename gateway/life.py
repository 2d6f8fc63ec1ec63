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
import gc
import json
import resource
import signal
from contextlib import AsyncExitStack, suppress
from typing import assert_never

from gateway.app import Gateway
from gateway.child import harden
from gateway.config import Config
from gateway.errors import Refusal, place
from gateway.log import Log
from gateway.policy.bundle import BundleError
from gateway.proxy.parser import UnfitParserError
from gateway.telemetry import logs
from gateway.workers.worker import WorkerError

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LOG = Log(__name__)

_Unstartable = Refusal | BundleError | UnfitParserError | WorkerError | OSError | ValueError


class CannotStart(Exception):
    """One sentence for the operator."""


def run(config: Config) -> int:
    """Serve until SIGTERM or SIGINT. Returns 0, or 1 where it could not start."""
    harden()
    _take_descriptors()
    logs.configure(config.log_level)
    try:
        asyncio.run(_live(config))
    except CannotStart as error:
        _LOG.error("cannot start", reason=str(error))
        return 1
    return 0


def _take_descriptors() -> None:
    """All that may be had: the usual soft limit of 1,024 is spent by as many idle callers."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


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


async def _live(config: Config) -> None:
    orders, gateway = _Orders(), Gateway(config)
    async with AsyncExitStack() as stack:
        # The loop takes its handlers along when it closes; a late second signal would kill.
        stack.callback(signal.pthread_sigmask, signal.SIG_BLOCK, _SIGNALS)
        if not await _started(gateway, stack, orders):
            return
        # What lives now lives until the end; looking through it again and again for garbage costs
        # a tenth of a small exchange.
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
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


async def _started(gateway: Gateway, stack: AsyncExitStack, orders: _Orders) -> bool:
    """Whether it serves now; else it was told to stop before. Raises CannotStart."""
    starting = asyncio.create_task(gateway.start(stack))
    stopped = asyncio.create_task(orders.stop.wait())
    await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not starting.done():
        orders.no_more()
        starting.cancel()
        await asyncio.wait({starting})
        return False
    try:
        await starting
    except (Refusal, BundleError, UnfitParserError, WorkerError, OSError, ValueError) as error:
        raise CannotStart(_reason(error)) from None
    return True


def _reason(error: _Unstartable) -> str:
    match error:
        case Refusal():
            return f"{error.code}: {error.note}"
        case BundleError() | UnfitParserError() | OSError() | ValueError():
            return str(error)
        case WorkerError():
            return place(error)
        case _:
            assert_never(error)
