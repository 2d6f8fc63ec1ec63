"""The exporting process: batches of exchanges → OTLP over HTTP, with OpenTelemetry's SDK.

The only module that imports OpenTelemetry. It runs in a process of its own (`gateway.workers`): the
SDK encodes for as long as a small exchange takes in all, and would do so under the lock that the
event loop needs (ADR 11). Endpoint, headers, certificates and compression are read from `OTEL_*` by
the SDK itself.
"""

import logging
from collections.abc import Callable, Iterator

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
_UNSET, _ERROR = Status(), Status(StatusCode.ERROR)


def serve(setup: bytes) -> Callable[[bytes, list[int]], bytes]:
    """The entry of the process."""
    given = read_setup(setup)
    resource = described(given)
    scope = InstrumentationScope(_SERVICE, given.version)
    exporter = OTLPSpanExporter(timeout=given.timeout)
    heard = _Heard()
    library = logging.getLogger("opentelemetry")
    library.propagate, library.handlers = False, [heard]

    def answer(batch: bytes, _fds: list[int]) -> bytes:
        heard.status = 0
        made = [span for exchange in read_batch(batch) for span in spans(exchange, resource, scope)]
        taken = exporter.export(made) is SpanExportResult.SUCCESS
        return encode(Exported(taken, 0 if taken else heard.status))

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


class _Heard(logging.Handler):
    """What the exporter says of a failure quotes the collector; only a status is kept of it."""

    status = 0

    def emit(self, record: logging.LogRecord) -> None:
        numbers = record.args if isinstance(record.args, tuple) else ()
        self.status = next((each for each in numbers if type(each) is int), self.status)
