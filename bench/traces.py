"""`python -m bench.traces`: what a trace costs one exchange, where it costs it.

Microseconds of one thread's CPU time, the best of five rounds.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from gateway.decisionlog.entry import Evidence, Outcome
from gateway.endpoints import Endpoint
from gateway.inspection.settings import BodySpec
from gateway.log import Log
from gateway.model import Format, Inspection
from gateway.telemetry.otlp import spans
from gateway.telemetry.spanmessages import encode
from gateway.telemetry.spans import Spelling
from gateway.telemetry.tracing import Sampler, SamplerKind, Tracing
from gateway.trace import STEPS, UNTRACED, Span

HEADERS = [
    (b"Host", b"exports.example.org"),
    (b"Authorization", b"Bearer x"),
    *((b"X-Field-%d" % n, b"value") for n in range(8)),
]
CALLER = (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
SPAN = Span("00f067aa0ba902b7", "", {step: n / 1000 for n, step in enumerate(STEPS)})
EVIDENCE = Evidence(
    "0" * 32,
    datetime(2026, 1, 1, tzinfo=UTC),
    endpoint="orders",
    method="GET",
    inspection=Inspection(Format.JSON, (), (), 100, 100, 100),
    http_status=200,
    outcome=Outcome.RELEASED,
    durations=dict.fromkeys(STEPS, 0.001),
    trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    span=SPAN,
)
BATCH = 57
"""Exchanges of nine spans in a batch of 512 spans."""


def cost(work: Callable[[], object], times: int) -> float:
    best = float("inf")
    for _ in range(5):
        began = time.thread_time()
        for _ in range(times):
            work()
        best = min(best, (time.thread_time() - began) / times)
    return best * 1e6


def main() -> None:
    spelling = Spelling([Endpoint("orders", "/orders", BodySpec(Format.JSON))], "http://service")
    made = spelling.spell(EVIDENCE, SPAN)
    on = Tracing(Sampler(), trusted=True)
    off = Tracing(Sampler(SamplerKind.RATIO, 0.0), trusted=True)
    resource, scope, log = Resource({}), InstrumentationScope("bench"), Log("gateway.bench")
    lines: dict[str, float] = {
        "not traced: looking for a traceparent": cost(lambda: UNTRACED.begin("x", HEADERS), 20_000),
        "a debug line below its level": cost(lambda: log.debug("x", a=1, b=2), 20_000),
        "traced, not sampled": cost(lambda: off.begin("x", HEADERS), 20_000),
        "traced: ids and the sampler": cost(lambda: on.begin("x", [*HEADERS, CALLER]), 20_000),
        "traced: spelled as spans": cost(lambda: spelling.spell(EVIDENCE, SPAN), 20_000),
        "traced: encoded for the exporter": cost(lambda: encode([made] * BATCH), 500) / BATCH,
        "in the exporter: OpenTelemetry's spans, encoded": cost(
            lambda: encode_spans(
                [span for each in [made] * BATCH for span in spans(each, resource, scope)]
            ).SerializeToString(),
            20,
        )
        / BATCH,
    }
    for what, microseconds in lines.items():
        print(f"{microseconds:8.1f} us  {what}")


if __name__ == "__main__":
    main()
