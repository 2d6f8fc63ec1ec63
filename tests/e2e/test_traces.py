"""A real gateway, a real upstream and a real OTLP receiver: what a trace shows, and what not."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import DEPLOYMENT, EXPORTS, ME, endpoints
from tests.support.collector import Collector, Received, collecting
from tests.support.gateway import ExportService, RunningGateway, configuration, running, serving
from tests.support.issuer import TestIssuer

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
OTHER = "canary-other-9d2e"
CANARIES = (
    "canary-caller-51c0",
    OTHER,
    "canary-header-77aa",
    "canary-path-1b2c",
    "canary-state-3f",
)
EXPORT = EXPORTS["json"]
EXACT = {
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "error.type",
    "server.address",
    "server.port",
}


@dataclass(frozen=True)
class World:
    gateway: RunningGateway
    service: ExportService
    collector: Collector
    issuer: TestIssuer


@asynccontextmanager
async def traced(
    tmp_path: Path,
    issuer: TestIssuer,
    *,
    environ: Mapping[str, str] | None = None,
    collector: Mapping[str, Any] | None = None,
    **sections: Any,
) -> AsyncIterator[World]:
    service = ExportService()
    async with serving(service) as upstream, collecting(**(collector or {})) as receiver:
        config = configuration(
            tmp_path, issuer, upstream, endpoints(), deployment=DEPLOYMENT, **sections
        )
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_BSP_SCHEDULE_DELAY": "20",
            **(environ or {}),
        }
        async with running(config, environ=variables) as gateway:
            gateway.token = issuer.token(sub=ME)
            for suffix in ("", "-partial"):
                service.answer(EXPORT.path + suffix, EXPORT.of(ME), EXPORT.media_type)
            yield World(gateway, service, receiver, issuer)


async def spans_of(world: World, exchange_id: str) -> tuple[Received, dict[str, Received]]:
    """The server's span, and the others by name."""
    await world.collector.until(lambda collector: bool(collector.of(exchange_id)))
    server, *steps = world.collector.of(exchange_id)
    return server, {step.name: step for step in steps}


