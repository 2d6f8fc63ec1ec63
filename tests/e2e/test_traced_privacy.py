"""Canaries wherever a caller, a token, a body, a policy or an operator can put one: none is told to
the collector, to the log at debug level, to /readyz, to a metric or to a file.
"""

import asyncio
import io
import json
import os
import re
import signal
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.e2e.conftest import DEPLOYMENT, EXPORTS, endpoints
from tests.e2e.test_shadow import LEAKY
from tests.policy.support import shipped_bundle, write_bundle
from tests.support.collector import Collector, collecting
from tests.support.gateway import Answer, ExportService, RunningGateway, configuration, running
from tests.support.gateway import serving as serving_exports
from tests.support.issuer import TestIssuer

MARK = "canary"
CALLER, OTHER, SECRET = "canary-caller-51c0", "canary-other-9d2e", "canary-secret-0c0c"
EXPORT, ZIP = EXPORTS["json"], EXPORTS["zip"]
UNTIL = (datetime.now(UTC) + timedelta(days=7)).date().isoformat()
HEADERS = (
    "User-Agent",
    "Accept",
    "Accept-Language",
    "Cookie",
    "From",
    "Referer",
    "Forwarded",
    "X-Forwarded-For",
    "X-Request-Id",
    "X-Exchange-Id",
    "Idempotency-Key",
    "baggage",
    "b3",
    "X-B3-TraceId",
    "uber-trace-id",
    "X-Amzn-Trace-Id",
)
TALKATIVE = """reasons := union({
	{spelt |
		some texts in [[input.caller.id], input.request.path, input.request.query.canary]
		some text in texts
		startswith(lower(text), "canary")
		spelt := sprintf("of_%s", [replace(lower(text), "-", "_")])
	},
"""


@dataclass(frozen=True)
class World:
    gateway: RunningGateway
    service: ExportService
    collector: Collector


@asynccontextmanager
async def world(tmp_path: Path, issuer: TestIssuer, **policy: Any) -> AsyncIterator[World]:
    """Debug lines in every room, and an operator who puts secrets where they don't belong."""
    service = ExportService()
    observed = {"enforcement": "observe", "observe_until": UNTIL}
    more = [
        {"name": "observed", "path": "/observed", "body": EXPORT.body, **observed},
        {"name": "named", "path": "/named/{who}", "body": EXPORT.body},
        {"name": "posted", "path": "/posted", "body": EXPORT.body, "methods": ["POST"]},
    ]
    async with serving_exports(service) as upstream, collecting() as collector:
        config = configuration(
            tmp_path,
            issuer,
            upstream,
            [*endpoints(), *more],
            deployment=None if policy else DEPLOYMENT,
            policy={"request_phase": True, "deadline": "20s", **policy},
            spool={"directory": str(tmp_path / "spool"), "memory": "1B"},
            log_level="debug",
        )
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {SECRET},bad\x01{SECRET}",
            "OTEL_RESOURCE_ATTRIBUTES": f"malformed {SECRET}",
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": SECRET,
            "OTEL_BSP_MAX_QUEUE_SIZE": SECRET,
            "OTEL_BSP_SCHEDULE_DELAY": "20",
        }
        async with running(config, environ=variables) as gateway:
            gateway.token = issuer.token(
                header={"cty": f"{MARK}-cty", "jku": f"https://{MARK}-jku.test"},
                sub=CALLER,
                email=f"{CALLER}@example.org",
                jti=f"{MARK}-jti",
                name=f"{MARK}-name",
            )
            yield World(gateway, service, collector)


def talkative(folder: Path) -> dict[str, Any]:
    """A policy that spells what it is asked about, and a shadow that differs and spells it, too."""
    bundle = shipped_bundle(folder / "policies", DEPLOYMENT)
    decision = bundle / "privacy" / "decision" / "decision.rego"
    text = decision.read_text()
    decision.write_text(text.replace("reasons := union({\n", TALKATIVE))
    assert decision.read_text() != text
    shadow = write_bundle(folder / "next", {"decision.rego": LEAKY})
    return {"bundle": str(bundle), "shadow": {"bundle": str(shadow)}}


