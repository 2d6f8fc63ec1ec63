"""What dies, and what then happens: the answer is a refusal, and the gateway recovers unaided."""

import asyncio
import os
import random
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.conftest import DEPLOYMENT, EXPORTS, FOREIGN, ME, World, endpoints
from tests.support.gateway import ExportService, configuration, running, serving
from tests.support.issuer import TestIssuer
from tests.support.opa import running_opa

PATH = EXPORTS["json"].path


async def start(stack: AsyncExitStack, folder: Path, issuer: TestIssuer, **sections: Any) -> World:
    service = ExportService()
    for export in EXPORTS.values():
        service.answer(export.path, export.of(ME, ME), export.media_type)
    upstream = sections.pop("upstream", None) or await stack.enter_async_context(serving(service))
    sections.setdefault("deployment", DEPLOYMENT)
    config = configuration(folder, issuer, upstream, endpoints(), **sections)
    gateway = await stack.enter_async_context(running(config))
    gateway.token = issuer.token(sub=ME)
    return World(gateway, service, issuer)


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def test_a_frozen_policy_engine_refuses_one_exchange_and_is_replaced(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    world = await start(stack, tmp_path, issuer)
    (worker,) = world.gateway.children("rego_worker")
    os.kill(worker, signal.SIGSTOP)
    answer = await world.gateway.get(PATH)
    assert (answer.status, answer.code) == (503, "policy_timeout")
    assert (await world.gateway.get(PATH)).status == 200
    assert world.gateway.children("rego_worker") != [worker]


@pytest.mark.opa
async def test_a_dead_opa_refuses_until_it_is_back(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer, opa_binary: str
) -> None:
    opa = await stack.enter_async_context(running_opa(opa_binary, tmp_path, DEPLOYMENT))
    policy = {"engine": "opa", "opa": opa.url, "deadline": "2s"}
    world = await start(stack, tmp_path, issuer, policy=policy, deployment=None)
    assert (await world.gateway.get(PATH)).status == 200
    opa.process.send_signal(signal.SIGSTOP)
    answer = await world.gateway.get(PATH)
    assert (answer.status, answer.code) == (503, "policy_timeout")
    opa.process.send_signal(signal.SIGCONT)
    assert (await world.gateway.get(PATH)).status == 200
    opa.process.kill()
    await opa.process.wait()
    answer = await world.gateway.get(PATH)
    assert (answer.status, answer.code) == (503, "policy_unavailable")
    assert not (await world.gateway.checks())["policy"]


async def test_a_killed_inspecting_process_refuses_its_own_exchange_only(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    world = await start(stack, tmp_path, issuer, inspection={"workers": 1})
    (worker,) = world.gateway.children("inspection.process")
    os.kill(worker, signal.SIGSTOP)
    waiting = asyncio.create_task(world.gateway.get(EXPORTS["zip"].path))
    while "privacy_gateway_inspection_jobs 1.0" not in await world.gateway.metrics():
        await asyncio.sleep(0)
    assert (await world.gateway.get(PATH)).status == 200  # small bodies need no worker
    os.kill(worker, signal.SIGKILL)
    answer = await waiting
    assert (answer.status, answer.code) == (502, "inspection_failed")
    assert (await world.gateway.get(EXPORTS["zip"].path)).status == 200


async def test_a_dead_upstream_is_a_502_with_an_entry(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    world = await start(stack, tmp_path, issuer, upstream="http://127.0.0.1:1")
    answer = await world.gateway.get(PATH)
    assert (answer.status, answer.code) == (502, "upstream_unreachable")
    assert world.gateway.entries()[0]["code"] == "upstream_unreachable"


async def test_a_body_over_its_limit_or_over_the_spool_is_refused(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    spool = {"directory": str(tmp_path / "spool"), "limit": "200KiB", "memory": "1KiB"}
    world = await start(stack, tmp_path, issuer, spool=spool)
    small = EXPORTS["json"].of(*[ME] * 100)
    big = EXPORTS["json"].of(*[ME] * 10_000)
    for body, status in ((small, 200), (big, 503), (small, 200)):
        world.service.answer(PATH, body, "application/json")
        answer = await world.gateway.get(PATH)
        assert answer.status == status
    assert "privacy_gateway_spool_bytes 0.0" in await world.gateway.metrics()
    assert list((tmp_path / "spool").iterdir()) == []


async def test_sigterm_lets_exchanges_in_flight_end_and_exits_cleanly(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    world = await start(stack, tmp_path, issuer)
    arrived, go_on = asyncio.Event(), asyncio.Event()
    world.service.hold(arrived, go_on)
    in_flight = asyncio.create_task(world.gateway.get(PATH))
    await arrived.wait()
    world.gateway.process.send_signal(signal.SIGTERM)
    while (await world.gateway.checks())["accepting"]:
        await asyncio.sleep(0)
    go_on.set()
    answer = await in_flight
    assert answer.status == 200
    assert await world.gateway.process.wait() == 0
    assert [entry["outcome"] for entry in world.gateway.entries()] == ["released"]
    assert world.gateway.verify().ok


async def test_a_foreign_record_at_a_random_place_of_a_large_body_is_found(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    world = await start(stack, tmp_path, issuer)
    owners = [ME] * 20_000
    for name in ("json", "ndjson", "csv"):
        export = EXPORTS[name]
        world.service.answer(export.path, export.of(*owners), export.media_type)
        assert (await world.gateway.get(export.path)).status == 200
        place = random.randrange(len(owners))
        mixed = [*owners[:place], FOREIGN, *owners[place + 1 :]]
        world.service.answer(export.path, export.of(*mixed), export.media_type)
        assert (await world.gateway.get(export.path)).status == 403, (name, place)


async def test_a_spool_that_went_away_refuses_and_says_so(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    spool = tmp_path / "bodies"
    world = await start(stack, tmp_path, issuer, spool={"directory": str(spool), "memory": "1KiB"})
    world.service.answer(PATH, EXPORTS["json"].of(*[ME] * 100), "application/json")
    assert (await world.gateway.get(PATH)).status == 200
    spool.rmdir()
    assert (await world.gateway.get(PATH)).code == "spool_failed"
    assert not (await world.gateway.checks())["spool"]
    spool.mkdir(0o700)
    assert (await world.gateway.get(PATH)).status == 200
    assert (await world.gateway.checks())["spool"]


async def test_a_log_that_went_away_refuses_before_the_service_is_asked(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    """E06, E10"""
    world = await start(stack, tmp_path, issuer)
    log = world.gateway.log
    elsewhere = log.rename(tmp_path / "elsewhere")
    while (await world.gateway.checks())["decision_log"]:
        await asyncio.sleep(0.05)
    for _ in range(3):
        assert (await world.gateway.get(PATH)).code == "log_unavailable"
    assert world.service.asked == []
    assert "the log file was moved or deleted" in world.gateway.stderr()
    elsewhere.rename(log)
    while not (await world.gateway.checks())["decision_log"]:
        await asyncio.sleep(0.05)
    assert (await world.gateway.get(PATH)).status == 200
    unrecorded = [entry["unrecorded"] for entry in world.gateway.entries() if "unrecorded" in entry]
    assert sum(unrecorded) == 3
    assert world.gateway.verify().ok


async def test_processes_that_cannot_be_replaced_at_once_are_replaced_later(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    """E16"""
    world = await start(stack, tmp_path, issuer, inspection={"workers": 1})
    gateway = world.gateway
    limits = resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    for worker in gateway.children("gateway.workers"):
        os.kill(worker, signal.SIGKILL)
    while gateway.children("gateway.workers"):
        await asyncio.sleep(0.05)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, limits)
    while not all((await gateway.checks()).values()):
        await asyncio.sleep(0.05)
    for name in ("json", "zip"):
        assert (await gateway.get(EXPORTS[name].path)).status == 200


async def test_any_number_of_signals_stop_it_once(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    """E13"""
    world = await start(stack, tmp_path, issuer)
    arrived, go_on = asyncio.Event(), asyncio.Event()
    world.service.hold(arrived, go_on)
    in_flight = asyncio.create_task(world.gateway.get(PATH))
    await arrived.wait()
    process = world.gateway.process
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
    while (await world.gateway.checks())["accepting"]:
        await asyncio.sleep(0)
    go_on.set()
    assert (await in_flight).status == 200
    while process.returncode is None:
        with suppress(ProcessLookupError):  # `send_signal` would take the exit code away
            os.kill(process.pid, signal.SIGTERM)
        await asyncio.sleep(0.001)  # a hundred or so, up to the very end
    assert process.returncode == 0
    assert world.gateway.verify().ok


async def test_a_stop_in_the_midst_of_the_self_proof_is_no_fault_of_the_policy(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    service = await stack.enter_async_context(serving(ExportService()))
    config = configuration(tmp_path, issuer, service, endpoints(), deployment=DEPLOYMENT)
    async with running(config, ready=False) as gateway:
        assert await gateway.stop() == 0
        assert '"level": "error"' not in gateway.stderr()


async def test_it_takes_all_the_descriptors_that_it_may_have(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1024), hard))
    stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
    world = await start(stack, tmp_path, issuer)
    limits = resource.prlimit(world.gateway.process.pid, resource.RLIMIT_NOFILE)
    assert limits == (hard, hard)
