"""A real Prometheus reads what a running gateway says of itself, in each format."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_text

from gateway.app import DataPlane
from gateway.config import load
from gateway.single import Gateway
from gateway.telemetry.admin import AdminServer
from gateway.telemetry.catalogue import CHECKS, METRICS, PREFIX, TRACE_SPANS
from gateway.telemetry.exposition import Format
from gateway.telemetry.metrics import Metrics
from tests.conftest import missing
from tests.e2e.conftest import DEPLOYMENT, EXPORTS, FOREIGN, ME, World, endpoints
from tests.support import client_model
from tests.support.gateway import POLICIES, ExportService, configuration, running, serving
from tests.support.issuer import TestIssuer
from tests.support.prometheus import Prometheus
from tests.telemetry.test_metrics import evidence

EXPORT = EXPORTS["json"]
CANARY = "Canary-e2e-77"
NATIVE = "privacy_gateway_exchange_duration_seconds"


@asynccontextmanager
async def guarded(folder: Path, issuer: TestIssuer, **sections: Any) -> AsyncIterator[World]:
    """A ready gateway through which an own, a foreign and a mixed export have been asked for."""
    async with AsyncExitStack() as stack:
        service = ExportService()
        upstream = await stack.enter_async_context(serving(service))
        observed = {
            "name": "observed", "path": "/exports/observed", "body": EXPORT.body,
            "enforcement": "observe", "observe_until": time.strftime(
                "%Y-%m-%d", time.gmtime(time.time() + 10 * 86_400)
            ),
        }  # fmt: skip
        config = configuration(
            folder, issuer, upstream, [*endpoints(), observed], deployment=DEPLOYMENT, **sections
        )
        gateway = await stack.enter_async_context(running(config))
        gateway.token = issuer.token(sub=ME)
        service.answer(EXPORT.path, EXPORT.of(ME), EXPORT.media_type)
        service.answer(f"{EXPORT.path}-partial", EXPORT.of(ME, FOREIGN), EXPORT.media_type)
        service.answer("/exports/csv", EXPORTS["csv"].of(ME, CANARY), "text/csv")
        service.answer("/exports/observed", EXPORT.of(CANARY), EXPORT.media_type)
        for path, status in (
            (EXPORT.path, 200), (f"{EXPORT.path}-partial", 200), ("/exports/csv", 403),
            ("/exports/observed", 200), (f"/{CANARY}", 404), (f"{EXPORT.path}?{CANARY}=1", 200),
        ):  # fmt: skip
            answer = await gateway.get(path, **{"X-Canary": CANARY})
            assert answer.status == status, answer.body
        for _ in range(600):
            if "privacy_gateway_shadow_ready 1.0" in await gateway.metrics():
                break
            await asyncio.sleep(0.05)  # a bounded poll of another process
        stranger = issuer.token(sub=CANARY, iss=f"https://{CANARY}.example")
        assert (await gateway.get(EXPORT.path, stranger)).status == 401
        yield World(gateway, service, issuer)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(
    tmp_path_factory: pytest.TempPathFactory, issuer: TestIssuer
) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("gateway")
    async with guarded(folder, issuer, policy={"shadow": str(POLICIES)}) as world:
        yield world


STREAMED = {f"{PREFIX}streams_open", f"{PREFIX}stream_processes_lost_total"}


async def scraped(world: World, exposition: Format) -> bytes:
    gateway = world.gateway
    headers = {"Accept": exposition.value}
    async with gateway.session.get(f"{gateway.admin}/metrics", headers=headers) as answer:
        assert answer.headers["Content-Type"] == exposition.value
        return await answer.read()


@pytest.mark.asyncio(loop_scope="module")
async def test_promtool_has_nothing_to_say_about_the_text(here: World) -> None:
    promtool = which("promtool") or missing("there is no promtool on PATH")
    text = await scraped(here, Format.TEXT)
    check = await asyncio.to_thread(
        subprocess.run, [promtool, "check", "metrics"], input=text, capture_output=True
    )
    assert (check.returncode, check.stdout + check.stderr) == (0, b"")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_gateway_shows_every_metric_of_the_catalogue_and_no_other(here: World) -> None:
    names = {*METRICS} - {TRACE_SPANS.name, *STREAMED}  # nothing is traced or streamed here
    text = (await scraped(here, Format.TEXT)).decode()
    assert {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")} == names
    openmetrics = (await scraped(here, Format.OPENMETRICS)).decode()
    read = {family.name for family in read_openmetrics(openmetrics)}
    assert read == {name.removesuffix("_total") for name in names}
    told = {family.name for family in client_model.read(await scraped(here, Format.PROTOBUF))}
    assert told <= names
    assert names - told <= {  # of which there is no series yet
        f"{PREFIX}first_record_duration_seconds",
        "privacy_gateway_shadow_differences_total",
        "privacy_gateway_shadow_failures_total",
    }


@pytest.mark.asyncio(loop_scope="module")
async def test_no_format_says_anything_of_a_caller_or_a_body(here: World) -> None:
    for exposition in Format:
        scrape = (await scraped(here, exposition)).lower()
        for canary in (CANARY.lower(), FOREIGN.lower(), f'"{ME.lower()}"'):
            assert canary.encode() not in scrape


@pytest.mark.asyncio(loop_scope="module")
async def test_a_scrape_tells_the_same_truth_as_readyz(here: World) -> None:
    checks = await here.gateway.checks()
    assert tuple(checks) == CHECKS
    text = (await scraped(here, Format.TEXT)).decode()
    assert "privacy_gateway_ready 1.0" in text
    for check in CHECKS:
        assert f'privacy_gateway_check_ok{{check="{check}"}} 1.0' in text


@pytest.mark.asyncio(loop_scope="module")
async def test_every_part_has_memory_of_its_own(here: World) -> None:
    text = (await scraped(here, Format.TEXT)).decode()
    for part in ("inspection", "policy", "log", "shadow"):
        (line,) = (
            each
            for each in text.splitlines()
            if each.startswith(f'privacy_gateway_child_resident_memory_bytes{{part="{part}"')
        )
        assert float(line.split()[-1]) > 5_000_000


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("features", "native"), [("native-histograms,exemplar-storage", True), ("", False)]
)
async def test_a_prometheus_answers_from_it(
    here: World, tmp_path: Path, features: str, native: bool
) -> None:
    """With native histograms it scrapes protobuf, else OpenMetrics."""
    async with Prometheus(tmp_path, {"gateway": [here.gateway.admin]}, features=features) as server:
        await server.until("privacy_gateway_ready == 1")
        (blocked,) = await server.query(
            'privacy_gateway_exchanges_total{code="blocked_by_policy", endpoint="csv"} > 0'
        )
        assert (blocked.value, blocked.labels["format"]) == (1.0, "csv")
        (redacted,) = await server.query(
            'privacy_gateway_records_total{endpoint="json-partial", went="redacted"}'
        )
        assert redacted.value == 1.0
        series = f"sum({NATIVE})" if native else f"sum by (le) ({NATIVE}_bucket)"
        (half,) = await server.query(f"histogram_quantile(0.5, {series})")
        assert 0 < half.value < 60
        counted = f"histogram_count(sum({NATIVE}))" if native else f"sum({NATIVE}_count)"
        (count,) = await server.query(counted)
        assert count.value == here.gateway.asked
        assert bool(await server.query(f"{NATIVE}_bucket")) is not native
        (target,) = await server.scrape_targets()
        assert (target["health"], target["lastError"]) == ("up", "")


@pytest.mark.parametrize("features", ["native-histograms,exemplar-storage", "exemplar-storage"])
async def test_the_exemplars_of_a_scrape_lead_to_its_traces(tmp_path: Path, features: str) -> None:
    metrics, trace_id = Metrics(), "4bf92f3577b34da6a3ce929d0e0e4736"
    traced = replace(
        evidence(), trace_id=trace_id, durations={"upstream": 0.2, "inspection": 0.003}
    )
    metrics.exchange(traced)

    async def checks() -> dict[str, bool]:
        return {"accepting": True}

    admin = AdminServer("127.0.0.1", 0, metrics, checks)
    await admin.start()
    try:
        target = f"http://127.0.0.1:{admin.port}"
        async with Prometheus(tmp_path, {"gateway": [target]}, features=features) as server:
            await server.until("privacy_gateway_ready == 1")
            at = time.time()
            for name in (NATIVE, "privacy_gateway_added_duration_seconds"):
                for _ in range(100):
                    found = await server.exemplars(f'{{__name__=~"{name}.*"}}', at - 3600, at + 60)
                    if found:
                        break
                    await asyncio.sleep(0.1)  # a bounded poll of another process
                labels = {json.dumps(each["labels"]) for one in found for each in one["exemplars"]}
                assert labels == {json.dumps({"trace_id": trace_id})}
    finally:
        await admin.stop()


@pytest.mark.parametrize("everything", [True, False], ids=["with-traces-and-shadow", "bare"])
async def test_a_scrape_is_answered_at_every_moment_of_a_start_and_of_a_stop(
    tmp_path: Path, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch, everything: bool
) -> None:
    """Before and after each room starts, before and after each stops, in each format."""
    seen: list[str] = []
    policy = {"shadow": str(POLICIES)} if everything else {}
    if everything:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    config = configuration(tmp_path, issuer, "http://127.0.0.1:9", endpoints(), policy=policy)
    gateway = Gateway(load(config, {}))
    in_order = DataPlane._in_order

    async def look(moment: str) -> None:
        async with ClientSession() as session:
            for exposition in Format:
                headers = {"Accept": exposition.value}
                async with session.get(f"{gateway.admin_url}/metrics", headers=headers) as answer:
                    assert (answer.status, answer.headers["Content-Type"]) == (200, exposition)
                    read_by_its_library(exposition, await answer.read())
        seen.append(moment)

    class Watched:
        def __init__(self, name: str, room: Any) -> None:
            self._name, self._room = name, room

        async def start(self) -> None:
            await look(f"{self._name} starts")
            await self._room.start()
            await look(f"{self._name} has started")

        async def stop(self) -> None:
            await look(f"{self._name} stops")
            await self._room.stop()
            await look(f"{self._name} has stopped")

    monkeypatch.setattr(
        DataPlane,
        "_in_order",
        lambda plane: (
            [(name, Watched(name, room)) for name, room in together] for together in in_order(plane)
        ),
    )
    async with AsyncExitStack() as stack:
        await gateway.start(stack)
        await look("serving")
        gateway.drain()
        await look("draining")
    rooms = ["decision_log", "inspection", "policy", "keys", "upstream", "data_port"]
    starts = 2 * len(rooms)  # at once, but for the last one
    assert {*seen[:starts]} == {f"{name} {what}" for name in rooms for what in BEGINNINGS}
    assert all(seen.index(f"{n} starts") < seen.index(f"{n} has started") for n in rooms)
    assert seen[starts - 2 :] == [
        "data_port starts", "data_port has started", "serving", "draining",
        *(f"{name} {what}" for name in reversed(rooms) for what in ("stops", "has stopped")),
    ]  # fmt: skip


BEGINNINGS = ("starts", "has started")


def read_by_its_library(exposition: Format, scrape: bytes) -> None:
    match exposition:
        case Format.TEXT:
            families = {family.name for family in read_text(scrape.decode())}
        case Format.OPENMETRICS:
            families = {family.name for family in read_openmetrics(scrape.decode())}
        case Format.PROTOBUF:
            families = {family.name for family in client_model.read(scrape)}
    assert "privacy_gateway_ready" in families
