"""The admin server: /metrics, /healthz, /readyz, /drain and /log-levels, on a port of its own.

`/healthz` says that the event loop turns; it depends on nothing else, so that a dead policy engine
never makes Kubernetes restart a gateway that refuses correctly. `/readyz` names each check and
whether it holds, in words from the code; beside the checks stands what must be seen although it
makes nothing unready, as that an endpoint is only observed.

`POST /drain` is for whoever knows before SIGTERM that the pod ends: a `preStop` hook
(`privacy-gateway drain`). Prometheus scrapes this port over the network; only the pod itself may
ask for that, from loopback to loopback: a service mesh brings strangers in from 127.0.0.6.

Of too many connections the oldest ends: whoever opens thousands can neither take the descriptors
that the data port needs, nor the places of probes and scrapes.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.telemetry import levels
from gateway.telemetry.exposition import Format, choose
from gateway.telemetry.loopback import is_local
from gateway.telemetry.metrics import Reading
from gateway.telemetry.readings import checks as check_readings


class Metrics(Protocol):
    """What is scraped: everything that is measured here, and `more` of whoever serves it."""

    def render(self, exposition: Format, more: Iterable[Reading]) -> bytes: ...


Checks = Callable[[], Awaitable[Mapping[str, bool]]]

Details = Callable[[], Mapping[str, Any]]
"""JSON that stands in `/readyz` beside the checks."""

_MOST_CONNECTIONS = 128
_RECENT = 2.0
"""Some checks ask others over the network."""


class AdminServer:
    """Serves these paths, and nothing else. A scrape believes checks that are `recent` seconds
    old."""

    def __init__(
        self,
        host: str,
        port: int,
        metrics: Metrics,
        checks: Checks,
        details: Details = dict,
        drain: Callable[[], None] = lambda: None,
        log_levels: levels.LogLevels | None = None,
        recent: float = _RECENT,
    ) -> None:
        self._host, self._port, self._recent = host, port, recent
        self._metrics, self._checks, self._details = metrics, checks, details
        self._paths = {
            "/metrics": self._serve_metrics,
            "/healthz": self._serve_health,
            "/readyz": self._serve_readiness,
        }
        self._drain = drain
        self._levels = log_levels
        self._runner: web.ServerRunner | None = None
        self._held: Mapping[str, bool] = {}
        self._checked_at = float("-inf")

    @property
    def port(self) -> int:
        """The port that is bound (another one than asked for where 0 was)."""
        assert self._runner
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Raises OSError where the address can't be bound."""
        self._runner = web.ServerRunner(
            _Listener(self._serve, access_log=None, auto_decompress=False)
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        if self._levels:
            self._levels.stop()
        if self._runner:
            await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/drain":
            return self._begin_drain(request)
        if self._levels and (request.path + "/").startswith(levels.PATH + "/"):
            return _json(*await self._levels.serve(request))
        serve = self._paths.get(request.path)
        if serve is None:
            return _bare(404)
        if request.method not in ("GET", "HEAD"):
            return _bare(405, Allow="GET, HEAD")
        return await serve(request)

    async def _serve_metrics(self, request: web.BaseRequest) -> web.Response:
        exposition = choose(",".join(request.headers.getall("Accept", ())))
        checks = await self._checked(self._recent)
        body = self._metrics.render(exposition, check_readings(checks))
        return _bare(200, body, **{"Content-Type": exposition.value})

    def _begin_drain(self, request: web.BaseRequest) -> web.Response:
        if not is_local(request):
            return _bare(403)
        if request.method != "POST":
            return _bare(405, Allow="POST")
        self._drain()
        return _json(200, {"status": "draining"})

    async def _serve_health(self, _: web.BaseRequest) -> web.Response:
        return _json(200, {"status": "alive"})

    async def _checked(self, recent: float = 0.0) -> Mapping[str, bool]:
        """The checks, at most so many seconds old."""
        clock = asyncio.get_running_loop().time
        if clock() - self._checked_at > recent:
            self._held = await self._checks()
            self._checked_at = clock()
        return self._held

    async def _serve_readiness(self, _: web.BaseRequest) -> web.Response:
        checks = await self._checked()
        ready = all(checks.values())
        status = "ready" if ready else "not ready"
        body = {"status": status, "checks": dict(checks), **self._details()}
        return _json(200 if ready else 503, body)


class _Listener(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=asyncio.get_running_loop(), **self._kwargs)


class _Connection(RequestHandler):
    """aiohttp's, as one of a few, and without its page for what it can't parse, which quotes it."""

    __slots__ = ("_listener",)

    def __init__(
        self, listener: web.Server, loop: asyncio.AbstractEventLoop, **options: Any
    ) -> None:
        super().__init__(listener, loop=loop, **options)
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        connections = self._listener.connections
        if len(connections) > _MOST_CONNECTIONS and (oldest := connections[0].transport):
            oldest.abort()

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
