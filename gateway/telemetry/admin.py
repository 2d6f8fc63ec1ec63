"""The admin server: /metrics, /healthz, /readyz and /log-levels, on a port of its own.

`/healthz` says that the event loop turns; it depends on nothing else, so that a dead policy engine
never makes Kubernetes restart a gateway that refuses correctly. `/readyz` names each check and
whether it holds, in words from the code; beside the checks stands what must be seen although it
makes nothing unready, as that an endpoint is only observed.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.telemetry import levels
from gateway.telemetry.metrics import Metrics

Checks = Callable[[], Awaitable[Mapping[str, bool]]]
Details = Callable[[], Mapping[str, Any]]
"""JSON that stands in `/readyz` beside the checks."""


class AdminServer:
    """Serves these paths, and nothing else."""

    def __init__(
        self,
        host: str,
        port: int,
        metrics: Metrics,
        checks: Checks,
        details: Details = dict,
        log_levels: levels.LogLevels | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._metrics, self._checks, self._details = metrics, checks, details
        self._paths = {
            "/metrics": self._serve_metrics,
            "/healthz": self._serve_health,
            "/readyz": self._serve_readiness,
        }
        self._levels = log_levels
        self._runner: web.ServerRunner | None = None

    @property
    def port(self) -> int:
        """The port that is bound (another one than asked for where 0 was)."""
        assert self._runner
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Raises OSError where the address can't be bound."""
        self._runner = web.ServerRunner(_Listener(self._serve, access_log=None))
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._levels and (request.path + "/").startswith(levels.PATH + "/"):
            return _json(*await self._levels.serve(request))
        serve = self._paths.get(request.path)
        if serve is None:
            return _bare(404)
        if request.method not in ("GET", "HEAD"):
            return _bare(405, Allow="GET, HEAD")
        return await serve()

    async def _serve_metrics(self) -> web.Response:
        return _bare(
            200,
            self._metrics.render(),
            **{"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    async def _serve_health(self) -> web.Response:
        return _json(200, {"status": "alive"})

    async def _serve_readiness(self) -> web.Response:
        checks = await self._checks()
        ready = all(checks.values())
        status = "ready" if ready else "not ready"
        body = {"status": status, "checks": dict(checks), **self._details()}
        return _json(200 if ready else 503, body)


class _Listener(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=asyncio.get_running_loop(), **self._kwargs)


class _Connection(RequestHandler):
    """aiohttp's, without its page for what it can't parse, which quotes the request."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        answer = _bare(status)
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Nothing: what aiohttp would write quotes the request."""


class _Silent(web.Response):
    """An answer that doesn't say what software made it."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall("Server", None)


def _bare(status: int, body: bytes = b"", **headers: str) -> web.Response:
    return _Silent(status=status, body=body, headers=headers)


def _json(status: int, value: Any) -> web.Response:
    body = json.dumps(value).encode("ascii")
    return _bare(status, body, **{"Content-Type": "application/json"})
