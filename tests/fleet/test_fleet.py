"""`workers: 2` with real processes: one port, one log, one sum; killed, drained, told."""

import asyncio
import os
import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientError, ClientSession, TCPConnector

from tests.e2e.conftest import DEPLOYMENT, EXPORTS, FOREIGN, ME, World, endpoints
from tests.support.children import children
from tests.support.gateway import ExportService, RunningGateway, configuration, running, serving
from tests.support.issuer import TestIssuer

PATH = EXPORTS["json"].path
SERVING = "fleet.process"


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def start(stack: AsyncExitStack, folder: Path, **sections: Any) -> World:
    issuer, service = TestIssuer(), ExportService()
    service.answer(PATH, EXPORTS["json"].of(ME), "application/json")
    upstream = await stack.enter_async_context(serving(service))
    sections = {"workers": 2, **sections}
    config = configuration(folder, issuer, upstream, endpoints(), deployment=DEPLOYMENT, **sections)
    gateway = await stack.enter_async_context(running(config))
    gateway.token = issuer.token(sub=ME)
    # Each request on a connection of its own, or one process would have them all.
    gateway.session = await stack.enter_async_context(
        ClientSession(auto_decompress=False, connector=TCPConnector(force_close=True, limit=0))
    )
    return World(gateway, service, issuer)


async def value(gateway: RunningGateway, name: str, labels: str = "") -> float:
    found = re.search(
        rf"^privacy_gateway_{name}{re.escape(labels)} (\S+)$", await gateway.metrics(), re.M
    )
    return float(found[1]) if found else 0.0


RELEASED = '{code="none",effect="allow",endpoint="json",format="json"}'


async def until_ready(gateway: RunningGateway) -> None:
    while (await gateway.readiness())["code"] != 200:
        await asyncio.sleep(0.05)  # a bounded poll (pytest-timeout) of another process


async def test_both_processes_serve_and_what_they_count_and_log_is_one(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    world = await start(stack, tmp_path)
    gateway = world.gateway
    ours = gateway.children(SERVING)
    assert len(ours) == 2
    answers = await asyncio.gather(*(gateway.get(PATH) for _ in range(60)))
    assert {answer.status for answer in answers} == {200}
    world.service.answer(PATH, EXPORTS["json"].of(ME, FOREIGN), "application/json")
    blocked = await asyncio.gather(*(gateway.get(PATH) for _ in range(20)))
    assert all(FOREIGN.encode() not in answer.body for answer in blocked)
    assert await value(gateway, "exchanges_total", RELEASED) == 60
    assert await value(gateway, "child_processes", '{part="serving"}') == 2
    entries = gateway.entries()
    assert len(entries) == len({entry["decision_id"] for entry in entries}) == 80
    assert len({entry["labels"]["id"] for entry in entries}) == 1
    cpu = [Path(f"/proc/{pid}/stat").read_text().split()[13] for pid in ours]
    assert all(int(ticks) > 0 for ticks in cpu)
    assert await gateway.stop() == 0
    found = gateway.verify()
    assert found.ok
    assert found.anchored == found.entries >= 80


async def test_a_process_that_is_killed_takes_nothing_along_but_its_own_exchanges(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    world = await start(stack, tmp_path)
    gateway = world.gateway
    await asyncio.gather(*(gateway.get(PATH) for _ in range(20)))
    before = await value(gateway, "exchanges_total", RELEASED)
    victim, other = gateway.children(SERVING)
    grandchildren = children(victim)
    assert len(grandchildren) >= 2
    os.kill(victim, signal.SIGKILL)
    # The port is served all the time: what the dead one had accepted may be cut off.
    for _ in range(30):
        with suppress(ClientError):
            assert (await gateway.get(PATH)).status == 200
    while any(Path(f"/proc/{each}").exists() for each in grandchildren):
        await asyncio.sleep(0.01)  # a bounded poll (pytest-timeout) of other processes
    await until_ready(gateway)
    assert other in gateway.children(SERVING)
    assert len(gateway.children(SERVING)) == 2
    assert await value(gateway, "serving_process_restarts_total") == 1
    assert await value(gateway, "exchanges_total", RELEASED) >= before + 25
    assert (await gateway.get(PATH)).status == 200
    assert await gateway.stop() == 0
    assert gateway.verify().ok
    assert '"a serving process is replaced"' in gateway.stderr()


async def test_it_is_not_ready_while_one_is_replaced(stack: AsyncExitStack, tmp_path: Path) -> None:
    gateway = (await start(stack, tmp_path)).gateway
    assert (await gateway.readiness())["code"] == 200
    os.kill(gateway.children(SERVING)[0], signal.SIGKILL)
    while (said := await gateway.readiness())["code"] == 200:
        await asyncio.sleep(0.01)
    assert not said["checks"]["accepting"]
    assert said["reasons"]["accepting"] == "a serving process is being replaced"
    await until_ready(gateway)


async def test_when_the_logs_writer_dies_every_process_goes_on_with_the_next(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    gateway = (await start(stack, tmp_path)).gateway
    (writer,) = gateway.children("decisionlog.process")
    os.kill(writer, signal.SIGKILL)
    while (await gateway.checks())["decision_log"]:
        await asyncio.sleep(0.01)
    await until_ready(gateway)
    answers = await asyncio.gather(*(gateway.get(PATH) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert await gateway.stop() == 0
    assert gateway.verify().ok


async def test_a_drain_is_every_processs_and_what_is_in_flight_ends(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    world = await start(stack, tmp_path)
    gateway, go_on, arrived = world.gateway, asyncio.Event(), 0

    async def held(_: Any) -> None:
        nonlocal arrived
        arrived += 1
        await go_on.wait()

    world.service.before = held
    tasks = [asyncio.create_task(gateway.get(PATH)) for _ in range(12)]
    while arrived < 12:
        await asyncio.sleep(0.01)
    gateway.process.terminate()
    while '"stopping"' not in gateway.stderr():
        await asyncio.sleep(0.01)
    go_on.set()
    answers = await asyncio.gather(*tasks)
    assert {answer.status for answer in answers} == {200}
    assert await gateway.process.wait() == 0
    assert len(gateway.entries()) == 12
    assert gateway.verify().ok


async def test_log_levels_are_changed_in_every_process(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    gateway = (await start(stack, tmp_path)).gateway
    change = gateway.session.put(f"{gateway.admin}/log-levels/policy", json={"level": "debug"})
    async with change as answer:
        assert answer.status == 200
    await gateway.readiness()  # every process has read what was sent before
    answers = await asyncio.gather(*(gateway.get(PATH) for _ in range(40)))
    assert {answer.status for answer in answers} == {200}
    assert gateway.stderr().count('"event": "decided"') >= 40


async def test_a_killed_main_process_leaves_none_behind(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    gateway = (await start(stack, tmp_path)).gateway
    ours = gateway.children(SERVING)
    gateway.process.kill()
    await gateway.process.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in ours):
        await asyncio.sleep(0.01)
    assert gateway.verify().ok


async def test_what_keeps_it_from_starting_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = configuration(
            tmp_path, TestIssuer(), "http://127.0.0.1:9", endpoints(), workers=2,
            listen=f"127.0.0.1:{taken.getsockname()[1]}",
        )  # fmt: skip
        with pytest.raises(AssertionError) as caught:
            async with running(config):
                pass
    assert str(caught.value).count("cannot start") == 1
    assert "address already in use" in str(caught.value)
