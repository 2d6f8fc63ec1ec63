"""What may be told of telemetry in the file; the exporter is told by `OTEL_*` variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gateway.constraints import STRICT


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """Traces are exported where the standard variable `OTEL_EXPORTER_OTLP_ENDPOINT` is set.

    With `trust_traceparent` an exchange continues the trace that its caller names, sampled or not
    as the caller says where the sampler is a `parentbased_` one. Without it the caller's
    `traceparent` and `tracestate` are dropped, and every exchange begins a trace of its own: for a
    gateway that strangers can reach.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    trust_traceparent: bool = True
