"""Two gateways behind a real load balancer, restarted one after the other under load: no exchange
fails, and none is missing in the logs. Killed outright, exchanges fail; none is unlogged."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientError, ClientSession, web

from tests.e2e.conftest import DEPLOYMENT, EXPORTS, ME, endpoints
from tests.support.gateway import (
    ExportService,
    RunningGateway,
    configuration,
    running,
    serving,
)
from tests.support.haproxy import accepts, balancing, free_ports
from tests.support.issuer import TestIssuer

ROUNDS = 2
CALLERS = 4
LOADED = ("json", "ndjson", "zip")
HELD = EXPORTS["csv"].path
OWNED = {
    "json": EXPORTS["json"].of(*[ME] * 3),
    "ndjson": EXPORTS["ndjson"].of(*[ME] * 10_000),  # spooled, and inspected by a worker
    "zip": EXPORTS["zip"].of(*[ME] * 20),
    "csv": EXPORTS["csv"].of(*[ME] * 50_000),  # 1.5 MB
}


class Service(ExportService):
    """Makes archives slowly, and the held export when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived, self.go_on = asyncio.Event(), asyncio.Event()
        for name, body in OWNED.items():
            self.answer(EXPORTS[name].path, body, EXPORTS[name].media_type)

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == HELD:
            self.arrived.set()
            await self.go_on.wait()
        if request.path == EXPORTS["zip"].path:
            await asyncio.sleep(0.3)  # what an export takes
        return await super().respond(request)


@dataclass
class Site:
    """Two gateways, A and B, and what callers got through the balancer."""

    service: Service
    configs: dict[str, Path]
    ports: dict[str, int]
    token: str
    url: str = ""
    running: dict[str, RunningGateway] = field(default_factory=dict)
    stacks: dict[str, AsyncExitStack] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    async def start(self, name: str) -> None:
        """Returns when it is ready."""
        self.stacks[name] = stack = AsyncExitStack()
        self.running[name] = await stack.enter_async_context(running(self.configs[name]))
        self.running[name].token = self.token

    async def end(self, name: str) -> None:
        await self.stacks.pop(name).aclose()

    async def call(self, first: int, enough: asyncio.Event) -> None:
        """One caller: exports in turn, over one connection to the balancer, until it is enough."""
        headers = {"Authorization": f"Bearer {self.token}"}
        turns = itertools.cycle(LOADED[first % 3 :] + LOADED[: first % 3])
        async with ClientSession(auto_decompress=False) as session:
            while not enough.is_set():
                name = next(turns)
                try:
                    async with session.get(
                        self.url + EXPORTS[name].path, headers=headers
                    ) as answer:
                        if answer.status == 200:
                            self.released.append(answer.headers["X-Exchange-Id"])
                        body = await answer.read()
                        if answer.status != 200 or body != OWNED[name]:
                            self.failed.append(f"{name}: {answer.status}, {len(body)} bytes")
                except (ClientError, OSError) as error:
                    self.failed.append(f"{name}: {type(error).__name__}")

    async def restart(self, name: str) -> None:
        """As a rolling update does it, with one export in flight from before the signal until after
        the gateway has stopped to take connections."""
        gateway = self.running[name]
        self.service.arrived.clear()
        self.service.go_on.clear()
        in_flight = asyncio.create_task(gateway.get(HELD))
        await self.service.arrived.wait()
        gateway.process.terminate()
        while await accepts(self.ports[name]):
            await asyncio.sleep(0.02)  # a bounded poll (pytest-timeout) of another process
        self.service.go_on.set()
        answer = await in_flight
        assert (answer.status, answer.body) == (200, OWNED["csv"])
        self.released.append(answer.headers["X-Exchange-Id"])
        assert await gateway.process.wait() == 0
        await self.end(name)
        await self.start(name)

    async def kill(self, name: str) -> None:
        self.running[name].process.kill()
        await self.end(name)
        await self.start(name)

    async def more(self, count: int) -> None:
        """Wait until callers got so many more releases."""
        wanted = len(self.released) + count
        while len(self.released) < wanted:
            await asyncio.sleep(0.02)

    def entries(self) -> Counter[tuple[str, str]]:
        """How often each exchange stands in a log, and how it ended, in both logs together."""
        return Counter(
            (entry["decision_id"], entry["outcome"])
            for gateway in self.running.values()
            for entry in gateway.entries()
            if "decision_id" in entry and "outcome" in entry
        )


@pytest_asyncio.fixture
async def site(tmp_path: Path, issuer: TestIssuer) -> AsyncIterator[Site]:
    service, ports = Service(), free_ports(4)
    configs: dict[str, Path] = {}
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(serving(service))
        for name, data, admin in (("a", *ports[:2]), ("b", *ports[2:])):
            folder = tmp_path / name
            folder.mkdir()
            configs[name] = configuration(
                folder, issuer, upstream, endpoints(), deployment=DEPLOYMENT,
                listen=f"127.0.0.1:{data}", admin=f"127.0.0.1:{admin}",
                client={"drain_delay": "2s"},
            )  # fmt: skip
        site = Site(service, configs, {"a": ports[0], "b": ports[2]}, issuer.token(sub=ME))
        await asyncio.gather(site.start("a"), site.start("b"))
        stack.push_async_callback(site.end, "a")
        stack.push_async_callback(site.end, "b")
        servers = {"a": (ports[0], ports[1]), "b": (ports[2], ports[3])}
        site.url = await stack.enter_async_context(balancing(tmp_path, servers))
        yield site


@pytest.mark.slow
async def test_a_rolling_restart_fails_no_exchange_and_leaves_none_unlogged(site: Site) -> None:
    enough = asyncio.Event()
    callers = [asyncio.create_task(site.call(n, enough)) for n in range(CALLERS)]
    await site.more(20)
    for _ in range(ROUNDS):
        for name in ("a", "b"):
            await site.restart(name)
            await site.more(20)
    enough.set()
    await asyncio.gather(*callers)
    assert site.failed == []
    entries = site.entries()
    assert [entries[released, "released"] for released in site.released] == [1] * len(site.released)
    assert {outcome for _, outcome in entries} == {"released"}
    assert sum(entries.values()) == len(site.released)
    assert len(site.released) > 20 * (1 + 2 * ROUNDS)
    for gateway in site.running.values():
        assert gateway.verify().ok, gateway.verify().report


@pytest.mark.slow
async def test_gateways_that_are_killed_fail_exchanges_and_leave_none_unlogged(site: Site) -> None:
    enough = asyncio.Event()
    callers = [asyncio.create_task(site.call(n, enough)) for n in range(CALLERS)]
    await site.more(20)
    for name in ("a", "b", "a"):
        await site.kill(name)
        await site.more(20)
    enough.set()
    await asyncio.gather(*callers)
    entries = site.entries()
    unlogged = [each for each in site.released if entries[each, "released"] != 1]
    assert unlogged == []
    for gateway in site.running.values():
        assert gateway.verify().ok, gateway.verify().report
