"""An incident, played: real gateways under light load, scraped by a real Prometheus with the rules
that ship.

Only their durations are scaled, an hour to a minute (`tests.support.rules.scaled`). Four gateways:

    exports   its service mixes people up; then its bundle server and its issuer go away
    twin      the same configuration and the same load, and nothing goes wrong: no alert, ever
    slow      its clock is a day slow, so that it observes past the date; then its log's writer
              hangs, and its log goes away
    sick      starts without its policy engine

Not played: uninspected bytes, which no input makes (`tests/rules/misdelivery.yaml` has them).
"""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, web

from tests.e2e.conftest import EXPORTS, FOREIGN, ME
from tests.policy.bundles.support import BundleServer, bundle_server, tarball
from tests.policy.support import shipped_bundle
from tests.support.gateway import ExportService, RunningGateway, configuration, running, serving
from tests.support.issuer import JwksServer, TestIssuer
from tests.support.prometheus import Alert, Prometheus
from tests.support.rules import ALERTS, RECORDING, load, scaled

EXPORT = EXPORTS["json"]
SCALE = 60
DEPLOYMENT = {"grounds": {"self_access": True}, "partial": {"orders": "redact"}}
STRICTER = {"grounds": {"self_access": True}}
QUICK_KEYS = {"jwks_refresh": "1s", "jwks_cooldown": "1s", "jwks_max_age": "16s"}
ONE_WORKER = {"workers": 1}
"""There are four gateways, and as many processes to start as a test should wait for."""
NOBODYS = json.dumps({"orders": [{"n": 1}]}).encode()
"""A record that names no owner."""


def endpoint(name: str, **settings: Any) -> dict[str, Any]:
    return {"name": name, "path": f"/{name}", "body": EXPORT.body, **settings}


@dataclass
class World:
    """One gateway with everything around it."""

    gateway: RunningGateway
    service: ExportService
    bundles: BundleServer
    keys: JwksServer


class Play:
    """The stage: starts worlds, keeps light load on them, and clears up."""

    def __init__(self, stack: AsyncExitStack, folder: Path, issuer: TestIssuer) -> None:
        self._stack, self._folder, self._issuer = stack, folder, issuer
        self._archive = self._bundled("active", DEPLOYMENT)
        self._shadow = shipped_bundle(folder / "shadow", STRICTER, "next-1")

    def _bundled(self, name: str, deployment: Mapping[str, Any]) -> bytes:
        root = shipped_bundle(self._folder / name, deployment, f"{name}-1")
        paths = [path for path in root.rglob("*") if path.is_file()]
        return tarball({str(path.relative_to(root)): path.read_bytes() for path in paths})

    async def world(self, name: str, endpoints: list[dict[str, Any]]) -> World:
        """A ready gateway whose policy comes from a server, and whose keys do."""
        bundles = await self._stack.enter_async_context(bundle_server(self._archive))
        keys = await self._stack.enter_async_context(self._issuer.serve())
        service, folder = await self._service(name, endpoints)
        issuer = {
            **self._issuer.config(keys.url, **QUICK_KEYS),
            "identifiers": {"account": "sub"},
        }
        policy = {
            "bundle": bundles.url,
            "delivery": {"polling": {"min": "1s", "max": "1s"}, "max_age": "24s", "timeout": "1s"},
            "shadow": {"bundle": str(self._shadow), "deadline": "5s"},
            "deadline": "5s",
        }
        config = configuration(
            folder, self._issuer, service[1], endpoints,
            policy=policy, identity={"issuers": [issuer]}, inspection=ONE_WORKER,
        )  # fmt: skip
        gateway = await self._start(config)
        return World(gateway, service[0], bundles, keys)

    async def slow(self, endpoints: list[dict[str, Any]]) -> tuple[RunningGateway, ExportService]:
        """A ready gateway with a clock that is a day slow, and a short queue for its log."""
        service, folder = await self._service("slow", endpoints)
        config = configuration(
            folder, self._issuer, service[1], endpoints, deployment=DEPLOYMENT,
            policy={"deadline": "5s"}, inspection=ONE_WORKER,
        )  # fmt: skip
        content = json.loads(config.read_text())
        content["decision_log"] |= {"queue": 4, "deadline": "60s"}
        config.write_text(json.dumps(content))
        return await self._start(config, module="tests.support.slow_clock"), service[0]

    async def sick(self) -> RunningGateway:
        """A gateway whose policy engine is not there."""
        service, folder = await self._service("sick", [endpoint("orders")])
        config = configuration(
            folder, self._issuer, service[1], [endpoint("orders")],
            policy={"engine": "opa", "opa": "http://127.0.0.1:1"}, inspection=ONE_WORKER,
        )  # fmt: skip
        return await self._start(config, ready=False)

    async def _service(
        self, name: str, endpoints: list[dict[str, Any]]
    ) -> tuple[tuple[ExportService, str], Path]:
        service = ExportService()
        for each in endpoints:
            service.answer(each["path"], EXPORT.of(ME, ME), EXPORT.media_type)
        url = await self._stack.enter_async_context(serving(service))
        folder = self._folder / name
        folder.mkdir()
        return (service, url), folder

    async def _start(self, config: Path, **how: Any) -> RunningGateway:
        gateway = await self._stack.enter_async_context(running(config, **how))
        gateway.token = self._issuer.token(sub=ME)
        return gateway

    def load(self, gateway: RunningGateway, *paths: str) -> None:
        """Some exchanges a second from now on, whatever becomes of them."""

        async def ask() -> None:
            while True:
                for path in paths:
                    with suppress(ClientError):
                        await gateway.get(path)
                    await asyncio.sleep(0.1)  # the rate of the load, not a synchronisation

        task = asyncio.create_task(ask())
        self._stack.callback(task.cancel)


