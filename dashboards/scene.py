"""Some traffic for the screen: real gateways, a real Prometheus, and everything that can happen to
an export. The tests play one round of it and ask every query; `play.py` plays an incident.
"""

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import ClientError, web

from tests.e2e.conftest import EXPORTS, FOREIGN, ME
from tests.policy.support import shipped_bundle
from tests.support import kubernetes, pods
from tests.support.gateway import (
    ExportService,
    RunningGateway,
    configuration,
    running,
    serving,
)
from tests.support.issuer import JwksServer, TestIssuer
from tests.support.kubernetes import FakeApi
from tests.support.prometheus import Prometheus
from tests.support.rules import ALERTS, RECORDING, load, scaled

_FASTER = 15

FORMATS = {
    "orders": "json",
    "messages": "ndjson",
    "visits": "csv",
    "voice-archive": "zip",
    "profile": "json",
}
"""The endpoints. `messages` and `visits` redact, `profile` is only observed, the others block."""
DEPLOYMENT = {
    "grounds": {"self_access": True},
    "partial": {"messages": "redact", "visits": "redact"},
}
CASES = {"own": 12, "big": 4_000, "mixed": 12, "foreign": 6, "broken": 12}
"""What an upstream answers, and of how many records: those of the caller, many of them, some of
somebody else's, nothing but somebody else's, and half a body."""


