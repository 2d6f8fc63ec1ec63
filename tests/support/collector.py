"""A real OTLP receiver: takes what an exporter posts, decodes the protobuf, keeps the spans."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

KINDS = {value: name.removeprefix("SPAN_KIND_") for name, value in SpanMessage.SpanKind.items()}


@dataclass(frozen=True)
class Received:
    """One span, with ids as hex digits."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    attributes: Mapping[str, Any]
    status: int
    """0 unset, 1 ok, 2 error."""
    state: str
    resource: Mapping[str, Any]


@dataclass
class Collector:
    """Answers with `status`, after `open` is set; keeps what it took, and all bytes it was sent."""

    status: int = 200
    url: str = ""
    spans: list[Received] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    requests: list[Mapping[str, str]] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()  # aiohttp has undone its coding
        self.requests.append(dict(request.headers))
        self.raw.append(body)
        self._news.set()
        await self.open.wait()
        if self.status == 200:
            assert request.path == "/v1/traces"
            assert request.headers["Content-Type"] == "application/x-protobuf"
            self.spans += read(body)
        self._news.set()
        return web.Response(status=self.status, headers={"Content-Type": "application/x-protobuf"})

    async def until(self, enough: Callable[["Collector"], bool]) -> None:
        async with asyncio.timeout(60):
            while not enough(self):
                self._news.clear()
                await self._news.wait()

    def of(self, exchange_id: str) -> list[Received]:
        """The spans of one exchange, the server's first."""
        mine = [
            span
            for span in self.spans
            if span.attributes.get("privacy_gateway.decision_id") == exchange_id
        ]
        return sorted(mine, key=lambda span: span.kind != "SERVER")


def read(body: bytes) -> list[Received]:
    message = ExportTraceServiceRequest.FromString(body)
    return [
        Received(
            name=span.name,
            kind=KINDS[span.kind],
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            start=span.start_time_unix_nano,
            end=span.end_time_unix_nano,
            attributes=_read_attributes(span.attributes),
            status=span.status.code,
            state=span.trace_state,
            resource=_read_attributes(each.resource.attributes),
        )
        for each in message.resource_spans
        for scope in each.scope_spans
        for span in scope.spans
    ]


def _read_attributes(attributes: Any) -> dict[str, Any]:
    return {
        each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in attributes
    }


@asynccontextmanager
async def collecting(**changes: Any) -> AsyncIterator[Collector]:
    collector = Collector(**changes)
    collector.open.set()
    runner = web.ServerRunner(web.Server(collector.respond, access_log=None))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield collector
    finally:
        collector.open.set()
        await runner.cleanup()
