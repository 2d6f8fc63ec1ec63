"""Many big exports at once through a small spool: they wait for their turn, none is lost, and what
the gateway takes stays within its bound."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession, TCPConnector

from tests.e2e.conftest import DEPLOYMENT, EXPORTS, World, endpoints
from tests.support.gateway import ExportService, RunningGateway, configuration, running, serving
from tests.support.issuer import TestIssuer

PATH = EXPORTS["ndjson"].path
MIB = 2**20


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def lines(owner: str, size: int) -> bytes:
    line = json.dumps({"customer": {"id": owner}, "note": "x" * 900}).encode() + b"\n"
    return line * (size // len(line))


async def start(
    stack: AsyncExitStack, folder: Path, owner: str, size: int, **sections: Any
) -> World:
    issuer, service = TestIssuer(), ExportService()
    service.answer(PATH, lines(owner, size), "application/x-ndjson")
    upstream = await stack.enter_async_context(serving(service))
    service_side: Any = {"url": upstream, **sections.pop("service_side", {})}
    config = configuration(
        folder, issuer, service_side, endpoints(), deployment=DEPLOYMENT, **sections
    )
    gateway = await stack.enter_async_context(running(config))
    gateway.token = issuer.token(sub=owner)
    gateway.session = await stack.enter_async_context(
        ClientSession(auto_decompress=False, connector=TCPConnector(limit=0))
    )
    return World(gateway, service, issuer)


async def length(gateway: RunningGateway) -> int:
    """Read one export and keep none of it."""
    headers = {"Authorization": f"Bearer {gateway.token}"}
    async with gateway.session.get(gateway.url + PATH, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return sum([len(chunk) async for chunk in answer.content.iter_any()])


def tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in tree(int(child)))]


def memory(pid: int) -> int:
    """Bytes of a process: its own, and its part of what it shares (PSS)."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


async def peak(gateway: RunningGateway, over: asyncio.Event, spool: int) -> tuple[int, int]:
    """The most memory of all its processes and of the spool, as if that was in memory too; and the
    most bytes in the spool."""
    most = spooled = 0
    while not over.is_set():
        text = await gateway.metrics()
        held = next(
            float(line.split()[1])
            for line in text.splitlines()
            if line.startswith("privacy_gateway_spool_bytes ")
        )
        assert held <= spool
        spooled = max(spooled, int(held))
        own = await asyncio.to_thread(lambda: sum(map(memory, tree(gateway.process.pid))))
        most = max(most, own + int(held))
        await asyncio.sleep(0.05)  # samples, of another process
    return most, spooled


async def many(world: World, exports: int, spool: int) -> tuple[int, int]:
    over = asyncio.Event()
    watching = asyncio.create_task(peak(world.gateway, over, spool))
    lengths = await asyncio.gather(*(length(world.gateway) for _ in range(exports)))
    over.set()
    (size,) = {len(body) for _, _, body in world.service.answers.values()}
    assert lengths == [size] * exports
    entries = world.gateway.entries()
    assert [entry["outcome"] for entry in entries] == ["released"] * exports
    assert len({entry["decision_id"] for entry in entries}) == exports
    assert world.gateway.verify().ok
    return await watching


@pytest.mark.parametrize("workers", [1, 2])
async def test_many_exports_through_a_small_spool_all_arrive(
    stack: AsyncExitStack, tmp_path: Path, workers: int
) -> None:
    spool = {"limit": "4MiB", "wait": "1m", "directory": str(tmp_path / "spool")}
    world = await start(stack, tmp_path, "A1", MIB, spool=spool, workers=workers)
    _, spooled = await many(world, 40, 4 * MIB)
    assert spooled <= 2 * MIB  # the other half is for redactions
    assert len(world.service.asked) == 40


async def test_what_does_not_get_its_turn_in_time_is_told_when_to_come_again(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    spool = {"limit": "64MiB", "wait": "100ms", "directory": str(tmp_path / "spool")}
    world = await start(stack, tmp_path, "A1", 30_000_000, spool=spool)  # no socket holds as much
    gateway = world.gateway
    headers = {"Authorization": f"Bearer {gateway.token}"}
    async with gateway.session.get(gateway.url + PATH, headers=headers) as slow:
        assert slow.status == 200  # and nobody reads it: it stays in the spool
        answer = await gateway.get(PATH)
        assert (answer.status, answer.code) == (503, "spool_full")
        assert answer.headers["Retry-After"] == "5"
        assert len(await slow.read()) > 29_000_000
    while "privacy_gateway_spool_bytes 0.0" not in await gateway.metrics():
        await asyncio.sleep(0.01)
    assert (await gateway.get(PATH)).status == 200


async def test_a_large_body_of_lines_is_read_and_redacted_in_halves(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    """A stranger's line in either half blocks it all, or is left out."""
    mine, foreign = lines("A1", 35_000_000), lines("A9", 1_000)
    world = await start(stack, tmp_path, "A1", MIB, spool={"directory": str(tmp_path / "spool")})
    one, two = mine + foreign + mine, mine + mine + foreign
    for body in (one, two):
        for path in (PATH, f"{PATH}-partial"):
            world.service.answer(path, body, "application/x-ndjson")
        both = False
        while not both:  # the first one comes soon after those of the self-proof
            answer = await world.gateway.get(f"{PATH}-partial")
            assert (answer.status, answer.body == mine + mine) == (200, True)
            both = 'processes{part="inspection"} 2.0' in await world.gateway.metrics()
        assert (await world.gateway.get(PATH)).code == "blocked_by_policy"
    world.service.answer(f"{PATH}-partial", one[:-2], "application/x-ndjson")
    assert (await world.gateway.get(f"{PATH}-partial")).code == "body_incomplete"
    assert world.gateway.verify().ok
