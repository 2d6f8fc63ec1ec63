"""An endpoint that is being onboarded, beside one that is enforced, on a real gateway."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.conftest import DEPLOYMENT, EXPORTS, FOREIGN, ME, World
from tests.support.gateway import ExportService, configuration, running, serving
from tests.support.issuer import TestIssuer

EXPORT = EXPORTS["json"]
FIELD = "Privacy-Gateway-Enforcement"
UNTIL = (datetime.now(UTC) + timedelta(days=7)).date().isoformat()


def endpoint(name: str, **settings: str) -> dict[str, Any]:
    return {"name": name, "path": f"/{name}", "body": EXPORT.body, **settings}


ENDPOINTS = [
    endpoint("enforced"),
    endpoint("observed", enforcement="observe", observe_until=UNTIL),
    endpoint("json-partial", enforcement="observe", observe_until=UNTIL),
    endpoint("over", enforcement="observe", observe_until="2026-01-01"),
]


@pytest_asyncio.fixture(params=[False, True], ids=["response phase", "both phases"])
async def world(
    request: pytest.FixtureRequest, tmp_path: Path, issuer: TestIssuer
) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        service = ExportService()
        upstream = await stack.enter_async_context(serving(service))
        config = configuration(
            tmp_path,
            issuer,
            upstream,
            ENDPOINTS,
            deployment=DEPLOYMENT,
            policy={"request_phase": request.param},
            log_level="debug",
        )
        gateway = await stack.enter_async_context(running(config))
        gateway.token = issuer.token(sub=ME)
        yield World(gateway, service, issuer)


async def test_what_the_twin_blocks_is_released_whole_and_says_so(world: World) -> None:
    body = EXPORT.of(ME, FOREIGN, FOREIGN)
    for each in ENDPOINTS:
        world.service.answer(each["path"], body, EXPORT.media_type)
    for path in ("/enforced", "/over"):
        answer = await world.gateway.get(path)
        assert (answer.status, answer.code) == (403, "blocked_by_policy")
        assert FIELD not in answer.headers
        assert FOREIGN.encode() not in answer.body
    for path, would in (("/observed", "block"), ("/json-partial", "redact")):
        answer = await world.gateway.get(path)
        assert (answer.status, answer.body) == (200, body)
        assert answer.headers[FIELD] == f"observe; would={would}"
    enforced, over, observed, partial = world.gateway.entries()
    assert [each["outcome"] for each in (enforced, over)] == ["blocked", "blocked"]
    for entry, effect, against in ((observed, "block", 3), (partial, "redact", 2)):
        assert (entry["outcome"], entry["result"]["effect"]) == ("observed", effect)
        assert entry["records"] == {"seen": 3, "released": 3, "redacted": 0, "blocked": 0}
        assert entry["against_policy"] == against
        assert entry["bytes"]["released"] == len(body)
    assert observed["result"]["reasons"] == enforced["result"]["reasons"]
    assert world.gateway.verify().ok
    metrics = await world.gateway.metrics()
    for line in (
        'privacy_gateway_observed_exchanges_total{endpoint="observed",would="block"} 1.0',
        'privacy_gateway_observed_records_total{endpoint="json-partial",would="redact"} 2.0',
        'privacy_gateway_observing{endpoint="observed"} 1.0',
        'privacy_gateway_observing{endpoint="over"} 0.0',
        "privacy_gateway_uninspected_bytes_total 0.0",
        'privacy_gateway_records_total{endpoint="observed",format="json",went="released"} 3.0',
        'privacy_gateway_records_total{endpoint="enforced",format="json",went="blocked"} 3.0',
    ):
        assert line in metrics, line


async def test_an_own_export_passes_and_what_can_not_be_told_is_refused(world: World) -> None:
    own, observed = EXPORT.of(ME), "/observed"
    world.service.answer(observed, own, EXPORT.media_type)
    answer = await world.gateway.get(observed)
    assert (answer.status, answer.body, answer.headers[FIELD]) == (200, own, "observe")
    # An upstream can't speak for the gateway.
    world.service.answers[observed][1][FIELD] = "enforce"
    assert (await world.gateway.get(observed)).headers[FIELD] == "observe"
    for body, media_type, code in (
        (EXPORT.of(FOREIGN)[:-3], EXPORT.media_type, "body_malformed"),
        (b'{"orders": [{"customer": {"id": ["x"]}}]}', EXPORT.media_type, "body_ambiguous"),
        (EXPORT.of(FOREIGN), "application/zip", "format_mismatch"),
    ):
        world.service.answer(observed, body, media_type)
        refused = await world.gateway.get(observed)
        assert (refused.status, refused.code, refused.headers[FIELD]) == (502, code, "observe")
    nobody = await world.gateway.get(observed, "")
    assert (nobody.status, nobody.headers[FIELD]) == (401, "observe")
    assert [entry["outcome"] for entry in world.gateway.entries()] == ["released"] * 2 + [
        "refused"
    ] * 4


async def test_it_is_loud_and_ready_and_names_nobody(world: World) -> None:
    world.service.answer("/observed", EXPORT.of(FOREIGN), EXPORT.media_type)
    await world.gateway.get("/observed")
    async with world.gateway.session.get(f"{world.gateway.admin}/readyz") as answer:
        assert answer.status == 200
        shown = await answer.json()
    assert {each["endpoint"] for each in shown["observing"]} == {"observed", "json-partial"}
    lines = [json.loads(line) for line in world.gateway.stderr().splitlines()]
    loud = [line for line in lines if line["level"] == "warning" and "endpoint" in line]
    warned = {line["endpoint"]: line["event"] for line in loud}
    assert warned["observed"].startswith("observing, not enforcing")
    assert warned["over"].startswith("observing is over")
    assert "enforced" not in warned
    everything = (world.gateway.stderr(), await world.gateway.metrics(), str(shown),
                  world.gateway.log.read_text())  # fmt: skip
    assert all(FOREIGN not in text for text in everything)


async def test_a_configuration_that_observes_without_an_end_does_not_start(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    """D25"""
    endpoints = [endpoint("observed", enforcement="observe")]
    config = configuration(tmp_path, issuer, "http://127.0.0.1:9", endpoints)
    with pytest.raises(AssertionError, match="needs the day on which it ends"):
        async with running(config):
            pass
