"""The exporting process: batches of exchanges → OTLP over HTTP, with OpenTelemetry's SDK.

The only module that imports OpenTelemetry. It runs in a process of its own (`gateway.workers`): the
SDK encodes for as long as a small exchange takes in all, and would do so under the lock that the
event loop needs (ADR 11). Endpoint, headers, certificates and compression are read from `OTEL_*` by
the SDK itself; what it logs quotes them and the collector, and is not kept.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from gateway.telemetry.spanmessages import (
    Exchange,
    Exported,
    Setup,
    encode,
    read_batch,
    read_setup,
)
from gateway.trace import SAMPLED, step_id

DECISION_ID = "privacy_gateway.decision_id"
_SERVICE = "privacy-gateway"
_MOST_READ = 64 * 1024
"""Bytes of an answer; those of a collector have a hundred."""
_UNSET, _ERROR = Status(), Status(StatusCode.ERROR)


def serve(setup: bytes) -> Callable[[bytes, list[int]], bytes]:
    """The entry of the process."""
    given = read_setup(setup)
    library = logging.getLogger("opentelemetry")
    library.propagate, library.handlers = False, [logging.NullHandler()]
    resource = described(given)
    scope = InstrumentationScope(_SERVICE, given.version)
    collector = _Collector()
    exporter = OTLPSpanExporter(timeout=given.timeout, session=collector.session)

    def answer(batch: bytes, _fds: list[int]) -> bytes:
        collector.status = 0
        made = [span for exchange in read_batch(batch) for span in spans(exchange, resource, scope)]
        taken = exporter.export(made) is SpanExportResult.SUCCESS
        taken = taken and 200 <= collector.status < 300  # to the SDK a redirect is a success
        return encode(Exported(taken, 0 if taken else collector.status))

    return answer


def described(setup: Setup) -> Resource:
    """The resource: ours where OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say nothing else."""
    ours = {
        "service.name": _SERVICE,
        "service.version": setup.version,
        "service.instance.id": setup.instance,
    }
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})


def spans(
    exchange: Exchange, resource: Resource, scope: InstrumentationScope
) -> Iterator[ReadableSpan]:
    """The server span, and one span for each step under it. The decision's id is on all of them."""
    own = _context(exchange.trace_id, exchange.span_id)
    above = None
    if exchange.parent_id:
        above = _context(exchange.trace_id, exchange.parent_id, remote=True)
    yield ReadableSpan(
        exchange.name,
        own,
        above,
        resource,
        exchange.attributes,
        kind=SpanKind.SERVER,
        instrumentation_scope=scope,
        status=_ERROR if exchange.error else _UNSET,
        start_time=exchange.start,
        end_time=exchange.end,
    )
    decision = {DECISION_ID: exchange.attributes[DECISION_ID]}
    for step in exchange.steps:
        yield ReadableSpan(
            step.name,
            _context(exchange.trace_id, step_id(exchange.span_id, step.name)),
            own,
            resource,
            {**decision, **step.attributes},
            kind=SpanKind.CLIENT if step.name == "upstream" else SpanKind.INTERNAL,
            instrumentation_scope=scope,
            status=_ERROR if step.error else _UNSET,
            start_time=step.start,
            end_time=step.end,
        )


def _context(trace_id: str, span_id: str, *, remote: bool = False) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), remote, TraceFlags(SAMPLED))


class _Collector:
    """The session with the collector: of an answer only the status counts, and little is read.

    `requests` would hold all of it in memory, and undo its compression; and a container has one
    limit of memory for all its processes.
    """

    status = 0
    """Of the last answer; 0 where there was none."""

    def __init__(self) -> None:
        self.session = requests.Session()
        self.session.stream = True
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.session.hooks["response"].append(self._answered)

    def _answered(self, response: Any, **_: Any) -> None:
        self.status = response.status_code
        with suppress(Exception):  # the status has come, and nothing else is asked for
            # An answer that is read to its end leaves a connection for the next one.
            response.raw.read(_MOST_READ, decode_content=False)
        response.close()
