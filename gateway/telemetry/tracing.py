"""Which exchanges are traced, decided when they begin: what `OTEL_*` asks for, and the sampler.

The variables are those of the OpenTelemetry specification ("Environment Variable Specification");
durations in them are in milliseconds. Nothing is traced unless an endpoint is named, or `otlp` is.
What is asked for and can't be had is a fault for the log, and never a reason not to serve.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from gateway.trace import CURRENT, SAMPLED, STEPS, Parent, RawHeaders, Trace, read, spelled, step_id

_RATIO_BITS = 2**64
_PROTOCOL = "http/protobuf"
_POOLED = 256
_MOST, _LONG = 10**8, 20


class SamplerKind(StrEnum):
    """The samplers of the specification."""

    ALWAYS_ON = "always_on"
    ALWAYS_OFF = "always_off"
    RATIO = "traceidratio"


@dataclass(frozen=True, slots=True)
class Sampler:
    """`ratio` is the share of traces that RATIO keeps. `parent_based`: a caller that names a trace
    has decided already, and the kind decides about the others."""

    kind: SamplerKind = SamplerKind.ALWAYS_ON
    ratio: float = 1.0
    parent_based: bool = True

    def keeps(self, trace_id: str, parent: Parent | None) -> bool:
        if self.parent_based and parent:
            return parent.sampled
        match self.kind:
            case SamplerKind.ALWAYS_ON:
                return True
            case SamplerKind.ALWAYS_OFF:
                return False
            case SamplerKind.RATIO:  # as every SDK does, so that all services keep the same traces
                return int(trace_id[16:], 16) < round(self.ratio * _RATIO_BITS)
            case _:
                assert_never(self.kind)


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """What the environment asks for. `queue` and `batch` count spans, `delay` and `timeout` are in
    seconds: how long a span may wait for others, and how long one batch's export may take."""

    sampler: Sampler
    queue: int = 2048
    batch: int = 512
    delay: float = 5.0
    timeout: float = 10.0


def asked_for(environ: Mapping[str, str]) -> tuple[TracingSettings | None, list[str]]:
    """The settings, None where nothing is to be traced; and what is wrong with the variables."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None, []
    exporters = {name.strip() for name in environ.get("OTEL_TRACES_EXPORTER", "").split(",")} - {""}
    endpoint = _either(environ, "ENDPOINT")
    if not ("otlp" in exporters or (endpoint and not exporters)):
        others = exporters - {"none"}
        return None, ["OTEL_TRACES_EXPORTER: the only exporter is otlp"] if others else []
    if (_either(environ, "PROTOCOL") or _PROTOCOL) != _PROTOCOL:
        return None, [f"OTEL_EXPORTER_OTLP_PROTOCOL: only {_PROTOCOL} is spoken (port 4318)"]
    reader = _Reader(environ)
    queue = reader.number("OTEL_BSP_MAX_QUEUE_SIZE", 2048, least=1 + len(STEPS))
    settings = TracingSettings(
        sampler=reader.sampler(),
        queue=int(queue),
        batch=min(int(queue), int(reader.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512))),
        delay=reader.number("OTEL_BSP_SCHEDULE_DELAY", 5000) / 1000,
        timeout=reader.number(_name(environ, "TIMEOUT"), 10_000) / 1000,
    )
    return settings, reader.faults


def _either(environ: Mapping[str, str], what: str) -> str:
    return environ.get(_name(environ, what), "").strip()


def _name(environ: Mapping[str, str], what: str) -> str:
    """The variable of the signal, or else the one for all signals."""
    own = f"OTEL_EXPORTER_OTLP_TRACES_{what}"
    return own if environ.get(own, "").strip() else f"OTEL_EXPORTER_OTLP_{what}"


class _Reader:
    """Reads single variables; what is wrong counts as unset (as the specification asks)."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def number(self, name: str, default: float, least: int = 1) -> float:
        text = self._environ.get(name, "").strip()
        if not text:
            return default
        digits = text.isascii() and text.isdigit() and len(text) < _LONG
        if digits and least <= int(text) <= _MOST:
            return int(text)
        fault = f"not a number from {least} to {_MOST}; it counts as {default:g}"
        self.faults.append(f"{name}: {fault}")
        return default

    def sampler(self) -> Sampler:
        name = self._environ.get("OTEL_TRACES_SAMPLER", "").strip() or "parentbased_always_on"
        kind = name.removeprefix("parentbased_")
        if kind not in set(SamplerKind):
            self.faults.append(
                f"OTEL_TRACES_SAMPLER: none of {', '.join(SamplerKind)}, alone or behind "
                "parentbased_; it counts as parentbased_always_on"
            )
            return Sampler()
        ratio = 1.0
        if kind == SamplerKind.RATIO:
            ratio = self._ratio()
        return Sampler(SamplerKind(kind), ratio, name != kind)

    def _ratio(self) -> float:
        text = self._environ.get("OTEL_TRACES_SAMPLER_ARG", "").strip() or "1"
        try:
            ratio = float(text)
        except ValueError:
            ratio = -1.0
        if not 0 <= ratio <= 1:
            self.faults.append("OTEL_TRACES_SAMPLER_ARG: not a number from 0 to 1; it counts as 1")
            return 1.0
        return ratio


class Tracing:
    """The `Tracer` of the exchange where traces are exported."""

    def __init__(self, sampler: Sampler, *, trusted: bool) -> None:
        self._sampler, self._trusted = sampler, trusted
        self._ids: list[str] = []

    def begin(self, exchange_id: str, headers: RawHeaders) -> Trace:
        """The exchange's place. The ids of a caller are hex digits, or there are none."""
        parent = read(headers) if self._trusted else None
        fresh = self._random()
        span_id, trace_id = fresh[:16], parent.trace_id if parent else fresh[16:]
        kept = self._sampler.keeps(trace_id, parent)
        above = step_id(span_id, "upstream")
        flags = (parent.flags & ~SAMPLED if parent else 0) | (SAMPLED if kept else 0)
        trace = Trace(
            trace_id,
            span_id,
            parent.span_id if parent else "",
            kept,
            spelled(trace_id, above, parent, flags),
        )
        CURRENT.set((exchange_id, trace))
        return trace

    def _random(self) -> str:
        """48 hex digits. The system's generator is asked once for many of them."""
        if not self._ids:
            text = secrets.token_hex(24 * _POOLED)
            self._ids = [text[at : at + 48] for at in range(0, len(text), 48)]
        return self._ids.pop()
