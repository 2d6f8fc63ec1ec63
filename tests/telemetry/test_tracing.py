"""What OTEL_* asks for, and which exchanges are traced."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import sampling
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    set_span_in_context,
)

from gateway.telemetry.tracing import Sampler, SamplerKind, Tracing, TracingSettings, asked_for
from gateway.trace import Parent, step_id

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = [(b"traceparent", f"00-{TRACE}-{SPAN}-01".encode()), (b"tracestate", b"a=1")]
QUIET = [(b"traceparent", f"00-{TRACE}-{SPAN}-00".encode())]
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {**ENDPOINT, "OTEL_SDK_DISABLED": "True"},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
        {"OTEL_SERVICE_NAME": "x", "OTEL_TRACES_SAMPLER": "always_on"},
    ],
)
def test_nothing_is_traced_unless_it_is_asked_for(environ: Mapping[str, str]) -> None:
    assert asked_for(environ) == (None, [])


@pytest.mark.parametrize(
    "environ",
    [
        ENDPOINT,
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"},
        {"OTEL_TRACES_EXPORTER": "otlp"},
        {**ENDPOINT, "OTEL_SDK_DISABLED": "no"},
        {**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
    ],
)
def test_an_endpoint_or_the_exporters_name_asks_for_it(environ: Mapping[str, str]) -> None:
    assert asked_for(environ) == (TracingSettings(Sampler()), [])


def test_the_batches_and_the_timeout_are_those_of_the_variables() -> None:
    settings, faults = asked_for(
        {
            **ENDPOINT,
            "OTEL_BSP_MAX_QUEUE_SIZE": "100",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "200",
            "OTEL_BSP_SCHEDULE_DELAY": "000000000250",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "9000",
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "1500",
        }
    )
    assert settings == TracingSettings(Sampler(), 100, 100, 0.25, 1.5) and faults == []


@pytest.mark.parametrize(
    ("environ", "fault"),
    [
        ({"OTEL_TRACES_EXPORTER": "console"}, "OTEL_TRACES_EXPORTER: the only exporter is otlp"),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf is spoken (port 4318)",
        ),
    ],
)
def test_what_can_not_be_had_is_a_fault_and_nothing_is_traced(
    environ: Mapping[str, str], fault: str
) -> None:
    assert asked_for({**ENDPOINT, **environ}) == (None, [fault])


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "canary"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "-1"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "٣"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "9" * 5000),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),  # one exchange has up to nine spans: it would never fit
        ("OTEL_TRACES_SAMPLER", "canary"),
        ("OTEL_TRACES_SAMPLER", "parentbased_canary"),
    ],
)
def test_a_value_that_makes_no_sense_counts_as_unset_and_is_not_quoted(
    variable: str, value: str
) -> None:
    settings, faults = asked_for({**ENDPOINT, variable: value})
    assert settings == TracingSettings(Sampler())
    assert len(faults) == 1 and faults[0].startswith(variable) and "canary" not in faults[0]


@pytest.mark.parametrize(
    ("name", "argument", "sampler"),
    [
        ("always_on", "", Sampler(SamplerKind.ALWAYS_ON, 1.0, False)),
        ("always_off", "0.5", Sampler(SamplerKind.ALWAYS_OFF, 1.0, False)),
        ("traceidratio", "0.25", Sampler(SamplerKind.RATIO, 0.25, False)),
        ("parentbased_always_on", "", Sampler()),
        ("parentbased_always_off", "", Sampler(SamplerKind.ALWAYS_OFF)),
        ("parentbased_traceidratio", "0.1", Sampler(SamplerKind.RATIO, 0.1)),
        ("traceidratio", "", Sampler(SamplerKind.RATIO, 1.0, False)),
    ],
)
def test_the_samplers_are_those_of_the_specification(
    name: str, argument: str, sampler: Sampler
) -> None:
    environ = {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument}
    assert asked_for({**ENDPOINT, **environ}) == (TracingSettings(sampler), [])


@pytest.mark.parametrize("argument", ["canary", "1.5", "-0.1", "nan", "inf"])
def test_a_ratio_that_is_none_counts_as_one(argument: str) -> None:
    environ = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": argument}
    settings, faults = asked_for({**ENDPOINT, **environ})
    assert settings == TracingSettings(Sampler(SamplerKind.RATIO, 1.0, False))
    assert faults == ["OTEL_TRACES_SAMPLER_ARG: not a number from 0 to 1; it counts as 1"]


@given(
    trace_id=st.integers(1, 2**128 - 1),
    ratio=st.floats(0, 1),
    flags=st.sampled_from([None, 0, 1, 2, 3]),
    kind=st.sampled_from(SamplerKind),
    parent_based=st.booleans(),
)
def test_a_trace_is_kept_where_opentelemetrys_sdk_would_keep_it(
    trace_id: int, ratio: float, flags: int | None, kind: SamplerKind, parent_based: bool
) -> None:
    theirs: sampling.Sampler = {
        SamplerKind.ALWAYS_ON: sampling.ALWAYS_ON,
        SamplerKind.ALWAYS_OFF: sampling.ALWAYS_OFF,
        SamplerKind.RATIO: sampling.TraceIdRatioBased(ratio),
    }[kind]
    theirs = sampling.ParentBased(theirs) if parent_based else theirs
    above, parent = None, None
    if flags is not None:
        context = SpanContext(trace_id, 1, True, TraceFlags(flags))
        above = set_span_in_context(NonRecordingSpan(context))
        parent = Parent(f"{trace_id:032x}", SPAN, flags)
    expected = theirs.should_sample(above, trace_id, "x").decision.is_sampled()
    assert Sampler(kind, ratio, parent_based).keeps(f"{trace_id:032x}", parent) is expected


def test_a_trusted_callers_trace_is_continued_under_an_id_of_our_own() -> None:
    trace = Tracing(Sampler(), trusted=True).begin("x1", HEADERS)
    assert (trace.trace_id, trace.parent_id, trace.kept) == (TRACE, SPAN, True)
    assert re.fullmatch("[0-9a-f]{16}", trace.span_id) and trace.span_id != SPAN
    upstream = step_id(trace.span_id, "upstream")
    assert trace.headers == (("traceparent", f"00-{TRACE}-{upstream}-01"), ("tracestate", "a=1"))


def test_a_trace_that_is_not_kept_goes_on_and_says_so() -> None:
    trace = Tracing(Sampler(), trusted=True).begin("x1", QUIET)
    assert not trace.kept and trace.headers[0][1].startswith(f"00-{TRACE}-")
    assert trace.headers[0][1].endswith("-00")
    dropped = Tracing(Sampler(SamplerKind.ALWAYS_OFF, 1.0, False), trusted=True)
    assert dropped.begin("x1", HEADERS).headers[0][1].endswith("-00")


def test_who_is_not_trusted_can_neither_choose_ids_nor_have_anything_kept() -> None:
    trace = Tracing(Sampler(SamplerKind.ALWAYS_OFF), trusted=False).begin("x1", HEADERS)
    assert trace.trace_id != TRACE and trace.parent_id == "" and not trace.kept
    assert len(trace.headers) == 1


def test_every_trace_has_ids_of_its_own() -> None:
    tracing = Tracing(Sampler(), trusted=True)
    made = [tracing.begin("x1", ()) for _ in range(1000)]
    assert len({trace.trace_id for trace in made}) == len({each.span_id for each in made}) == 1000
    assert all(re.fullmatch("[0-9a-f]{32}", trace.trace_id) for trace in made)
