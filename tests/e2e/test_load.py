"""More than there is room for: refusals that say so, nothing asked twice, and a way back."""

import asyncio
import os
import resource
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientError, web

from tests.e2e.conftest import DEPLOYMENT, EXPORTS, ME, World, endpoints
from tests.e2e.test_faults import start
from tests.support.gateway import ExportService, configuration, running, serving
from tests.support.issuer import TestIssuer
from tests.support.wire import calling, request

PATH, ARCHIVE = EXPORTS["json"].path, EXPORTS["zip"].path


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def test_five_hundred_callers_and_sixty_four_descriptors(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    """E16: some wait, some are refused; the log, in a process of its own, misses nothing"""
    world = await start(stack, tmp_path, issuer)
    gateway = world.gateway
    port = int(gateway.url.rsplit(":", 1)[1])
    raw = request(PATH.encode(), b"Connection: close")
    raw = raw.replace(b"Bearer me", f"Bearer {gateway.token}".encode())
    limits = resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, (64, limits[1]))

    async def call() -> tuple[int, str]:
        async with calling(port) as caller:
            await caller.send(raw)
            reply = await caller.reply()
            return reply.status, reply["X-Exchange-Id"]

    answers = await asyncio.gather(*(call() for _ in range(500)))
    assert {status for status, _ in answers} <= {200, 502, 503}
    resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, limits)
    while (await gateway.get(PATH)).status != 200:
        await asyncio.sleep(0.05)  # a bounded poll (pytest-timeout) of another process
    released = {entry["decision_id"] for entry in gateway.entries() if not entry.get("code")}
    assert {exchange_id for status, exchange_id in answers if status == 200} <= released
    logged = Counter(entry["decision_id"] for entry in gateway.entries() if "decision_id" in entry)
    assert all(logged[exchange_id] == 1 for _, exchange_id in answers)
    assert gateway.verify().ok


async def test_a_full_inspection_refuses_at_once_and_frees_what_is_abandoned(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    """E17, E27: the metrics answer meanwhile. Eight callers, since one gets no more than is left
    to others."""
    world = await start(
        stack, tmp_path, issuer, inspection={"workers": 1, "deadline": "10m"},
        client={"exchanges": 8},
    )  # fmt: skip
    gateway = world.gateway
    (worker,) = gateway.children("inspection.process")
    os.kill(worker, signal.SIGSTOP)
    tokens = [*(issuer.token(sub=f"caller-{number}") for number in range(7)), gateway.token]
    waiting = [asyncio.create_task(gateway.get(ARCHIVE, token)) for token in tokens]
    while "privacy_gateway_inspection_jobs 8.0" not in await gateway.metrics():
        await asyncio.sleep(0.01)
    answer = await gateway.get(PATH)
    assert (answer.status, answer.code) == (503, "overloaded")
    assert answer.headers["Retry-After"] == "5"
    assert "privacy_gateway_in_flight_exchanges 8.0" in await gateway.metrics()
    for task in waiting[:-1]:
        task.cancel()
    while "privacy_gateway_in_flight_exchanges 1.0" not in await gateway.metrics():
        await asyncio.sleep(0.01)
    assert (await gateway.get(PATH)).status == 200  # small bodies need no worker
    os.kill(worker, signal.SIGCONT)
    assert (await waiting[-1]).status == 200
    for task in waiting[:-1]:
        with suppress(asyncio.CancelledError):
            await task
    assert (await gateway.get(ARCHIVE)).status == 200
    codes = Counter(entry.get("code") for entry in gateway.entries())
    assert codes == {"caller_left": 7, "overloaded": 1, None: 3}


async def test_a_service_that_answers_503_is_asked_once_for_each_request(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    """E25"""
    world = await start(stack, tmp_path, issuer)
    world.service.answer(PATH, b"", "text/plain", status=503)
    answers = await asyncio.gather(*(world.gateway.get(PATH) for _ in range(50)))
    assert {(answer.status, answer.code) for answer in answers} == {(503, "upstream_error")}
    assert len(world.service.asked) == 50


async def test_what_a_killed_gateway_held_is_gone_and_what_is_not_its_own_stays(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    """E26: a spool file has no name, so that there is nothing to sweep"""
    spool = tmp_path / "spool"
    spool.mkdir(0o700)
    (spool / "somebody-elses").write_bytes(b"theirs")
    world = await start(stack, tmp_path, issuer, inspection={"workers": 1, "deadline": "10m"})
    (worker,) = world.gateway.children("inspection.process")
    os.kill(worker, signal.SIGSTOP)
    owners = [ME] * 3000
    world.service.answer(ARCHIVE, EXPORTS["zip"].of(*owners), "application/zip")
    waiting = asyncio.create_task(world.gateway.get(ARCHIVE))
    while "privacy_gateway_spool_files 1.0" not in await world.gateway.metrics():
        await asyncio.sleep(0.01)
    world.gateway.process.kill()
    await world.gateway.process.wait()
    with pytest.raises(ClientError):
        await waiting
    service = ExportService()
    service.answer(PATH, EXPORTS["json"].of(ME), "application/json")
    upstream = await stack.enter_async_context(serving(service))
    config = configuration(tmp_path, issuer, upstream, endpoints(), deployment=DEPLOYMENT)
    again = await stack.enter_async_context(running(config))
    again.token = issuer.token(sub=ME)
    assert (await again.get(PATH)).status == 200
    assert "privacy_gateway_spool_bytes 0.0" in await again.metrics()
    assert [each.name for each in spool.iterdir()] == ["somebody-elses"]


async def test_a_caller_that_leaves_frees_the_service_and_is_told_of(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    """E14, with real processes"""
    world: World = await start(stack, tmp_path, issuer)
    gateway, left = world.gateway, asyncio.Event()

    async def until_gone(request: web.BaseRequest) -> None:
        while request.transport is not None:
            await asyncio.sleep(0.01)
        left.set()

    world.service.before = until_gone
    waiting = asyncio.create_task(gateway.get(PATH))
    while not world.service.asked:
        await asyncio.sleep(0.01)
    waiting.cancel()
    async with asyncio.timeout(10):
        await left.wait()
        while not gateway.entries():
            await asyncio.sleep(0.01)
    (entry,) = gateway.entries()
    assert (entry["outcome"], entry["code"], entry["http_status"]) == (
        "refused", "caller_left", 499,
    )  # fmt: skip
    assert "privacy_gateway_in_flight_exchanges 0.0" in await gateway.metrics()
