"""Some traffic for the screen: two real gateways, a real Prometheus, and everything that can
happen to an export.

The tests play one round of it and ask every query of the dashboard; the picture plays some minutes
with an incident in the middle: an upstream that mixes people up, a slow disk's worth of big bodies,
an issuer that does not answer, a new policy, a gateway that is restarted.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import ClientError, web

from tests.e2e.conftest import EXPORTS, FOREIGN, ME
from tests.policy.support import shipped_bundle
from tests.support.gateway import (
    ExportService,
    RunningGateway,
    configuration,
    running,
    serving,
)
from tests.support.issuer import JwksServer, TestIssuer
from tests.support.prometheus import Prometheus

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "helm" / "privacy-gateway" / "files" / "rules"

FORMATS = {
    "orders": "json",
    "messages": "ndjson",
    "visits": "csv",
    "voice-archive": "zip",
    "profile": "json",
}
"""The endpoints. `messages` and `visits` redact, `profile` is only observed, the others block."""
PARTIAL = {"messages": "redact", "visits": "redact"}
CASES = ("own", "big", "mixed", "foreign", "broken")
OWNERS = {"own": 12, "big": 2_500, "mixed": 12, "foreign": 6, "broken": 12}


class Upstream(ExportService):
    """Answers as slowly as `pause` says (mean seconds)."""

    pause: float = 0.004

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(random.expovariate(1 / self.pause))  # noqa: S311
        return await super().respond(request)


@dataclass
class Scene:
    """What is on the stage."""

    folder: Path
    issuer: TestIssuer
    upstream: Upstream
    jwks: JwksServer
    prometheus: Prometheus
    gateways: list[RunningGateway]
    tokens: list[str] = field(default_factory=list)
    _turn: int = 0

    async def ask(self, endpoint: str, case: str, token: str | None = None) -> int:
        """One exchange at the next gateway; the status. A gateway that is away is passed over."""
        for _ in self.gateways:
            self._turn += 1
            gateway = self.gateways[self._turn % len(self.gateways)]
            bearer = self.issuer.token(sub=ME) if token is None else token
            try:
                return (await gateway.get(f"/exports/{endpoint}/{case}", bearer)).status
            except ClientError:
                continue
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

    async def scraped(self) -> None:
        """Until Prometheus holds what every gateway has counted by now, in two scrapes."""
        for _ in range(2):
            now = datetime.now(UTC).timestamp()
            await self.prometheus.until(f"min(timestamp(up)) > {now} and min(up) == 1")


def _endpoints() -> list[dict[str, Any]]:
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


def _fill(upstream: Upstream) -> None:
    for name, kind in FORMATS.items():
        export = EXPORTS[kind]
        for case in CASES:
            count = OWNERS[case]
            others = {"mixed": 4, "foreign": count}.get(case, 0)
            body = export.of(*[ME] * (count - others), *[FOREIGN] * others)
            if case == "broken":
                body = body[: len(body) // 2]
            upstream.answer(f"/exports/{name}/{case}", body, export.media_type)


@asynccontextmanager
async def stage(folder: Path, gateways: int = 2, rules: bool = True) -> AsyncIterator[Scene]:
    """Everything started, ready and scraped."""
    issuer = TestIssuer()
    async with AsyncExitStack() as stack:
        upstream = Upstream()
        address = await stack.enter_async_context(serving(upstream))
        _fill(upstream)
        jwks = await stack.enter_async_context(issuer.serve())
        deployment = {"grounds": {"self_access": True}, "partial": PARTIAL}
        bundle = shipped_bundle(folder / "policies", deployment)
        stricter = shipped_bundle(
            folder / "policies-next", {**deployment, "partial": {"visits": "redact"}}, "next-1"
        )
        running_ones = []
        for number in range(gateways):
            home = folder / f"gateway-{number}"
            home.mkdir()
            config = configuration(
                home,
                issuer,
                address,
                _endpoints(),
                identity={
                    "issuers": [
                        issuer.config(
                            jwks.url,
                            identifiers={"account": "sub"},
                            jwks_refresh="5s",
                            jwks_timeout="1s",
                            jwks_cooldown="1s",
                            jwks_max_age="60s",
                        )
                    ]
                },
                policy={
                    "bundle": str(bundle),
                    "shadow": {"bundle": str(stricter), "deadline": "5s"},
                    "deadline": "2s",
                },
                spool={"directory": str(home / "spool"), "limit": "64MiB"},
            )
            running_ones.append(await stack.enter_async_context(running(config)))
        prometheus = await stack.enter_async_context(
            Prometheus(
                folder / "prometheus",
                {"privacy-gateway": [each.admin for each in running_ones]},
                sorted(RULES.glob("*.yaml")) if rules else (),
            )
        )
        yield Scene(folder, issuer, upstream, jwks, prometheus, running_ones)
