"""A second policy on live traffic, on a real gateway: seen in metrics and in the log only."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.decisionlog.key import read_key
from gateway.decisionlog.pseudonyms import Pseudonyms
from gateway.model import SubjectRef
from tests.e2e.conftest import DEPLOYMENT, EXPORTS, FOREIGN, ME, World, endpoints
from tests.policy.support import shipped_bundle, write_bundle
from tests.support.gateway import Answer, ExportService, configuration, running, serving
from tests.support.issuer import TestIssuer
from tests.support.opa import running_opa

EXPORT = EXPORTS["json"]
PARTIAL = f"{EXPORT.path}-partial"

LEAKY = """package privacy.decision

# Everything to everybody, for a reason that spells whose it is.
effect := "allow"

permitted := [{"kind": s.kind, "value": s.value} | some s in input.payload.subjects]

unattributed := "release"

withhold := []

mask := []

reasons := [sprintf("owner_%s", [spelt]) |
	some s in input.payload.subjects
	spelt := replace(lower(s.value), "-", "_")
]
"""

RUNAWAY = """package privacy.decision

many := numbers.range(1, 3000)

effect := "allow" if {
	input.payload.records > 0
	count([1 | some a in many; some b in many; some c in many; (a + b) + c < 0]) == 1
}
"""

GARBAGE = """package privacy.decision

