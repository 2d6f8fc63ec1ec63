"""How what was measured is written down for whoever scrapes: families in, bytes out.

`text` and `protobuf` write; which of them depends on what the scraper accepts (RFC 9110 section
12.5.1). Nothing else is offered: no compression, which would cost more than it saves on a network
of the same cluster.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from gateway.telemetry.histogram import Exemplar, Histogram
from gateway.telemetry.metric import Metric


@dataclass(frozen=True, slots=True)
class Family:
    """One metric's numbers: `series` are label values, in the order of `metric.labels`, with a
    number each; a histogram's are `Histogram`s."""

    metric: Metric
    series: Iterable[tuple[tuple[str, ...], float]] = ()
    histograms: Iterable[tuple[tuple[str, ...], Histogram]] = ()


Written = TypeVar("Written", str, bytes)


class Kept(Generic[Written]):
    """Exemplars as they were written: few are new at a scrape, and all of them cost more than the
    numbers do."""

    def __init__(self, write: Callable[[Exemplar], Written]) -> None:
        self._write: Callable[[Exemplar], Written] = write
        self._known: dict[tuple[str, tuple[str, ...]], dict[int, tuple[Exemplar, Written]]] = {}

    def of(
        self, key: tuple[str, tuple[str, ...]], histogram: Histogram
    ) -> Iterator[tuple[int, Written]]:
        """The exemplars of one histogram, by bucket. `key` is its metric and labels."""
        if not histogram.exemplars:
            return
        known = self._known.setdefault(key, {})
        for bucket, exemplar in histogram.exemplars.items():
            kept = known.get(bucket)
            if kept is None or kept[0] != exemplar:
                kept = known[bucket] = (exemplar, self._write(exemplar))
            yield bucket, kept[1]


class Format(StrEnum):
    """The exposition formats, by their content types."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    PROTOBUF = (
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily;"
        " encoding=delimited"
    )


def choose(accept: str) -> Format:
    """The format that an Accept value likes best; text for one that names none of them."""
    best, liked = Format.TEXT, 0.0
    for each in accept.split(","):
        kind, *rest = (part.strip().lower() for part in each.split(";"))
        parameters = dict(part.split("=", 1) for part in rest if "=" in part)
        offered = _offered(kind, parameters)
        quality = _quality(parameters.get("q", "1"))
        if offered and quality > liked:
            best, liked = offered, quality
    return best


def _offered(kind: str, parameters: dict[str, str]) -> Format | None:
    match kind:
        case "application/vnd.google.protobuf":
            known = parameters.get("proto") == "io.prometheus.client.metricfamily"
            return Format.PROTOBUF if known and parameters.get("encoding") == "delimited" else None
        case "application/openmetrics-text":
            return Format.OPENMETRICS if parameters.get("version", "1.0.0") == "1.0.0" else None
        case "text/plain":
            return Format.TEXT
        case _:
            return None


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