def archive() -> bytes:
    """Names of files, comments and contents that spell somebody."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.comment = f"{MARK}-comment".encode()
        made.writestr("manifest.json", json.dumps({"recordings": [], MARK: MARK}))
        made.writestr(f"recordings/{MARK}-name.wav", f"{MARK}-voice")
        made.writestr(f"{MARK}-unexpected.txt", f"{MARK}-text")
    return buffer.getvalue()


async def played(world: World, issuer: TestIssuer) -> list[Answer]:
    """Exchanges of every kind."""
    gateway, service = world.gateway, world.service
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    state = {"traceparent": trace, "tracestate": f"{MARK}={MARK}"}
    answers = []
    for path in (EXPORT.path, f"{EXPORT.path}-partial", "/observed", f"/named/{MARK}-who"):
        for owners in ((CALLER,), (OTHER,), (CALLER, OTHER)):
            service.answer(path, EXPORT.of(*owners), EXPORT.media_type)
            answers.append(await gateway.get(f"{path}?{MARK}={MARK}-query-1b2c", **state))
    service.answer(ZIP.path, archive(), ZIP.media_type)
    answers.append(await gateway.get(ZIP.path))
    service.answer(EXPORT.path, EXPORT.of(CALLER), EXPORT.media_type)
    for header in HEADERS:
        answers.append(await gateway.get(EXPORT.path, **{header: f"{MARK}-{header}"}))
    for hostile in (f"00-{MARK}-{'b' * 16}-01", f"{trace}-{MARK}", f"cc{trace[2:]}-{MARK}"):
        answers.append(await gateway.get(EXPORT.path, traceparent=hostile, tracestate=f"a={MARK}"))
    for token in (
        issuer.token(header={"kid": f"{MARK}-kid"}, sub=CALLER),
        issuer.token(iss=f"https://{MARK}-iss.test"),
        issuer.token(aud=f"{MARK}-aud"),
        issuer.expired(sub=CALLER),
        issuer.forged(sub=CALLER),
        issuer.token(sub=[MARK]),
        f"{MARK}.{MARK}.{MARK}",
    ):
        answers.append(await gateway.get(EXPORT.path, token))
    for status, body, media_type in (
        (500, f"<html>{MARK}</html>".encode(), "text/html"),
        (404, MARK.encode(), f"text/{MARK}"),
        (302, MARK.encode(), "text/plain"),
        (200, MARK.encode(), f"application/{MARK}"),
        (200, EXPORT.of(OTHER)[:-3], EXPORT.media_type),
        (200, b'{"orders":[{"%s":"\xff%s"}]}' % (MARK.encode(), MARK.encode()), "application/json"),
    ):
        service.answer(EXPORT.path, body, media_type, status=status)
        answers.append(await gateway.get(EXPORT.path))
    authorization = {"Authorization": f"Bearer {gateway.token}"}
    service.answer("/posted", EXPORT.of(CALLER), EXPORT.media_type)
    for method, path in (("CANARY", EXPORT.path), ("POST", "/posted"), ("GET", f"/{MARK}")):
        async with gateway.session.request(
            method, gateway.url + path, headers=authorization, data=f"{MARK}-sent".encode()
        ) as got:
            answers.append(Answer(got.status, dict(got.headers), await got.read()))
    return answers


def command_lines(gateway: RunningGateway) -> Iterator[bytes]:
    for pid in (gateway.process.pid, *gateway.children("")):
        yield Path(f"/proc/{pid}/cmdline").read_bytes()


async def exported(world: World, ids: set[str]) -> None:
    def all_there(collector: Collector) -> bool:
        return all(collector.of(each) for each in ids)

    await world.collector.until(all_there)


async def test_what_is_planted_is_told_to_no_collector_log_probe_metric_or_file(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    async with world(tmp_path, issuer, **talkative(tmp_path)) as it:
        answers = await played(it, issuer)
        await exported(it, {answer.headers["X-Exchange-Id"] for answer in answers})
        ready = json.dumps(await it.gateway.readiness())
        metrics = await it.gateway.metrics()
        arguments = b"".join(command_lines(it.gateway))
        given = {"gateway.yaml", "jwks.json", "pseudonym-key", "decision.rego"}
        files = [each for each in tmp_path.rglob("*") if each.is_file() and each.name not in given]
        left = {each.name: each.read_bytes() for each in files}
        assert {answer.status for answer in answers} >= {200, 400, 401, 403, 404, 500, 502}
    assert it.collector.requests[0]["Authorization"] == f"Bearer {SECRET}"
    told = {
        "spans": b"".join(it.collector.raw),
        "log": it.gateway.stderr().encode(),
        "readyz": ready.encode(),
        "metrics": metrics.encode(),
        "arguments": arguments,
        **left,
    }
    for name, data in told.items():
        at = data.lower().find(MARK.encode())
        assert at < 0, (name, data[max(0, at - 300) : at + 100])
        assert issuer.token(sub=CALLER).split(".")[0].encode() not in data, name
    assert b"the shadow differs" in told["log"] and b"a token was refused" in told["log"]
    assert "decisions.jsonl" in told and not any("core" in name for name in left)
    assert it.gateway.verify().problem is None


async def test_what_is_exported_are_the_exchanges_of_the_log_but_for_the_self_proofs(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    """Also those that a caller left, and those that are observed."""
    async with world(tmp_path, issuer) as it:
        arrived, go_on = asyncio.Event(), asyncio.Event()
        it.service.answer(EXPORT.path, EXPORT.of(CALLER), EXPORT.media_type)
        it.service.answer("/observed", EXPORT.of(OTHER), EXPORT.media_type)
        observed = (await it.gateway.get("/observed")).headers["X-Exchange-Id"]
        it.service.hold(arrived, go_on)
        asking = asyncio.create_task(it.gateway.get(EXPORT.path))
        await arrived.wait()
        asking.cancel()
        await asyncio.wait([asking])
        async with asyncio.timeout(60):
            while len(it.gateway.entries()) < 2:
                await asyncio.sleep(0.02)
        go_on.set()
        entries = {entry["decision_id"]: entry for entry in it.gateway.entries()}
        await exported(it, set(entries))
        every = [json.loads(line) for line in it.gateway.log.read_text().splitlines()]
    (left,) = entries.keys() - {observed}
    servers = [span for span in it.collector.spans if span.kind == "SERVER"]
    assert sorted(span.attributes["privacy_gateway.decision_id"] for span in servers) == sorted(
        entries
    )
    probes = [entry for entry in every if entry.get("probe")]
    assert probes and not any("trace_id" in entry for entry in probes)
    whole = it.collector.of(observed)[0]
    assert whole.attributes["privacy_gateway.outcome"] == "observed"
    cut, *steps = it.collector.of(left)
    assert (cut.status, cut.attributes["error.type"]) == (0, "caller_left")
    assert not any("error.type" in step.attributes for step in steps)  # no step of ours failed


async def test_the_exporting_process_holds_nothing_of_its_parent_and_ends_with_it(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    async with world(tmp_path, issuer) as it:
        it.service.answer(EXPORT.path, EXPORT.of(CALLER), EXPORT.media_type)
        it.collector.open.clear()  # it hangs in an export
        await it.gateway.get(EXPORT.path)
        await it.collector.until(lambda collector: bool(collector.raw))
        (pid,) = it.gateway.children("telemetry.otlp")
        places = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()]
        sockets = [each for each in places if each.startswith("socket:")]
        # One to the gateway and one to the collector; nothing is listened to.
        assert len(sockets) == 2
        assert not any("spool" in each or "decisions" in each for each in places)
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits)
        it.gateway.process.send_signal(signal.SIGKILL)
        await it.gateway.process.wait()
        async with asyncio.timeout(60):
            while Path(f"/proc/{pid}").exists() and _runs(pid):
                await asyncio.sleep(0.02)
        assert list((tmp_path / "spool").iterdir()) == []


def _runs(pid: int) -> bool:
    """Not a zombie that nobody has waited for."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
