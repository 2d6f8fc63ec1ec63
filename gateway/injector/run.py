"""Composition: the template and the certificate are kept, the two ports served, until a stop.

Stop (SIGTERM or SIGINT): not ready at once, reviews are taken for `drain` longer, until every API
server has learnt that there is one replica less, and those under way end.
"""

import asyncio
import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from typing import assert_never

from gateway.injector import generations
from gateway.injector import metrics as names
from gateway.injector.files import Watched
from gateway.injector.kubernetes import Api
from gateway.injector.server import ReviewServer
from gateway.injector.settings import InjectorSettings, MountedCertificate, OwnCertificate
from gateway.injector.template import Template, load
from gateway.injector.tls import Handshakes, certificate_of
from gateway.injector.upkeep import Pace, Upkeep
from gateway.living import harden
from gateway.log import Log
from gateway.proxy.settings import Address
from gateway.telemetry import logs
from gateway.telemetry.admin import AdminServer
from gateway.telemetry.metrics import Reading

_LOG = Log(__name__)


def run(settings: InjectorSettings) -> int:
    """Serve until SIGTERM or SIGINT. Returns 0, or 1 where it could not start."""
    harden()
    logs.configure(settings.log_level)
    try:
        asyncio.run(_serve(settings))
    except OSError as error:
        _LOG.error("cannot start", reason=str(error))
        return 1
    return 0


async def _serve(settings: InjectorSettings) -> None:
    stopping, signals = asyncio.Event(), (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    injector = Injector(settings)
    async with AsyncExitStack() as stack:
        # The loop takes its handlers along when it closes; a late second signal would kill.
        stack.callback(signal.pthread_sigmask, signal.SIG_BLOCK, signals)
        await injector.start(stack)
        words = {"listen": injector.url, "admin": injector.admin_url}
        print(json.dumps(words), flush=True)
        _LOG.info("listening", **words)
        await stopping.wait()
        _LOG.info("draining")
        injector.draining = True
        await asyncio.sleep(settings.drain)


class Injector:
    """One replica."""

    def __init__(self, settings: InjectorSettings) -> None:
        self._settings = settings
        self._template: Template | None = None
        self.draining = False
        self.handshakes = Handshakes()
        self.metrics = names.InjectorMetrics(self._readings)
        self._sidecar = Watched("sidecar", (settings.sidecar,), self._use_template)
        self._upkeep: Upkeep | Watched = self._certificate()

    async def start(self, stack: AsyncExitStack) -> None:
        """Raises OSError where an address can't be bound."""
        settings = self._settings
        self._admin = AdminServer(
            settings.admin.host, settings.admin.port, self.metrics, self.checks
        )
        await self._admin.start()
        stack.push_async_callback(self._admin.stop)
        self._server = ReviewServer(
            settings.listen.host, settings.listen.port, self.handshakes,
            lambda: self._template, self.metrics.count,
        )  # fmt: skip
        await self._server.start()
        stack.push_async_callback(self._server.stop)
        self._sidecar.look()
        if isinstance(self._upkeep, Watched):
            self._upkeep.look()
        for keep in (self._sidecar.keep, self._upkeep.keep):
            task = asyncio.create_task(keep())
            stack.callback(task.cancel)

    @property
    def url(self) -> str:
        return f"https://{Address(self._settings.listen.host, self._server.port)}"

    @property
    def admin_url(self) -> str:
        return f"http://{Address(self._settings.admin.host, self._admin.port)}"

    async def checks(self) -> Mapping[str, bool]:
        """What must hold before reviews come."""
        return self._checks()

    def _checks(self) -> Mapping[str, bool]:
        checks = {
            "accepting": not self.draining,
            "sidecar": self._template is not None,
            "certificate": self.handshakes.valid(generations.now()),
        }
        if isinstance(self._upkeep, Upkeep):
            checks["trusted"] = self._upkeep.trusted
        return checks

    def _readings(self) -> Iterator[Reading]:
        upkeep, certificate = self._upkeep, self.handshakes.certificate
        yield Reading(names.READY, all(self._checks().values()))
        expiry = certificate.not_after.timestamp() if certificate else 0.0
        yield Reading(names.EXPIRY, expiry)
        yield Reading(names.SIDECAR_CURRENT, self._sidecar.current)
        kept = upkeep.current if isinstance(upkeep, Watched) else upkeep.well
        yield Reading(names.UPKEEP_OK, kept)

    def _use_template(self, contents: tuple[bytes, ...]) -> None:
        self._template = load(contents[0])

    def _use_mounted(self, contents: tuple[bytes, ...]) -> None:
        chain, key = contents
        self.handshakes.use(certificate_of(key, chain))

    def _certificate(self) -> Upkeep | Watched:
        match self._settings.certificate:
            case MountedCertificate(folder=folder):
                paths = (folder / "tls.crt", folder / "tls.key")
                return Watched("certificate", paths, self._use_mounted)
            case OwnCertificate() as own:
                api = Api(own.api, own.account)
                return Upkeep(api, own.places, own.names, Pace(own.lifetime), self.handshakes)
            case _:
                assert_never(self._settings.certificate)