@asynccontextmanager
async def staged(folder: Path, issuer: TestIssuer) -> AsyncIterator[Play]:
    async with AsyncExitStack() as stack:
        yield Play(stack, folder, issuer)


def shortened(folder: Path) -> list[Path]:
    paths = []
    for path in (RECORDING, ALERTS):
        paths.append(folder / f"{path.stem}.json")
        paths[-1].write_text(json.dumps(scaled(load(path), SCALE)))
    return paths


def by_job(alerts: list[Alert], job: str) -> dict[str, set[str]]:
    """The firing alerts of a job, and the endpoints that they name."""
    found: dict[str, set[str]] = {}
    for alert in alerts:
        if alert.state == "firing" and alert.labels.get("job") == job:
            found.setdefault(alert.name, set()).add(alert.labels.get("endpoint", ""))
    return found


async def fires(
    server: Prometheus, expected: Mapping[str, set[str]], within: float = 40.0
) -> list[Alert]:
    """Waits until each of these alerts has fired; returns every alert that did on the way."""
    heard: dict[str, Alert] = {}

    def missing() -> dict[str, set[str]]:
        return {
            job: left
            for job, names in expected.items()
            if (left := names - by_job(list(heard.values()), job).keys())
        }

    async def listen() -> None:
        while missing():
            fired = [alert for alert in await server.alerts() if alert.state == "firing"]
            heard.update({str(sorted(alert.labels.items())): alert for alert in fired})
            await asyncio.sleep(0.1)  # a bounded poll of another process

    with suppress(TimeoutError):
        await asyncio.wait_for(listen(), within)
    assert not missing(), f"after {within} s: {missing()}"
    return list(heard.values())


async def quiet(server: Prometheus, job: str, names: set[str], within: float = 30.0) -> None:
    """Waits until none of a job's alerts fires."""

    async def firing() -> set[str]:
        return names & by_job(await server.alerts(), job).keys()

    async def listen() -> None:
        while await firing():
            await asyncio.sleep(0.1)  # a bounded poll of another process

    with suppress(TimeoutError):
        await asyncio.wait_for(listen(), within)
    assert not await firing(), f"after {within} s"


