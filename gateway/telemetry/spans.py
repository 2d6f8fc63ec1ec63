"""Evidence → the spans of one exchange → the process that exports them (`otlp`).

Spans are made when an exchange is over and its entry is durable, of the times that its steps took
anyway. Nothing here can fail or delay one: the queue is bounded, what doesn't fit is dropped and
counted, and a collector that is slow, dead or unwilling is waited for by another process (ADR 11).

Attributes come from the configuration, from closed sets and from counting. On no span: the path and
the query (`http.route` is the configured template), addresses of callers, identifiers, claims.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from gateway import __version__
from gateway.decisionlog.entry import Evidence, Outcome
from gateway.decisionlog.plain import method
from gateway.endpoints import Endpoint
from gateway.errors import Code, place
from gateway.log import Log
from gateway.telemetry.catalogue import TRACE_SPANS
from gateway.telemetry.metrics import Reading
from gateway.telemetry.spanmessages import Attributes, Exchange, Setup, Step, encode, read_exported
from gateway.telemetry.tracing import TracingSettings
from gateway.trace import Span
from gateway.workers.pool import WorkerPool
from gateway.workers.worker import WorkerError

_ENTRY = "gateway.telemetry.otlp:serve"
_SLACK = 5.0
"""Seconds beyond the export's own timeout after which its process is replaced."""
_FAREWELL = 2.0
"""Seconds that a stop may wait for the last spans."""
_CUT_OFF = (Code.SHUTTING_DOWN, Code.CALLER_LEFT)
_LOG = Log(__name__)


class Spelling:
    """Spells exchanges as spans; `endpoints` and `upstream` are what the configuration names."""

    def __init__(self, endpoints: Iterable[Endpoint], upstream: str) -> None:
        self._routes = {endpoint.name: endpoint.path for endpoint in endpoints}
        where = urlsplit(upstream)
        port = where.port or (443 if where.scheme == "https" else 80)
        self._upstream: Attributes = {"server.address": where.hostname or "", "server.port": port}

    def spell(self, evidence: Evidence, span: Span) -> Exchange:
        """The server span and its steps, for one whose trace is kept."""
        asked = method(evidence.method) or ""
        asked = "_OTHER" if asked == "other" else asked
        route = self._routes.get(evidence.endpoint or "", "")
        began = round(evidence.received_at.timestamp() * 1e6) * 1000
        refused = evidence.outcome is Outcome.REFUSED and evidence.code is not None
        error = refused and evidence.http_status >= 500
        steps = list(self._steps(evidence, span, began, asked, error))
        return Exchange(
            trace_id=evidence.trace_id,
            span_id=span.span_id,
            parent_id=span.parent_id,
            name=" ".join(filter(None, (asked or "HTTP", route))),
            start=began,
            end=max((step.end for step in steps), default=began),
            attributes=_attributes(evidence, asked, route, refused),
            error=error,
            steps=steps,
        )

    def _steps(
        self, evidence: Evidence, span: Span, began: int, asked: str, error: bool
    ) -> Iterator[Step]:
        failed = _failed(evidence, span)
        for name, took in evidence.durations.items():
            start = began + int(span.starts[name] * 1e9)
            attributes: Attributes = {}
            if name == "upstream":
                attributes = {"http.request.method": asked, **self._upstream}
            if name == failed and evidence.code:
                attributes["error.type"] = evidence.code.value
            yield Step(name, start, start + int(took * 1e9), attributes, error and name == failed)


def _attributes(evidence: Evidence, asked: str, route: str, refused: bool) -> Attributes:
    """The names of OpenTelemetry's conventions for HTTP where there are any."""
    inspection, counts = evidence.inspection, evidence.counts
    attributes: Attributes = {
        "http.response.status_code": evidence.http_status,
        "privacy_gateway.decision_id": evidence.exchange_id,
        "privacy_gateway.outcome": evidence.outcome.value,
    }
    if asked:
        attributes["http.request.method"] = asked
    if route:
        attributes["http.route"] = route
        attributes["privacy_gateway.endpoint"] = evidence.endpoint or ""
    if evidence.code:  # a block is what the policy is there for, and no error
        attributes["error.type" if refused else "privacy_gateway.code"] = evidence.code.value
    if evidence.decision:
        attributes["privacy_gateway.effect"] = evidence.decision.effect.value
    if inspection:
        attributes["privacy_gateway.format"] = inspection.format.value
        attributes["privacy_gateway.bytes.received"] = inspection.bytes_received
        attributes["privacy_gateway.bytes.released"] = evidence.bytes_released
        for went in ("seen", "released", "redacted", "blocked"):
            attributes[f"privacy_gateway.records.{went}"] = getattr(counts, went)
    return attributes


