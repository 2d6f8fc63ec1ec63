"""Families → the text formats: Prometheus 0.0.4, and OpenMetrics 1.0 (with exemplars).

A hundred endpoints have some ten thousand lines, and whoever waits for a scrape is an export: what
stays the same from scrape to scrape (everything but the numbers) is kept.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/,
https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

import math
from collections.abc import Iterable

from gateway.telemetry.exposition import Family, Kept
from gateway.telemetry.histogram import CLASSIC, Exemplar, Histogram
from gateway.telemetry.metric import Kind, Metric

_BOUNDS = (*map(str, CLASSIC), "+Inf")
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


class Text:
    """One of the two."""

    def __init__(self, *, openmetrics: bool = False) -> None:
        self._openmetrics = openmetrics
        self._begun: dict[str, dict[tuple[str, ...], str]] = {}
        self._shapes: dict[tuple[str, tuple[str, ...]], str] = {}
        self._exemplars: Kept[str] = Kept(_exemplar)

    def render(self, families: Iterable[Family]) -> bytes:
        parts: list[str] = []
        for family in families:
            metric = family.metric
            begun = self._begun.setdefault(metric.name, {})
            parts.append(self._head(metric))
            kept = metric.kind is Kind.COUNTER  # a gauge may have had other labels before
            for labels, value in family.series:
                line = begun.get(labels)
                if line is None:
                    line = f"{metric.name}{_braced(_spelled(metric, labels))} "
                    if kept:
                        begun[labels] = line
                parts.append(f"{line}{value}.0\n" if type(value) is int else _line(line, value))
            for labels, histogram in family.histograms:
                parts.append(self._histogram(metric, labels, histogram))
        if self._openmetrics:
            parts.append("# EOF\n")
        return "".join(parts).encode()

    def _head(self, metric: Metric) -> str:
        name = metric.name
        if self._openmetrics and metric.kind is Kind.COUNTER:
            name = name.removesuffix("_total")
        return f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n"

    def _histogram(self, metric: Metric, labels: tuple[str, ...], histogram: Histogram) -> str:
        """Its lines are one text with room for the numbers (and for exemplars)."""
        key = (metric.name, labels)
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = self._shape(metric, labels)
        buckets = histogram.classic()
        ends = (histogram.sum, buckets[-1])
        if not self._openmetrics:
            return shape % (*buckets, *ends)
        filled: list[int | str] = [each for count in buckets for each in (count, "")]
        for bucket, exemplar in self._exemplars.of(key, histogram):
            filled[2 * bucket + 1] = exemplar
        return shape % (*filled, *ends)

    def _shape(self, metric: Metric, labels: tuple[str, ...]) -> str:
        name, spelled = metric.name.replace("%", "%%"), _spelled(metric, labels).replace("%", "%%")
        beside = f"{spelled}," if spelled else ""
        exemplar = "%s" if self._openmetrics else ""
        lines = [f'{name}_bucket{{{beside}le="{le}"}} %d.0{exemplar}\n' for le in _BOUNDS]
        braced = _braced(spelled)
        return "".join((*lines, f"{name}_sum{braced} %r\n", f"{name}_count{braced} %d.0\n"))


def _spelled(metric: Metric, labels: tuple[str, ...]) -> str:
    names = (label.name for label in metric.labels)
    pairs = sorted(zip(names, labels, strict=True))
    return ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in pairs)


def _braced(spelled: str) -> str:
    return f"{{{spelled}}}" if spelled else ""


def _line(line: str, value: float) -> str:
    value = float(value)
    if math.isinf(value):
        return f"{line}{'+' if value > 0 else '-'}Inf\n"
    return f"{line}NaN\n" if math.isnan(value) else f"{line}{value!r}\n"


def _exemplar(exemplar: Exemplar) -> str:
    return f' # {{trace_id="{exemplar.trace_id}"}} {exemplar.seconds!r} {exemplar.at:.3f}'