async def gone(request: web.Request) -> web.StreamResponse:
    return web.Response(status=503)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_an_incident_is_heard_and_its_twin_is_quiet(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    over = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    three = [endpoint("orders"), endpoint("letters"), endpoint("calm")]
    observed = [
        endpoint("onboarding", enforcement="observe", observe_until=over),
        endpoint("later", enforcement="observe", observe_until=soon),
    ]
    async with staged(tmp_path, issuer) as play:
        exports, twin, (slow, slow_service), sick = await asyncio.gather(
            play.world("exports", three), play.world("twin", three), play.slow(observed),
            play.sick(),
        )  # fmt: skip
        gateways = {
            "exports": exports.gateway, "twin": twin.gateway, "slow": slow, "sick": sick,
        }  # fmt: skip
        targets = {job: [gateway.admin] for job, gateway in gateways.items()}
        for gateway in (exports.gateway, twin.gateway):
            play.load(gateway, "/orders", "/letters", "/calm")
        async with Prometheus(tmp_path / "prometheus", targets, shortened(tmp_path)) as server:
            alerts = await fires(
                server,
                {
                    "sick": {f"PrivacyGateway{name}" for name in (
                        "SelfProofFailing", "NoneReady", "FreshnessBudgetBurn",
                    )},
                    "slow": {"PrivacyGatewayObservingPastItsDate",
                             "PrivacyGatewayObservingEndsSoon"},
                },
            )  # fmt: skip
            assert by_job(alerts, "exports") == by_job(alerts, "twin") == {}
            assert by_job(alerts, "slow") == {
                "PrivacyGatewayObservingPastItsDate": {"onboarding"},
                "PrivacyGatewayObservingEndsSoon": {"later"},
            }

            # The service mixes people up.
            mixed = EXPORT.of(ME, FOREIGN, FOREIGN)
            exports.service.answer("/orders", mixed, EXPORT.media_type)
            exports.service.answer("/letters", NOBODYS, EXPORT.media_type)
            slow_service.answer("/onboarding", mixed, EXPORT.media_type)
            assert (await slow.get("/onboarding")).status == 200
            alerts = await fires(
                server,
                {
                    "exports": {f"PrivacyGateway{name}" for name in (
                        "MisdeliveryAboveBaseline", "MisdeliveryStopped", "BlockRateJump",
                        "UnattributedRecords", "ShadowDiffers",
                    )},
                    "slow": {"PrivacyGatewayObservedMisdelivery"},
                    "sick": {"PrivacyGatewayNotReady"},  # ten minutes, since the start
                },
            )  # fmt: skip
            await the_rules_are_evaluated(server)
            found = by_job(alerts, "exports")
            assert found["PrivacyGatewayMisdeliveryAboveBaseline"] == {"letters"}  # blocked
            assert "orders" in found["PrivacyGatewayMisdeliveryStopped"]  # redacted
            assert found["PrivacyGatewayBlockRateJump"] == {"letters"}
            assert found["PrivacyGatewayUnattributedRecords"] == {"letters"}
            assert found["PrivacyGatewayShadowDiffers"] == {"orders"}
            assert not {name for name in found if "Budget" in name}  # a block is a success
            told(alerts)

            # The bundle server, the issuer and a log's disk go away.
            for path in ("/orders", "/letters"):
                exports.service.answer(path, EXPORT.of(ME), EXPORT.media_type)
            exports.bundles.fail(503)
            exports.keys.answer, answering = gone, exports.keys.answer
            (writer,) = slow.children("decisionlog")
            os.kill(writer, signal.SIGSTOP)
            waiting = [asyncio.create_task(slow.get("/later")) for _ in range(4)]
            alerts = await fires(
                server,
                {
                    "exports": {"PrivacyGatewayKeysStale", "PrivacyGatewayPolicyStale"},
                    "slow": {"PrivacyGatewayLogBackpressure"},
                },
            )
            os.kill(writer, signal.SIGCONT)
            assert {answer.status for answer in await asyncio.gather(*waiting)} == {200}
            told(alerts)
            elsewhere = slow.log.rename(tmp_path / "elsewhere")
            play.load(slow, "/later")
            alerts = await fires(
                server,
                {
                    "exports": {f"PrivacyGateway{name}" for name in (
                        "KeysExpired", "PolicyExpired", "NoneReady", "AvailabilityBudgetBurn",
                        "FreshnessBudgetBurn",
                    )},
                    "slow": {f"PrivacyGateway{name}" for name in (
                        "LogFailed", "LogUnrecorded", "NoneReady", "AvailabilityBudgetBurn",
                    )},
                },
            )  # fmt: skip
            told(alerts)

            # What was mended is quiet again; what is gone for good is missed.
            exports.bundles.answer, exports.keys.answer = None, answering
            elsewhere.rename(slow.log)
            await sick.stop()
            await quiet(
                server,
                "exports",
                {f"PrivacyGateway{name}" for name in (
                    "KeysStale", "KeysExpired", "PolicyStale", "PolicyExpired", "NoneReady",
                )},
            )  # fmt: skip
            await quiet(server, "slow", {"PrivacyGatewayLogFailed", "PrivacyGatewayNoneReady"})
            await fires(server, {"sick": {"PrivacyGatewayAbsent", "PrivacyGatewayScrapeFailing"}})

            heard = await server.query('last_over_time(ALERTS{alertstate="firing"}[10m])')
            assert {"twin", "calm"}.isdisjoint(
                value for sample in heard for value in sample.labels.values()
            )


async def the_rules_are_evaluated(server: Prometheus) -> None:
    """All of them, without an error; and the latency is measured, whichever histogram is kept."""
    await server.until('job:privacy_gateway_slo_events:count5m{job="twin", slo="latency"} > 0')
    await server.until('job:privacy_gateway_slo_failures:count5m{job="twin", slo="latency"} >= 0')
    for group in await server.rule_groups():
        for rule in group["rules"]:
            assert rule["health"] in {"ok", "unknown"}, (rule["name"], rule["lastError"])


def told(alerts: list[Alert]) -> None:
    """Every text is filled in, and names nobody."""
    for alert in alerts:
        for text in (*alert.annotations.values(), *alert.labels.values()):
            assert text, alert
            assert not re.search(r"no value|error|%!|\{\{|" + re.escape(FOREIGN), text), text


async def test_a_server_without_native_histograms_measures_the_same_latency(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    async with staged(tmp_path, issuer) as play:
        world = await play.world("exports", [endpoint("calm")])
        targets = {"exports": [world.gateway.admin]}
        play.load(world.gateway, "/calm")
        rules = shortened(tmp_path)[:1]
        async with (
            Prometheus(tmp_path / "native", targets, rules) as native,
            Prometheus(tmp_path / "classic", targets, rules, features="") as classic,
        ):
            for server in (native, classic):
                events, failures = (
                    f'job:privacy_gateway_slo_{what}:count5m{{job="exports", slo="latency"}}'
                    for what in ("events", "failures")
                )
                await server.until(f"{events} > 0 and {failures} >= 0 and {failures} <= {events}")
