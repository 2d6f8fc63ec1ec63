"""The real `guard` between real sockets, with permissive rooms: what is refused here was refused
by the proxy, and what passes was let through by it."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from gateway.decisionlog.entry import Evidence, Outcome, withdrawn
from gateway.endpoints import Endpoint, Endpoints
from gateway.errors import Code, Unauthenticated, cut_off
from gateway.exchange import guard
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Caller, Counts, Decision, Effect, Format, Inspection
from gateway.policy.contract import Question
from gateway.proxy.admission import Admission
from gateway.proxy.server import DataServer
from gateway.proxy.settings import (
    Address,
    ClientSettings,
    ProxySettings,
    RequestLimits,
    UpstreamSettings,
)
from gateway.proxy.upstream import UpstreamClient
from gateway.response import Response
from gateway.rooms import Rooms
from gateway.spool import Spool, Spooled, SpoolSettings
from tests.support.wire import Answerer, Script, ScriptedUpstream

ENDPOINTS = (
    Endpoint(
        name="orders",
        path="/exports/orders",
        body=BodySpec(format=Format.JSON),
        methods=("GET", "POST"),
        limits=Limits(body=4 * 2**20),
    ),
    Endpoint(name="archive", path="/exports/{id}/archive", body=BodySpec(format=Format.ZIP)),
)


class _Identity:
    async def authenticate(self, authorization: tuple[bytes, ...]) -> Caller:
        if authorization not in ((b"Bearer me",), (b"Bearer another",)):
            raise Unauthenticated(Code.TOKEN_MISSING)
        return Caller("https://id.test", authorization[0].split()[1].decode(), ())


class _Policy:
    async def decide(self, question: Question) -> Decision:
        return Decision(Effect.ALLOW, frozenset(), False, frozenset(), (), ("test",), "r1")


class _Inspector:
    async def inspect(self, response: Response, spec: BodySpec, limits: Limits) -> Inspection:
        size = response.body.size
        return Inspection(spec.format, (), (), size, size, size)

    async def rewrite(self, *_: object) -> tuple[Spooled, Counts]:
        raise NotImplementedError


@dataclass
class Log:
    """Entries in memory. `open` holds every append back until it is set."""

    entries: list[Evidence] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    appended: asyncio.Event = field(default_factory=asyncio.Event)

    waiting: int = 0

    def ready(self) -> bool:
        return True

    async def append(self, evidence: Evidence) -> None:
        self.waiting += 1
        try:
            await self.open.wait()
        except asyncio.CancelledError as cancelled:
            why = cut_off(cancelled)
            evidence = withdrawn(evidence, why.code, why.http_status, why.note)
            raise
        finally:
            self.waiting -= 1
            self.entries.append(evidence)
            self.appended.set()

    @property
    def codes(self) -> list[Code | None]:
        return [entry.code for entry in self.entries]


class _Observer:
    def exchange(self, evidence: Evidence) -> None: ...


@dataclass
class Gate:
    """A running gateway and what a test looks at."""

    server: DataServer
    upstream: ScriptedUpstream
    client: UpstreamClient
    spool: Spool
    log: Log

    @property
    def port(self) -> int:
        return self.server.address.port

    async def aim(self, url: str, **changes: object) -> None:
        """Put another service behind the gateway."""
        await self.client.stop()
        settings = UpstreamSettings(url=url, **changes)  # type: ignore[arg-type]
        self.client.__init__(settings, self.spool)  # type: ignore[misc]
        await self.client.start()

    @property
    def released(self) -> int:
        return sum(entry.outcome is Outcome.RELEASED for entry in self.log.entries)


def impatient(**changes: float) -> ClientSettings:
    """Client settings under which a test needn't wait for a timeout."""
    return ClientSettings(**{"head": 5.0, "body": 5.0, "send": 5.0, "idle": 20.0, **changes})


@asynccontextmanager
async def gateway(
    answer: Script | Answerer,
    tmp_path: Path,
    *,
    client: ClientSettings | None = None,
    limits: RequestLimits | None = None,
    upstream: dict[str, float] | None = None,
    spool: dict[str, int] | None = None,
    reads_bodies: bool = True,
    endpoints: tuple[Endpoint, ...] = ENDPOINTS,
) -> AsyncIterator[Gate]:
    """Everything runs on loopback; after the test no descriptor and no spooled byte is left."""
    client = client or impatient()
    if limits:
        client = replace(client, limits=limits)
    descriptors = _descriptors()
    store = Spool(SpoolSettings(directory=tmp_path / "spool", **(spool or {})))
    log = Log()
    log.open.set()
    async with ScriptedUpstream(answer, reads_bodies).serving() as service:
        timeouts = {"connect": 5.0, "read": 5.0, "total": 20.0, **(upstream or {})}
        url = f"http://127.0.0.1:{service.port}"
        settings = ProxySettings(
            Address("127.0.0.1", 0), UpstreamSettings(url=url, **timeouts), client
        )
        fetcher = UpstreamClient(settings.upstream, store)
        await fetcher.start()
        numbers = itertools.count()
        rooms = Rooms(
            admission=Admission(client.limits),
            endpoints=Endpoints(endpoints),
            identity=_Identity(),
            policy=_Policy(),
            upstream=fetcher,
            inspector=_Inspector(),
            log=log,
            observer=_Observer(),
            request_phase=False,
            new_id=lambda: f"{next(numbers):032x}",
            now=lambda: datetime.now(UTC),
        )
        server = DataServer(settings, partial(guard, rooms=rooms))
        await server.start()
        try:
            yield Gate(server, service, fetcher, store, log)
        finally:
            log.open.set()
            await server.stop(grace=5)
            await fetcher.stop()
    assert server.facts().exchanges == 0
    await _settled(descriptors, store)


def _descriptors() -> int:
    """Sockets and unlinked files; a loop has descriptors of its own, made when it likes."""
    held = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            link = os.readlink(f"/proc/self/fd/{name}")
            held += link.startswith("socket:") or link.endswith("(deleted)")
    return held


async def _settled(descriptors: int, store: Spool) -> None:
    """Transports close their sockets a few turns of the loop after they are told to, and the
    spool's thread a large file."""
    for _ in range(200):
        left = (max(_descriptors() - descriptors, 0), store.bytes_used, store.files_open)
        if left == (0, 0, 0):
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"descriptors, spooled bytes and files are left: {left}")