def _failed(evidence: Evidence, span: Span) -> str:
    """The step that refused: the last one begun, apart from the log that all end in. None did where
    the exchange was cut off, or a stream, of which the steps are those of its opening."""
    if evidence.outcome is not Outcome.REFUSED or evidence.code in _CUT_OFF or evidence.stage:
        return ""
    if evidence.code is Code.LOG_UNAVAILABLE:
        return "log"
    return next((name for name in reversed(list(span.starts)) if name != "log"), "")


@dataclass(slots=True)
class SpanFacts:
    """Spans since the start: taken by the collector, not taken by it, and not even offered."""

    exported: int = 0
    failed: int = 0
    dropped: int = 0


class SpanExport:
    """Queues exchanges and has them exported in batches. Owned by one event loop."""

    def __init__(self, settings: TracingSettings, spelling: Spelling, instance: str) -> None:
        self._settings, self._spelling = settings, spelling
        setup = Setup(instance, __version__, settings.timeout)
        self._pool = WorkerPool(entry=_ENTRY, setup=encode(setup), nice=10)
        self._queue: deque[Exchange] = deque()
        self._queued = 0
        self._any, self._many = asyncio.Event(), asyncio.Event()
        self._fault, self._stopping = "", False
        self._task: asyncio.Task[None] | None = None
        self.facts = SpanFacts()

    def start(self) -> None:
        """Begin to export. Nothing is awaited, and nothing is raised."""
        self._task = asyncio.get_running_loop().create_task(self._keep_exporting())

    async def stop(self) -> None:
        """Offer what is queued to a collector that has been taking spans, and end the process."""
        if self._task is None:
            return
        self._stopping = True
        self._any.set()
        self._many.set()
        await asyncio.wait({self._task}, timeout=_FAREWELL)
        self._task.cancel()
        await asyncio.wait({self._task})
        self.facts.dropped += self._queued
        await self._pool.stop()

    def pids(self) -> tuple[int, ...]:
        """The exporting process."""
        return self._pool.pids()

    def offer(self, evidence: Evidence, span: Span) -> None:
        """Queue an exchange's spans, or count them as dropped. Never waits, never raises."""
        try:
            exchange = self._spelling.spell(evidence, span)
        except Exception as error:  # noqa: BLE001 - an exchange must not notice
            _LOG.warning("an exchange can't be spelled as spans", error=place(error))
            return
        if self._queued + exchange.spans > self._settings.queue:
            self.facts.dropped += exchange.spans
            return
        self._queue.append(exchange)
        self._queued += exchange.spans
        self._any.set()
        if self._queued >= self._settings.batch:
            self._many.set()

    async def _keep_exporting(self) -> None:
        try:
            await self._pool.start()
        except (WorkerError, OSError):
            self._say("the exporting process can't start")
            return  # what comes is dropped, and counted
        while not self._stopping:
            await self._any.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.delay):
                    await self._many.wait()
            if self._queue:
                await self._export(self._batch())
        while self._queue and not self._fault:
            await self._export(self._batch())

    def _batch(self) -> list[Exchange]:
        batch: list[Exchange] = []
        spans = 0
        while self._queue and spans < self._settings.batch:
            batch.append(self._queue.popleft())
            spans += batch[-1].spans
        self._queued -= spans
        if not self._queue:
            self._any.clear()
        if self._queued < self._settings.batch:
            self._many.clear()
        return batch

    async def _export(self, batch: list[Exchange]) -> None:
        """Have one batch exported. What nobody answers for, also at the end, was not taken."""
        fault = "the exporting process ended"
        try:
            fault = await self._ask(batch)
        finally:
            spans = sum(exchange.spans for exchange in batch)
            if fault:
                self.facts.failed += spans
            else:
                self.facts.exported += spans
        self._say(fault)

    async def _ask(self, batch: list[Exchange]) -> str:
        """Why a batch was not taken, or an empty text."""
        deadline = self._settings.timeout + _SLACK
        try:
            exported = read_exported(await self._pool.call(encode(batch), deadline=deadline))
        except (WorkerError, msgspec.DecodeError):
            return "the exporting process ended"
        if exported.taken:
            return ""
        status = exported.status
        return f"the collector answers {status}" if status else "no collector answers"

    def _say(self, fault: str) -> None:
        if fault and fault != self._fault:
            _LOG.warning("spans are not exported", reason=fault)
        elif self._fault and not fault:
            _LOG.info("spans are exported again")
        self._fault = fault


class Observing(Protocol):
    """As `exchange.Observer`."""

    def exchange(self, evidence: Evidence) -> None: ...


class WithSpans:
    """An observer, and behind it the export of what is traced."""

    def __init__(self, observer: Observing, export: SpanExport) -> None:
        self._observer, self._export = observer, export

    def exchange(self, evidence: Evidence) -> None:
        self._observer.exchange(evidence)
        if evidence.span is not None:
            self._export.offer(evidence, evidence.span)


def span_readings(facts: SpanFacts) -> Iterator[Reading]:
    """All results from the start, so that a first one is seen as a change."""
    for result in TRACE_SPANS.labels[0].values:
        yield Reading(TRACE_SPANS, getattr(facts, result), (result,))