async def test_an_export_is_one_server_span_with_one_span_a_step_under_it(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    async with traced(tmp_path, issuer, policy={"request_phase": True}) as world:
        before = time.time_ns()
        answer = await world.gateway.get(EXPORT.path)
        assert answer.status == 200
        exchange = answer.headers["X-Exchange-Id"]
        server, steps = await spans_of(world, exchange)
    assert (server.name, server.kind) == ("GET /exports/json", "SERVER")
    assert (server.parent_id, server.status, server.state) == ("", 0, "")
    assert list(steps) == [
        "admission",
        "identity",
        "request_policy",
        "upstream",
        "inspection",
        "policy",
        "enforcement",
        "log",
    ]
    assert server.attributes == {
        "http.request.method": "GET",
        "http.route": "/exports/json",
        "http.response.status_code": 200,
        "privacy_gateway.decision_id": exchange,
        "privacy_gateway.endpoint": "json",
        "privacy_gateway.outcome": "released",
        "privacy_gateway.effect": "allow",
        "privacy_gateway.format": "json",
        "privacy_gateway.bytes.received": len(answer.body),
        "privacy_gateway.bytes.released": len(answer.body),
        "privacy_gateway.records.seen": 1,
        "privacy_gateway.records.released": 1,
        "privacy_gateway.records.redacted": 0,
        "privacy_gateway.records.blocked": 0,
    }
    # Nested, in order, and at the time at which it happened.
    at = server.start
    for step in steps.values():
        assert (step.trace_id, step.parent_id) == (server.trace_id, server.span_id)
        assert step.kind == ("CLIENT" if step.name == "upstream" else "INTERNAL")
        assert at <= step.start <= step.end <= server.end
        at = step.end
    assert before - 1_000_000 <= server.start and server.end <= time.time_ns()
    assert len({server.span_id, *(step.span_id for step in steps.values())}) == 9
    resource = server.resource
    assert resource["service.name"] == "privacy-gateway"
    # The instance is the one that the decision log names.
    (entry,) = world.gateway.entries()
    assert resource["service.instance.id"] == entry["labels"]["id"]
    assert (entry["trace_id"], entry["span_id"]) == (server.trace_id, server.span_id)
    assert world.gateway.verify().problem is None


async def test_a_callers_trace_goes_on_through_the_gateway_to_the_upstream(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    async with traced(tmp_path, issuer) as world:
        state = "congo=t61rcWkgMzE, rojo=00f067aa0ba902b7"
        answer = await world.gateway.get(
            EXPORT.path, traceparent=TRACEPARENT, tracestate=state, baggage="name=canary"
        )
        server, steps = await spans_of(world, answer.headers["X-Exchange-Id"])
        (sent,) = world.service.headers
    assert (server.trace_id, server.parent_id) == (TRACE, PARENT)
    assert sent["traceparent"] == f"00-{TRACE}-{steps['upstream'].span_id}-01"
    assert sent["tracestate"] == state.replace(" ", "")
    assert "baggage" not in {name.lower() for name in sent}


async def test_a_caller_that_does_not_sample_is_obeyed_and_the_trace_goes_on_all_the_same(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    async with traced(tmp_path, issuer) as world:
        quiet = await world.gateway.get(EXPORT.path, traceparent=f"00-{TRACE}-{PARENT}-00")
        loud = await world.gateway.get(EXPORT.path)
        await spans_of(world, loud.headers["X-Exchange-Id"])
        assert not world.collector.of(quiet.headers["X-Exchange-Id"])
        assert world.service.headers[0]["traceparent"].startswith(f"00-{TRACE}-")
        assert world.service.headers[0]["traceparent"].endswith("-00")
        entry, _ = world.gateway.entries()
        assert "trace_id" not in entry and "span_id" not in entry


async def test_a_gateway_that_trusts_no_caller_begins_a_trace_of_its_own(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    async with traced(tmp_path, issuer, telemetry={"trust_traceparent": False}) as world:
        answer = await world.gateway.get(
            EXPORT.path, traceparent=f"00-{TRACE}-{PARENT}-00", tracestate="a=b"
        )
        server, steps = await spans_of(world, answer.headers["X-Exchange-Id"])
        (sent,) = world.service.headers
    assert server.trace_id != TRACE and server.parent_id == ""
    assert sent["traceparent"] == f"00-{server.trace_id}-{steps['upstream'].span_id}-01"
    assert "tracestate" not in sent


async def test_a_gateway_that_traces_nothing_hands_a_callers_trace_on_and_starts_no_exporter(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    async with traced(tmp_path, issuer, environ={"OTEL_SDK_DISABLED": "true"}) as world:
        await world.gateway.get(EXPORT.path, traceparent=TRACEPARENT, tracestate="a=b")
        await world.gateway.get(EXPORT.path)
        first, second = world.service.headers
        assert (first["traceparent"], first["tracestate"]) == (TRACEPARENT, "a=b")
        assert "traceparent" not in second
        assert not world.gateway.children("telemetry.otlp")
        assert "trace_spans" not in await world.gateway.metrics()
        assert not any("trace_id" in entry for entry in world.gateway.entries())


async def test_a_block_is_no_error_and_a_dead_upstream_is_one_with_its_code(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    async with traced(tmp_path, issuer) as world:
        world.service.answer(EXPORT.path, EXPORT.of(OTHER), EXPORT.media_type)
        blocked = await world.gateway.get(EXPORT.path)
        world.service.answer(EXPORT.path, EXPORT.of(ME)[:-3], EXPORT.media_type)
        cut = await world.gateway.get(EXPORT.path)
        stranger = await world.gateway.get(EXPORT.path, token="")
        assert [blocked.status, cut.status, stranger.status] == [403, 502, 401]
        block, _ = await spans_of(world, blocked.headers["X-Exchange-Id"])
        broken, broken_steps = await spans_of(world, cut.headers["X-Exchange-Id"])
        unknown, unknown_steps = await spans_of(world, stranger.headers["X-Exchange-Id"])
    assert block.status == 0 and "error.type" not in block.attributes
    assert block.attributes["privacy_gateway.code"] == "blocked_by_policy"
    assert block.attributes["privacy_gateway.records.blocked"] == 1
    assert (broken.status, broken.attributes["error.type"]) == (2, "body_malformed")
    failed = [step.name for step in broken_steps.values() if step.status == 2]
    assert failed == ["inspection"]
    assert broken_steps["inspection"].attributes["error.type"] == "body_malformed"
    assert unknown.status == 0 and unknown.attributes["error.type"] == "token_missing"
    assert unknown_steps["identity"].attributes["error.type"] == "token_missing"
    assert list(unknown_steps) == ["admission", "identity", "log"]


@pytest.mark.parametrize("status", [200, 500])
async def test_no_canary_reaches_the_collector_or_the_log_at_debug_level_in_every_room(
    tmp_path: Path, issuer: TestIssuer, status: int
) -> None:
    caller, other, header, path, state = CANARIES
    spool = {"directory": str(tmp_path / "spool"), "memory": "1B"}
    async with traced(
        tmp_path, issuer, log_level="debug", spool=spool, collector={"status": status}
    ) as world:
        gateway, service = world.gateway, world.service
        token = issuer.token(sub=caller, email=f"{caller}@example.org")
        exports = []
        for export in EXPORTS.values():
            for suffix in ("", "-partial"):
                for owners in ((caller,), (other,), (caller, other)):
                    body = export.of(*owners)
                    service.answer(export.path + suffix, body, export.media_type)
                    exports.append(
                        await gateway.get(
                            f"{export.path}{suffix}?q={path}",
                            token,
                            traceparent=TRACEPARENT,
                            tracestate=f"{state}={state}",
                            baggage=f"who={header}",
                            Referer=header,
                        )
                    )
        for body in (EXPORT.of(other)[:-3], b'{"%s":1}' % other.encode()):
            service.answer(EXPORT.path, body, EXPORT.media_type)
            exports.append(await gateway.get(EXPORT.path, token))
        exports += [
            await gateway.get(f"/{path}", token, traceparent=header, tracestate=header),
            await gateway.get(EXPORT.path, header),
            await gateway.get(EXPORT.path, issuer.expired(sub=caller)),
            await gateway.get(EXPORT.path, token, traceparent=f"00-{header}-01"),
        ]
        last = exports[-1].headers["X-Exchange-Id"].encode()
        await world.collector.until(lambda collector: any(last in raw for raw in collector.raw))
        assert state in service.headers[0]["tracestate"]  # it goes on, and nowhere else
        names = {span.name for span in world.collector.spans}
        for span in world.collector.spans:
            for name in span.attributes:
                assert name in EXACT or name.startswith("privacy_gateway.")
    sent = b"".join(world.collector.raw)
    stderr = gateway.stderr()
    entries = (tmp_path / "decisions.jsonl").read_text()
    for canary in CANARIES:
        assert canary.encode() not in sent
        assert canary not in stderr
        assert canary not in entries
    assert issuer.token(sub=caller).encode()[:20] not in sent
    if status == 200:
        assert {"GET /exports/zip", "GET", "identity", "upstream"} <= names
    rooms = {line.get("logger", "").split(".")[1] for line in map(json.loads, stderr.splitlines())}
    assert rooms >= {
        "app", "decisionlog", "identity", "inspection", "policy", "proxy", "spool",
    }  # fmt: skip


async def test_a_line_of_an_exchange_names_it_and_its_trace(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    async with traced(tmp_path, issuer, log_level="debug") as world:
        kept = await world.gateway.get(EXPORT.path, traceparent=TRACEPARENT)
        quiet = await world.gateway.get(EXPORT.path, traceparent=f"00-{TRACE}-{PARENT}-00")
        server, _ = await spans_of(world, kept.headers["X-Exchange-Id"])
    lines = [json.loads(line) for line in world.gateway.stderr().splitlines()]
    mine = [line for line in lines if line.get("exchange_id") == kept.headers["X-Exchange-Id"]]
    events = {line["event"] for line in mine}
    assert {"a token was proven", "the upstream answered", "a body was read", "decided"} <= events
    assert {(line["trace_id"], line["span_id"]) for line in mine} == {(TRACE, server.span_id)}
    unkept = [line for line in lines if line.get("exchange_id") == quiet.headers["X-Exchange-Id"]]
    assert unkept and not any("trace_id" in line for line in unkept)
    # What isn't of an exchange names none, also after the self-proof's exchanges.
    apart = [line for line in lines if line["event"] in ("listening", "self-proof", "draining")]
    assert len(apart) == 3 and not any("exchange_id" in line for line in apart)


async def stopped_in(gateway: RunningGateway) -> float:
    began = time.monotonic()
    assert await gateway.stop() == 0
    return time.monotonic() - began


async def counted(gateway: RunningGateway, result: str) -> int:
    line = f'privacy_gateway_trace_spans_total{{result="{result}"}} '
    text = await gateway.metrics()
    return int(
        float(next(each for each in text.splitlines() if each.startswith(line))[len(line) :])
    )


async def until_counted(gateway: RunningGateway, result: str, least: int) -> None:
    async with asyncio.timeout(60):
        while await counted(gateway, result) < least:
            await asyncio.sleep(0.05)


async def test_a_dead_collector_costs_a_count_and_a_line(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    """Nobody listens at port 1."""
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1/canary-endpoint",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "300",
    }
    async with traced(tmp_path, issuer, environ=variables) as world:
        answers = [await world.gateway.get(EXPORT.path) for _ in range(5)]
        assert {answer.status for answer in answers} == {200}
        await until_counted(world.gateway, "failed", 5 * 8)
        assert await counted(world.gateway, "exported") == 0
        assert await stopped_in(world.gateway) < 20
    lines = [json.loads(line) for line in world.gateway.stderr().splitlines()]
    told = [line for line in lines if line["event"] == "spans are not exported"]
    assert [line["reason"] for line in told] == ["no collector answers"]
    assert "canary-endpoint" not in world.gateway.stderr()


async def test_a_collector_that_refuses_is_named_by_its_status(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    async with traced(tmp_path, issuer, collector={"status": 400}) as world:
        assert (await world.gateway.get(EXPORT.path)).status == 200
        await until_counted(world.gateway, "failed", 8)
        world.collector.status = 200
        answer = await world.gateway.get(EXPORT.path)
        await spans_of(world, answer.headers["X-Exchange-Id"])
        await until_counted(world.gateway, "exported", 8)
    stderr = world.gateway.stderr()
    assert "the collector answers 400" in stderr and "spans are exported again" in stderr


async def test_a_collector_that_hangs_delays_no_export_and_no_exit_and_the_queue_stays_bounded(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    hanging = asyncio.Event()
    variables = {
        "OTEL_BSP_MAX_QUEUE_SIZE": "20",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "60000",
    }
    async with traced(tmp_path, issuer, environ=variables, collector={"open": hanging}) as world:
        world.collector.open.clear()
        first = await world.gateway.get(EXPORT.path)
        await world.collector.until(lambda collector: bool(collector.raw))
        answers = [await world.gateway.get(EXPORT.path) for _ in range(6)]
        assert {answer.status for answer in (first, *answers)} == {200}
        # Two exchanges of eight spans fit into a queue of twenty; four do not.
        assert await counted(world.gateway, "dropped") == 4 * 8
        assert await stopped_in(world.gateway) < 30  # far below the export's own minute
        assert not world.collector.spans


async def test_what_is_queued_at_the_end_is_exported(tmp_path: Path, issuer: TestIssuer) -> None:
    """The first two exchanges fill a batch, the third waits for an hour, or for the end."""
    variables = {
        "OTEL_BSP_SCHEDULE_DELAY": "3600000",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "9",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }
    async with traced(tmp_path, issuer, environ=variables) as world:
        for _ in range(2):
            answer = await world.gateway.get(EXPORT.path)
        await spans_of(world, answer.headers["X-Exchange-Id"])
        answer = await world.gateway.get(EXPORT.path)
        assert not world.collector.of(answer.headers["X-Exchange-Id"])
        assert await world.gateway.stop() == 0
        server, *steps = world.collector.of(answer.headers["X-Exchange-Id"])
    assert server.kind == "SERVER" and len(steps) == 7


async def test_a_killed_exporter_is_replaced(tmp_path: Path, issuer: TestIssuer) -> None:
    async with traced(tmp_path, issuer) as world:
        answer = await world.gateway.get(EXPORT.path)
        await spans_of(world, answer.headers["X-Exchange-Id"])
        (pid,) = world.gateway.children("telemetry.otlp")
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(60):
            while world.gateway.children("telemetry.otlp") in ([], [pid]):
                await asyncio.sleep(0.05)
        answer = await world.gateway.get(EXPORT.path)
        await spans_of(world, answer.headers["X-Exchange-Id"])


async def test_only_the_exporting_process_has_opentelemetry_in_it(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    """No thread and no memory of it in the process of the event loop, nor in any other child."""
    async with traced(tmp_path, issuer) as world:
        answer = await world.gateway.get(EXPORT.path)
        await spans_of(world, answer.headers["X-Exchange-Id"])
        pid = world.gateway.process.pid
        holders = [
            each
            for each in (pid, *world.gateway.children(""))
            if b"google/_upb" in Path(f"/proc/{each}/maps").read_bytes()
        ]
        assert holders == world.gateway.children("telemetry.otlp")


async def test_what_is_asked_for_and_can_not_be_had_is_said_and_stops_nothing(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    async with traced(tmp_path, issuer, environ={"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) as world:
        assert (await world.gateway.get(EXPORT.path)).status == 200
        assert "only http/protobuf is spoken" in world.gateway.stderr()
        assert not world.gateway.children("telemetry.otlp")
