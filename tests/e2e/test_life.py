"""The life of a gateway: what it waits for at its start, what makes it unready, how it ends.

Each check of /readyz has a case in which the real thing breaks. It is named, liveness holds, and
the gateway recovers without a restart.
"""

import asyncio
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession, ClientTimeout, web

from tests.conftest import REPOSITORY
from tests.e2e.conftest import DEPLOYMENT, EXPORTS, ME, World, endpoints
from tests.e2e.test_faults import start
from tests.policy.bundles.support import bundle_server, tarball
from tests.support.children import zygotes
from tests.support.gateway import (
    POLICIES,
    ExportService,
    RunningGateway,
    configuration,
    running,
    serving,
    starting,
)
from tests.support.haproxy import accepts, free_ports
from tests.support.issuer import JwksServer, TestIssuer
from tests.support.opa import running_opa
from tests.support.wire import calling, request

PATH, OTHER, ARCHIVE = (EXPORTS[name].path for name in ("json", "csv", "zip"))
SWIFT = {"polling": {"min": "1s", "max": "1s", "files": "100ms"}, "timeout": "500ms"}


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here: that takes privileges")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no room."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


async def until(gateway: RunningGateway, over: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What /readyz says as soon as it says that."""
    while not over(told := await gateway.readiness()):
        await asyncio.sleep(0.02)  # a bounded poll (pytest-timeout) of another process
    return told


async def until_failing(gateway: RunningGateway, *names: str) -> dict[str, Any]:
    """Unready for these checks and no other; liveness holds."""

    def failing(told: dict[str, Any]) -> list[str]:
        return [name for name, holds in told["checks"].items() if not holds]

    told = await until(gateway, lambda told: failing(told) == list(names))
    assert told["code"] == 503
    assert await gateway.alive()
    return told


async def until_ready(gateway: RunningGateway) -> None:
    told = await until(gateway, lambda told: bool(told["code"] == 200))
    assert told["status"] == "ready"
    assert "reasons" not in told


def ports() -> dict[str, str]:
    return dict(zip(("listen", "admin"), (f"127.0.0.1:{p}" for p in free_ports(2)), strict=True))


def identity(issuer: TestIssuer, jwks: str, **settings: Any) -> dict[str, Any]:
    entry = issuer.config(jwks, **settings) | {"identifiers": {"account": "sub"}}
    return {"issuers": [entry]}


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


# --- the start -----------------------------------------------------------------------------------


@dataclass
class Held:
    """A JWKS server that answers when it is told to."""

    issuer: TestIssuer
    asked: asyncio.Event
    go_on: asyncio.Event

    async def answer(self, _: web.Request) -> web.StreamResponse:
        self.asked.set()
        await self.go_on.wait()
        return web.Response(body=self.issuer.jwks_bytes(), content_type="application/json")


async def held_start(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer, **sections: Any
) -> tuple[RunningGateway, Held]:
    """A gateway that waits for its issuer's keys."""
    held = Held(issuer, asyncio.Event(), asyncio.Event())
    service = ExportService()
    service.answer(PATH, EXPORTS["json"].of(ME), "application/json")
    upstream = await stack.enter_async_context(serving(service))
    server = await stack.enter_async_context(JwksServer(held.answer))
    config = configuration(
        tmp_path, issuer, upstream, endpoints(), deployment=DEPLOYMENT,
        identity=identity(issuer, server.url, jwks_timeout="60s"), **ports(), **sections,
    )  # fmt: skip
    gateway = await stack.enter_async_context(starting(config))
    gateway.token = issuer.token(sub=ME)
    return gateway, held


async def until_only_keys_are_missing(gateway: RunningGateway, held: Held) -> None:
    """All start at once, and are waited for in order: the others may take longer than to ask."""
    await held.asked.wait()
    while (await gateway.readiness())["reasons"]["accepting"] != "starting: keys":
        await asyncio.sleep(0.05)  # a bounded poll (pytest-timeout) of another process


async def test_what_the_start_waits_for_is_named_before_anything_is_served(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    gateway, held = await held_start(stack, tmp_path, issuer)
    await until_only_keys_are_missing(gateway, held)
    told = await until_failing(gateway, "accepting", "keys", "self_proof")
    assert told["reasons"] == {
        "accepting": "starting: keys",
        "keys": f"no keys yet of the issuer {issuer.issuer}",
        "self_proof": "not yet played",
    }
    assert not await accepts(port_of(gateway.url))
    held.go_on.set()
    await until_ready(gateway)
    assert (await gateway.get(PATH)).status == 200


async def test_a_signal_ends_a_start_that_waits(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    gateway, held = await held_start(stack, tmp_path, issuer)
    await held.asked.wait()
    assert await gateway.stop() == 0
    assert '"level": "error"' not in gateway.stderr()


async def test_issuers_that_are_down_at_the_start_are_waited_for(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    (port,) = free_ports(1)
    upstream = await stack.enter_async_context(serving(ExportService()))
    config = configuration(
        tmp_path, issuer, upstream, endpoints(), deployment=DEPLOYMENT,
        identity=identity(issuer, f"http://127.0.0.1:{port}/jwks.json"),
    )  # fmt: skip
    gateway = await stack.enter_async_context(running(config, ready=False))
    told = await until_failing(gateway, "keys")  # the planted exchanges need none
    assert told["reasons"] == {"keys": f"no keys yet of the issuer {issuer.issuer}"}
    answer = await gateway.get(PATH, issuer.token(sub=ME))
    assert (answer.status, answer.code) == (503, "keys_unavailable")

    async def serve(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=issuer.jwks_bytes(), content_type="application/json")

    runner = web.ServerRunner(web.Server(serve, access_log=None))
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await until_ready(gateway)


async def test_a_bundle_server_that_is_down_at_the_start_is_waited_for(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    server = await stack.enter_async_context(bundle_server())
    server.fail(404)
    upstream = await stack.enter_async_context(serving(ExportService()))
    policy = {"bundle": server.url, "delivery": {**SWIFT, "max_age": "60s"}}
    config = configuration(
        tmp_path, issuer, upstream, endpoints(), deployment=DEPLOYMENT, policy=policy
    )
    gateway = await stack.enter_async_context(running(config, ready=False))
    fault = "the own record did not pass: policy_unavailable"
    await until(gateway, lambda told: told["reasons"].get("self_proof") == fault)
    told = await until_failing(gateway, "policy", "self_proof")
    assert told["reasons"]["policy"].startswith("no policy is active: ")
    files = (path for path in POLICIES.rglob("*") if path.is_file() and "_test" not in path.name)
    archive = {path.relative_to(POLICIES).as_posix(): path.read_bytes() for path in files}
    server.serve(tarball(archive), '"1"')
    await until_ready(gateway)


MISCONFIGURED: dict[str, tuple[Callable[[Path, dict[str, Any]], None], str]] = {
    "the admin port": (lambda _, config: config.update(admin="192.0.2.1:8282"), "192.0.2.1"),
    "the data port": (lambda _, config: config.update(listen="192.0.2.1:8080"), "192.0.2.1"),
    "the spool": (
        lambda folder, config: config["spool"].update(directory=str(folder / "jwks.json")),
        "spool_failed: spool directory: errno 17",
    ),
    "the log": (
        lambda folder, config: (folder / "decisions.jsonl").mkdir(),
        "log_unavailable: EISDIR",
    ),
}


@pytest.mark.parametrize("what", MISCONFIGURED)
async def test_what_only_the_operator_can_mend_ends_the_start_with_one_line(
    what: str, tmp_path: Path, issuer: TestIssuer
) -> None:
    breaks, said = MISCONFIGURED[what]
    path = configuration(tmp_path, issuer, "http://127.0.0.1:1", endpoints(), deployment=DEPLOYMENT)
    config = json.loads(path.read_text())
    breaks(tmp_path, config)
    path.write_text(json.dumps(config))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "run", "--config", str(path),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY,
    )  # fmt: skip
    stdout, stderr = await process.communicate()
    assert (process.returncode, stdout) == (1, b"")
    errors = [line for line in map(json.loads, stderr.splitlines()) if line["level"] == "error"]
    assert [line["event"] for line in errors] == ["cannot start"]
    assert said in errors[0]["reason"]


# --- readiness -----------------------------------------------------------------------------------


async def breaks_and_recovers(
    gateway: RunningGateway,
    name: str,
    breaks: Callable[[], object],
    mends: Callable[[], object],
    code: str,
    path: str = PATH,
) -> dict[str, Any]:
    """The story of every check: named, refused meanwhile, recovered."""
    await until_ready(gateway)
    assert (await gateway.get(path)).status == 200
    breaks()
    told = await until_failing(gateway, name)
    assert (await gateway.get(path)).code == code
    mends()
    await until_ready(gateway)
    assert (await gateway.get(path)).status == 200
    assert gateway.process.returncode is None
    return told


async def test_a_bundle_that_is_gone_makes_it_unready_when_it_is_too_old(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    bundle, elsewhere = tmp_path / "bundle", tmp_path / "elsewhere"
    shutil.copytree(POLICIES, bundle, ignore=shutil.ignore_patterns("*_test.rego"))
    policy = {"bundle": str(bundle), "delivery": {**SWIFT, "max_age": "2s"}}
    world = await start(stack, tmp_path, issuer, policy=policy)
    told = await breaks_and_recovers(
        world.gateway, "policy", lambda: bundle.rename(elsewhere), lambda: elsewhere.rename(bundle),
        "policy_unavailable",
    )  # fmt: skip
    assert "policy.delivery.max_age" in told["reasons"]["policy"]


async def test_keys_that_are_gone_make_it_unready_when_they_are_too_old(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    jwks, elsewhere = tmp_path / "jwks.json", tmp_path / "elsewhere"
    times = {"jwks_refresh": "1s", "jwks_timeout": "500ms", "jwks_max_age": "2s"}
    world = await start(stack, tmp_path, issuer, identity=identity(issuer, str(jwks), **times))
    told = await breaks_and_recovers(
        world.gateway, "keys", lambda: jwks.rename(elsewhere), lambda: elsewhere.rename(jwks),
        "keys_unavailable",
    )  # fmt: skip
    assert told["reasons"] == {"keys": "the keys of every issuer are too old"}


async def test_another_file_in_the_place_of_the_log_makes_it_unready(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    """E10, by a rotation that nobody told the gateway of"""
    world = await start(stack, tmp_path, issuer)
    log, elsewhere = world.gateway.log, tmp_path / "decisions.jsonl.1"

    def rotate() -> None:
        log.rename(elsewhere)
        log.touch(0o600)

    told = await breaks_and_recovers(
        world.gateway, "decision_log", rotate, lambda: elsewhere.rename(log), "log_unavailable"
    )
    assert "replaced by another file" in told["reasons"]["decision_log"]
    assert world.gateway.verify().ok


async def test_a_full_disk_under_the_log_makes_it_unready_before_the_service_is_asked(
    stack: AsyncExitStack, tmp_path: Path, small_disk: Path, issuer: TestIssuer
) -> None:
    """E06"""
    key = tmp_path / "pseudonym-key"
    log = {"file": str(small_disk / "decisions.jsonl"), "pseudonym_key_file": str(key)}
    world = await start(stack, tmp_path, issuer, decision_log=log)
    gateway, service = world.gateway, world.service
    await until_ready(gateway)
    filler = fill(small_disk)
    while (answer := await gateway.get(PATH)).status == 200:  # what fits into its last page
        pass
    assert answer.code == "log_unavailable"
    told = await until_failing(gateway, "decision_log")
    assert "ENOSPC" in told["reasons"]["decision_log"]
    asked = len(service.asked)
    assert (await gateway.get(PATH)).code == "log_unavailable"
    assert len(service.asked) == asked
    filler.unlink()
    await until_ready(gateway)
    assert (await gateway.get(PATH)).status == 200


@pytest.mark.parametrize("fault", ["full", "read-only"])
async def test_a_disk_that_takes_nothing_more_makes_it_unready(
    fault: str, stack: AsyncExitStack, tmp_path: Path, small_disk: Path, issuer: TestIssuer
) -> None:
    """E05"""
    spool = {"directory": str(small_disk), "memory": "1KiB"}
    world = await start(stack, tmp_path, issuer, spool=spool)
    world.service.answer(PATH, EXPORTS["json"].of(*[ME] * 5000), "application/json")
    remount = ["mount", "-o", "remount,{}", str(small_disk)]

    def breaks() -> None:
        if fault == "full":
            # What an exchange that has just ended still holds would be room again.
            while (disk := os.statvfs(small_disk)).f_bfree < disk.f_blocks:
                time.sleep(0.01)
            fill(small_disk)
        else:
            subprocess.run([each.format("ro") for each in remount], check=True)

    def mends() -> None:
        if fault == "full":
            (small_disk / "filler").unlink()
        else:
            subprocess.run([each.format("rw") for each in remount], check=True)

    code = "spool_full" if fault == "full" else "spool_failed"
    await breaks_and_recovers(world.gateway, "spool", breaks, mends, code)
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "worker", "path", "code"),
    [
        ("inspection", "inspection.process", ARCHIVE, "inspection_failed"),
        ("policy", "rego_worker", PATH, "policy_unavailable"),
    ],
)
async def test_a_killed_process_that_cannot_be_replaced_makes_it_unready(
    name: str, worker: str, path: str, code: str,
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer,
) -> None:  # fmt: skip
    world = await start(stack, tmp_path, issuer, inspection={"workers": 1})
    gateway = world.gateway
    (zygote,) = zygotes(gateway.process.pid)
    limits = resource.prlimit(zygote, resource.RLIMIT_NOFILE)

    def breaks() -> None:
        resource.prlimit(zygote, resource.RLIMIT_NOFILE, (3, limits[1]))
        (victim,) = gateway.children(worker)
        os.kill(victim, signal.SIGKILL)

    def mends() -> None:
        resource.prlimit(zygote, resource.RLIMIT_NOFILE, limits)

    await breaks_and_recovers(gateway, name, breaks, mends, code, path)


@pytest.mark.opa
async def test_an_opa_that_hangs_makes_it_unready_before_the_probe_gives_up(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer, opa_binary: str
) -> None:
    opa = await stack.enter_async_context(running_opa(opa_binary, tmp_path, DEPLOYMENT))
    policy = {"engine": "opa", "opa": opa.url, "deadline": "2s"}
    world = await start(stack, tmp_path, issuer, policy=policy, deployment=None)
    told = await breaks_and_recovers(
        world.gateway, "policy", lambda: opa.process.send_signal(signal.SIGSTOP),
        lambda: opa.process.send_signal(signal.SIGCONT), "policy_timeout",
    )  # fmt: skip
    assert told["reasons"]["policy"] == "OPA can't be asked, or has not activated its bundles"


async def test_a_self_proof_that_fails_keeps_it_unready(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    gateway, held = await held_start(
        stack, tmp_path, issuer, inspection={"workers": 1, "deadline": "3s"}
    )
    await until_only_keys_are_missing(gateway, held)
    (worker,) = gateway.children("inspection.process")
    os.kill(worker, signal.SIGSTOP)
    held.go_on.set()
    told = await until_failing(gateway, "self_proof")
    assert told["reasons"]["self_proof"] == "not yet played"
    fault = "the own record did not pass: inspection_timeout"
    await until(gateway, lambda told: told.get("reasons", {}).get("self_proof") == fault)
    assert await gateway.alive()
    await until_ready(gateway)
    assert (await gateway.get(PATH)).status == 200


async def test_an_event_loop_that_stands_still_fails_liveness(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    world = await start(stack, tmp_path, issuer)
    world.gateway.process.send_signal(signal.SIGSTOP)
    impatient = await stack.enter_async_context(ClientSession(timeout=ClientTimeout(total=1)))
    with pytest.raises(TimeoutError):
        await impatient.get(f"{world.gateway.admin}/healthz")
    world.gateway.process.send_signal(signal.SIGCONT)
    assert await world.gateway.alive()


# --- the end -------------------------------------------------------------------------------------


async def in_flight(world: World, path: str = PATH) -> tuple[asyncio.Task[Any], asyncio.Event]:
    """An exchange that the service has begun, and what lets it end."""
    arrived, go_on = asyncio.Event(), asyncio.Event()
    world.service.hold(arrived, go_on)
    task = asyncio.create_task(world.gateway.get(path))
    await arrived.wait()
    return task, go_on


async def drained(gateway: RunningGateway) -> None:
    told = await until(gateway, lambda told: not told["checks"]["accepting"])
    assert (told["code"], told["reasons"]["accepting"]) == (503, "draining")
    assert await gateway.alive()


async def test_after_sigterm_it_serves_until_the_delay_is_over_and_a_second_one_ends_it(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    """E12, E13"""
    world = await start(stack, tmp_path, issuer, client={"drain_delay": "10m"})
    gateway, port = world.gateway, port_of(world.gateway.url)
    raw = request(PATH.encode()).replace(b"Bearer me", f"Bearer {gateway.token}".encode())
    idle = await stack.enter_async_context(calling(port))
    await idle.send(raw)
    assert "Connection" not in await idle.reply()
    kept = await stack.enter_async_context(calling(port))
    await kept.send(raw)
    assert "Connection" not in await kept.reply()
    gateway.process.terminate()
    await drained(gateway)
    for caller in (kept, await stack.enter_async_context(calling(port))):  # old and new
        await caller.send(raw)
        reply = await caller.reply()
        assert (reply.status, reply["Connection"]) == (200, "close")
        assert await caller.rest() == b""
    last, go_on = await in_flight(world)
    gateway.process.terminate()
    assert await idle.rest() == b""
    while await accepts(port):
        await asyncio.sleep(0.02)  # a bounded poll (pytest-timeout) of another process
    gateway.process.terminate()  # and any further one changes nothing
    go_on.set()
    assert (await last).status == 200
    assert await gateway.process.wait() == 0
    assert [entry["outcome"] for entry in gateway.entries()] == ["released"] * 5
    assert gateway.verify().ok


async def test_a_pre_stop_hook_drains_it_before_sigterm(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    world = await start(stack, tmp_path, issuer, client={"drain_delay": "1s"})
    gateway = world.gateway
    assert "Connection" not in (await gateway.get(PATH)).headers
    hook = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "drain", "--admin", gateway.admin.removeprefix("http://"),
        cwd=REPOSITORY,
    )  # fmt: skip
    assert await hook.wait() == 0
    await drained(gateway)
    answer = await gateway.get(PATH)
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert await gateway.stop() == 0
    assert '"event": "draining"' in gateway.stderr()
    assert gateway.verify().ok


async def test_of_twenty_in_flight_those_end_that_can_and_the_rest_is_cut_off_and_logged(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer
) -> None:
    """E12"""
    world = await start(stack, tmp_path, issuer, client={"drain": "2s"})
    gateway, go_on, too_late = world.gateway, asyncio.Event(), asyncio.Event()
    arrived = 0

    async def held(request: web.BaseRequest) -> None:
        nonlocal arrived
        arrived += 1
        await (go_on if request.path == PATH else too_late).wait()

    world.service.before = held
    tasks = [asyncio.create_task(gateway.get(path)) for path in (PATH, OTHER) * 10]
    while arrived < 20:
        await asyncio.sleep(0.01)
    gateway.process.terminate()
    await drained(gateway)
    go_on.set()
    answers = await asyncio.gather(*tasks)
    assert [answer.status for answer in answers] == [200, 503] * 10
    assert {answer.code for answer in answers} == {"", "shutting_down"}
    assert await gateway.process.wait() == 0
    too_late.set()
    outcomes = sorted((entry["outcome"], entry.get("code")) for entry in gateway.entries())
    assert outcomes == [("refused", "shutting_down")] * 10 + [("released", None)] * 10
    assert gateway.verify().ok