class Upstream(ExportService):
    """Answers each endpoint's cases, as slowly as `pause` says (mean seconds)."""

    pause: float = 0.004

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(random.expovariate(1 / self.pause))
        return await super().respond(request)

    def fill(self, endpoint: str, case: str, strangers: int) -> None:
        """From now on that answer holds so many records that are somebody else's."""
        export, count = EXPORTS[FORMATS[endpoint]], CASES[case]
        body = export.of(*[ME] * (count - strangers), *[FOREIGN] * strangers)
        if case == "broken":
            body = body[: len(body) // 2]
        self.answer(f"/exports/{endpoint}/{case}", body, export.media_type)


@dataclass
class Scene:
    """What is on the stage. `configs` are the gateways' configuration files."""

    folder: Path
    stack: AsyncExitStack
    issuer: TestIssuer
    upstream: Upstream
    jwks: JwksServer
    configs: list[Path] = field(default_factory=list)
    gateways: list[RunningGateway] = field(default_factory=list)
    prometheus: Prometheus = field(init=False)
    cluster: FakeApi = field(init=False)
    injector: pods.RunningInjector = field(init=False)
    _turn: int = 0

    async def ask(self, endpoint: str, case: str, token: str | None = None) -> int:
        """One exchange at the next gateway, or at another one if it is away; the status."""
        bearer = self.issuer.token(sub=ME) if token is None else token
        for _ in self.gateways:
            self._turn += 1
            gateway = self.gateways[self._turn % len(self.gateways)]
            with suppress(ClientError):
                return (await gateway.get(f"/exports/{endpoint}/{case}", bearer)).status
        return 0

    async def round(self) -> None:
        """Everything that can happen to an export, at each endpoint and each gateway."""
        for _ in self.gateways:
            for endpoint in FORMATS:
                for case in CASES:
                    await self.ask(endpoint, case)
                await self.ask(endpoint, "own", "")
            await self.ask("orders", "own", self.issuer.expired(sub=ME))
            await self.ask("unheard-of", "own")
            self._turn += 1
        for pod in (pods.pod(), pods.pod(annotations={})):
            await pods.ask(self.injector.url, pods.review(pod), self.cluster.ca_bundles()[0])

    async def scraped(self) -> None:
        """Until Prometheus holds what every gateway has counted by now, in two scrapes."""
        for _ in range(2):
            now = datetime.now(UTC).timestamp()
            await self.prometheus.until(f"min(timestamp(up)) > {now} and min(up) == 1")

    async def restart(self, number: int) -> None:
        """SIGTERM, and another one in its place, at the same addresses."""
        await self.gateways[number].stop()
        self.gateways[number] = await self.stack.enter_async_context(running(self.configs[number]))


def endpoints() -> list[dict[str, Any]]:
    until = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
    observed = {"enforcement": "observe", "observe_until": until}
    return [
        {
            "name": name,
            "path": f"/exports/{name}/{{case}}",
            "body": EXPORTS[kind].body,
            **(observed if name == "profile" else {}),
        }
        for name, kind in FORMATS.items()
    ]


@asynccontextmanager
async def stage(folder: Path, gateways: int = 2) -> AsyncIterator[Scene]:
    """Everything started, ready and scraped every second, with the rules that ship, in a hurry.

    Without native histograms, as most servers are: one of before 2.45 has either kind, not both.
    """
    issuer = TestIssuer()
    async with AsyncExitStack() as stack:
        upstream = Upstream()
        address = await stack.enter_async_context(serving(upstream))
        for endpoint in FORMATS:
            for case, strangers in {**dict.fromkeys(CASES, 0), "mixed": 4, "foreign": 6}.items():
                upstream.fill(endpoint, case, strangers)
        jwks = await stack.enter_async_context(issuer.serve())
        scene = Scene(folder, stack, issuer, upstream, jwks)
        shipped_bundle(folder / "policies", DEPLOYMENT)
        stricter = {**DEPLOYMENT, "partial": {"visits": "redact"}}
        shipped_bundle(folder / "policies-next", stricter, "next-1")
        for number in range(gateways):
            scene.configs.append(_configured(scene, number, address))
            scene.gateways.append(await stack.enter_async_context(running(scene.configs[-1])))
        await _inject(scene)
        targets = {
            "privacy-gateway": [each.admin for each in scene.gateways],
            "privacy-gateway-injector": [scene.injector.admin],
        }
        scene.prometheus = await stack.enter_async_context(
            Prometheus(
                folder / "prometheus", targets, quick_rules(folder), features="exemplar-storage"
            )
        )
        yield scene


def _configured(scene: Scene, number: int, upstream: str) -> Path:
    home = scene.folder / f"gateway-{number}"
    home.mkdir()
    issuer = scene.issuer.config(
        scene.jwks.url,
        identifiers={"account": "sub"},
        jwks_refresh="5s", jwks_timeout="1s", jwks_cooldown="1s", jwks_max_age="30s",
    )  # fmt: skip
    shadow = {"bundle": str(scene.folder / "policies-next"), "deadline": "5s"}
    policy = {"bundle": str(scene.folder / "policies"), "deadline": "2s", "shadow": shadow}
    return configuration(
        home, scene.issuer, upstream, endpoints(),
        listen=f"127.0.0.1:{_free_port()}",
        admin=f"127.0.0.1:{_free_port()}",
        identity={"issuers": [issuer]},
        policy=policy,
        spool={"directory": str(home / "spool"), "limit": "16MiB"},
    )  # fmt: skip


async def _inject(scene: Scene) -> None:
    """The webhook, beside an API server that only knows its Secret and its configuration."""
    home = scene.folder / "injector"
    home.mkdir()
    scene.cluster = await scene.stack.enter_async_context(kubernetes.serving(FakeApi(home)))
    (home / "sidecar.yaml").write_bytes(pods.sidecar())
    places = kubernetes.PLACES
    scene.injector = await scene.stack.enter_async_context(
        pods.running(
            home, f"--sidecar={home / 'sidecar.yaml'}",
            f"--api={scene.cluster.url}", f"--account={scene.cluster.account}",
            "--name=injector.system.svc", f"--secret={places.namespace}/{places.secret}",
            f"--webhook={places.webhook}", "--drain=0s",
        )
    )  # fmt: skip
    await scene.injector.until(200)


def quick_rules(folder: Path) -> list[Path]:
    """The rules that ship, with an hour of theirs in four minutes: nobody waits for a picture."""
    quick = []
    for path in (RECORDING, ALERTS):
        target = folder / path.name
        target.write_text(json.dumps(scaled(load(path), _FASTER)))  # JSON is YAML
        quick.append(target)
    return quick


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
