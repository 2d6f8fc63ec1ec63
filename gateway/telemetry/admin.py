"""The admin server: /metrics, /healthz, /readyz, on a port of its own.

`/healthz` says that the event loop turns; it depends on nothing else, so that a dead policy engine
never makes Kubernetes restart a gateway that refuses correctly. `/readyz` names each check and
whether it holds, in words from the code; beside the checks stands what must be seen although it
makes nothing unready, as that an endpoint is only observed.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from gateway.telemetry.metrics import Metrics

Checks = Callable[[], Awaitable[Mapping[str, bool]]]
Details = Callable[[], Mapping[str, Any]]
"""JSON that stands in `/readyz` beside the checks."""


class AdminServer:
    """Serves the three paths, and nothing else."""

    def __init__(
        self, host: str, port: int, metrics: Metrics, checks: Checks, details: Details = dict
    ) -> None:
        self._host, self._port = host, port
        self._metrics, self._checks, self._details = metrics, checks, details
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port that is bound (another one than asked for where 0 was)."""
        assert self._runner
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Raises OSError where the address can't be bound."""
        app = web.Application()
        app.router.add_get("/metrics", self._serve_metrics)
        app.router.add_get("/healthz", self._serve_health)
        app.router.add_get("/readyz", self._serve_readiness)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _serve_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=self._metrics.render(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    async def _serve_health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _serve_readiness(self, _request: web.Request) -> web.Response:
        checks = await self._checks()
        ready = all(checks.values())
        status = "ready" if ready else "not ready"
        body = {"status": status, "checks": dict(checks), **self._details()}
        return web.Response(
            text=json.dumps(body), status=200 if ready else 503, content_type="application/json"
        )