effect := {"allow": "yes"}
"""


@asynccontextmanager
async def world(
    folder: Path, issuer: TestIssuer, *, shadow: Any = None, opa: str = "", **sections: Any
) -> AsyncIterator[World]:
    """A gateway with the shipped policies, perhaps decided by a real OPA."""
    async with AsyncExitStack() as stack:
        service = ExportService()
        upstream = await stack.enter_async_context(serving(service))
        policy = {"shadow": shadow} if shadow else {}
        deployment: dict[str, Any] | None = DEPLOYMENT
        if opa:
            server = await stack.enter_async_context(running_opa(opa, folder, DEPLOYMENT))
            policy |= {"engine": "opa", "opa": server.url, "deadline": "2s"}
            deployment = None
        config = configuration(
            folder,
            issuer,
            upstream,
            endpoints(),
            deployment=deployment,
            policy=policy,
            log_level="debug",
            **sections,
        )
        gateway = await stack.enter_async_context(running(config))
        gateway.token = issuer.token(sub=ME)
        for path, owners in ((EXPORT.path, (ME, ME, FOREIGN)), (PARTIAL, (ME, FOREIGN, ME))):
            service.answer(path, EXPORT.of(*owners), EXPORT.media_type)
        yield World(gateway, service, issuer)


async def said(world: World, true: Callable[[str], bool]) -> str:
    """The metrics, as soon as they say so: the shadow follows its exchange at its own pace."""
    for _ in range(1_200):
        metrics = await world.gateway.metrics()
        if true(metrics):
            return metrics
        await asyncio.sleep(0.05)  # a bounded poll of another process
    raise AssertionError(metrics)


def comparisons(metrics: str) -> dict[tuple[str, str], float]:
    found = re.findall(
        r'privacy_gateway_shadow_comparisons_total\{endpoint="(.*)",result="(.*)"\} (.*)', metrics
    )
    return {(endpoint, result): float(n) for endpoint, result, n in found if float(n)}


def loaded(metrics: str) -> bool:
    return "privacy_gateway_shadow_ready 1.0" in metrics


def lines(world: World, event: str) -> list[dict[str, Any]]:
    every = [json.loads(line) for line in world.gateway.stderr().splitlines()]
    return [line for line in every if line["event"] == event]


async def details(world: World) -> tuple[int, dict[str, Any]]:
    async with world.gateway.session.get(f"{world.gateway.admin}/readyz") as answer:
        return answer.status, (await answer.json())["shadow"]


@pytest.mark.parametrize("engine", ["embedded", pytest.param("opa", marks=pytest.mark.opa)])
async def test_what_a_stricter_policy_would_change_is_seen_and_nothing_changes(
    tmp_path: Path, issuer: TestIssuer, engine: str, request: pytest.FixtureRequest
) -> None:
    """The candidate no longer redacts at `json-partial`: what passes there now would be blocked."""
    candidate = {**DEPLOYMENT, "partial": {}}
    shadow = shipped_bundle(tmp_path / "next", candidate, "next-1")
    opa = request.getfixturevalue("opa_binary") if engine == "opa" else ""
    settings = {"bundle": str(shadow), "deadline": "5s"}
    if not opa:
        (tmp_path / "next.json").write_text(json.dumps(candidate))
        settings["data"] = str(tmp_path / "next.json")
    async with world(tmp_path, issuer, shadow=settings, opa=opa) as here:
        await said(here, loaded)
        partial, whole = await here.gateway.get(PARTIAL), await here.gateway.get(EXPORT.path)
        assert partial.status == 200 and EXPORT.owners(partial.body) == [ME, ME]
        assert (whole.status, whole.code) == (403, "blocked_by_policy")
        metrics = await said(here, lambda text: len(comparisons(text)) == 2)
        assert comparisons(metrics) == {("json-partial", "differed"): 1, ("json", "agreed"): 1}
        (line,) = lines(here, "the shadow differs")
        assert (line["endpoint"], line["active"], line["shadow"]) == (
            "json-partial", "redact", "block",
        )  # fmt: skip
        assert line["exchange_id"] == partial.headers["X-Exchange-Id"]
        (change,) = line["changes"]
        names = Pseudonyms(read_key(tmp_path / "pseudonym-key").pseudonym)
        assert (change["leave"], change["first"], change["records"]) == (False, [0, 2], 2)
        assert change["owners"] == [names.subject(SubjectRef("account", ME))]
        assert line["shadow_revision"].startswith("next-1")
        assert (await details(here))[1]["state"] == "ready"
        assert [entry["outcome"] for entry in here.gateway.entries()] == ["redacted", "blocked"]


async def test_a_leaky_shadow_leaks_nothing_anywhere(tmp_path: Path, issuer: TestIssuer) -> None:
    shadow = write_bundle(tmp_path / "next", {"privacy/decision.rego": LEAKY}, revision="leaky")
    async with world(tmp_path, issuer, shadow={"bundle": str(shadow), "deadline": "5s"}) as here:
        await said(here, loaded)
        answer = await here.gateway.get(EXPORT.path)
        assert answer.status == 403 and FOREIGN.encode() not in answer.body
        metrics = await said(here, lambda text: bool(comparisons(text)))
        assert comparisons(metrics) == {("json", "differed"): 1}
        pair = 'active="block",endpoint="json",reason="other",shadow="allow"'
        assert f"privacy_gateway_shadow_differences_total{{{pair}}} 1.0" in metrics
        (line,) = lines(here, "the shadow differs")
        assert (line["level"], line["leaving"]) == ("warning", 3)
        written = here.gateway.stderr() + here.gateway.log.read_text() + metrics
        for spelling in (FOREIGN, FOREIGN.lower().replace("-", "_")):
            assert spelling not in written


@pytest.mark.parametrize(
    ("text", "code"),
    [(RUNAWAY, "policy_timeout"), (GARBAGE, "decision_invalid"), (None, "policy_unavailable")],
    ids=["runs away", "answers garbage", "does not load"],
)
async def test_answers_are_the_same_to_the_last_byte_with_a_bad_shadow(
    tmp_path: Path, issuer: TestIssuer, text: str | None, code: str
) -> None:
    async def played(folder: Path, shadow: Any) -> list[Any]:
        folder.mkdir()
        async with world(folder, issuer, shadow=shadow) as here:
            if text and shadow:
                await said(here, loaded)
            answers = [await here.gateway.get(path) for path in (PARTIAL, EXPORT.path) * 3]
            if shadow:
                counted = f'code="{code}",endpoint="json"}} '
                await said(here, lambda metrics: counted in metrics)
                status, shown = await details(here)
                assert (status, shown["state"]) == (200, "ready" if text else "broken")
            entries = here.gateway.entries()
            return [*map(plain, answers), *map(recorded, entries)]

    place = tmp_path / "next"
    if text:
        write_bundle(place, {"privacy/decision.rego": text})
    alone = await played(tmp_path / "alone", None)
    assert await played(tmp_path / "shadowed", str(place)) == alone


def plain(answer: Answer) -> Any:
    exchange = answer.headers["X-Exchange-Id"]
    headers = {k: v for k, v in answer.headers.items() if k != "X-Exchange-Id"}
    return answer.status, headers, answer.body.replace(exchange.encode(), b"")


def recorded(entry: dict[str, Any]) -> Any:
    return entry["outcome"], entry["result"]["effect"], entry["records"], sorted(entry["metrics"])


async def test_a_frozen_shadow_is_replaced_and_killed_ones_too_while_exchanges_go_on(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    shadow = shipped_bundle(tmp_path / "next", DEPLOYMENT, "next-1")
    settings = {"bundle": str(shadow), "deadline": "200ms"}
    async with world(tmp_path, issuer, shadow=settings) as here:
        await said(here, loaded)
        workers = here.gateway.children("rego_worker")
        nice = {pid: os.getpriority(os.PRIO_PROCESS, pid) for pid in workers}
        pid = max(nice, key=nice.__getitem__)
        assert len(workers) == 2 and nice[pid] > min(nice.values())
        os.kill(pid, signal.SIGSTOP)
        assert (await here.gateway.get(PARTIAL)).status == 200
        await said(here, lambda text: 'code="policy_timeout"' in text)
        assert pid not in here.gateway.children("rego_worker")
        metrics = ""
        while ("json-partial", "agreed") not in comparisons(metrics):  # its process starts anew
            assert (await here.gateway.get(PARTIAL)).status == 200
            metrics = await said(here, lambda text: "shadow_waiting 0.0" in text)
        assert "privacy_gateway_shadow_restarts_total 1.0" in metrics
        assert "privacy_gateway_policy_restarts_total 0.0" in metrics


async def test_a_shadow_is_followed_when_its_folder_changes(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    shadow = write_bundle(
        tmp_path / "next", {"privacy/decision.rego": "package privacy.decision\nno"}
    )
    polling = {"delivery": {"polling": {"files": "100ms"}}}
    config = {"bundle": str(shadow), "deadline": "5s"}
    async with AsyncExitStack() as stack:
        service = ExportService()
        upstream = await stack.enter_async_context(serving(service))
        path = configuration(
            tmp_path, issuer, upstream, endpoints(), deployment=DEPLOYMENT,
            policy={"shadow": config, **polling},
        )  # fmt: skip
        gateway = await stack.enter_async_context(running(path))
        here = World(gateway, service, issuer)
        while (await details(here))[1]["state"] == "loading":
            await asyncio.sleep(0.05)  # a poll of another process, bounded by the test's time
        status, shown = await details(here)
        assert (status, shown["state"]) == (200, "broken")
        assert "decision.rego" in shown["fault"]
        assert lines(here, "the shadow can't be used; nothing is compared")
        write_bundle(shadow, {"privacy/decision.rego": LEAKY}, revision="second")
        metrics = await said(here, loaded)
        assert 'privacy_gateway_shadow_info{revision="second' in metrics
