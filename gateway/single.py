"""A gateway in one process: its data plane and its admin port share an event loop."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

from gateway.app import DataPlane
from gateway.config import Config
from gateway.log import Log
from gateway.proxy.settings import Address
from gateway.telemetry import readings
from gateway.telemetry.admin import AdminServer
from gateway.telemetry.levels import LogLevels
from gateway.telemetry.parts import main_process

_LOG = Log(__name__)


class Gateway:
    """A data plane and an admin port, in one process."""

    def __init__(self, config: Config) -> None:
        self._config = config

    async def start(self, stack: AsyncExitStack) -> None:
        """Start every room, the admin port first; `stack` stops them, the last one first.

        Raises as `DataPlane` does.
        """
        config = self._config
        self.plane = plane = DataPlane(config, more=(main_process, partial(readings.serving, 0)))
        onboarding = plane.onboarding
        self._admin = AdminServer(
            config.admin.host,
            config.admin.port,
            plane.metrics,
            plane.checks,
            lambda: {"observing": onboarding.observing(), **plane.details()},
            drain=self.drain,
            log_levels=LogLevels(config.log_level),
        )
        await self._admin.start()
        stack.push_async_callback(self._admin.stop)
        _LOG.info("starting", admin=self.admin_url)
        await plane.start(stack)
        stack.callback(asyncio.create_task(onboarding.keep_announcing()).cancel)

    def drain(self) -> None:
        """Not ready from now; the data port goes on, and closes each connection with its next
        answer. Called again, it changes nothing."""
        self.plane.drain()

    @property
    def drained_for(self) -> float:
        """Seconds since `drain`."""
        return self.plane.drained_for

    @property
    def exchanges(self) -> int:
        """Those in flight."""
        return self.plane.exchanges

    @property
    def data_url(self) -> str:
        return self.plane.data_url

    @property
    def admin_url(self) -> str:
        return f"http://{Address(self._config.admin.host, self._admin.port)}"
