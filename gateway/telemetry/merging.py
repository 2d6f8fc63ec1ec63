"""Families of several processes → the families of one gateway.

    a serving process: families ─▶ tell ─▶ bytes ─▶ the main process: hear ─▶ merged ─▶ a scrape

Counters and histograms add up; of a gauge, the catalogue says whether the numbers are summed or the
greatest or the least of them counts (`Metric.merge`). What a process counted that is gone stays in
the sum (`Gone`): a counter doesn't fall.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from gateway.telemetry.catalogue import METRICS
from gateway.telemetry.exposition import Family
from gateway.telemetry.histogram import Histogram
from gateway.telemetry.metric import Kind, Merge

Labels = tuple[str, ...]


class _Told(msgspec.Struct, array_like=True):
    name: str
    series: list[tuple[Labels, float]]
    histograms: list[tuple[Labels, Histogram]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Told]).decode


def tell(families: Iterable[Family]) -> bytes:
    """What `hear` reads."""
    return _encode([_told(each) for each in families])


def _told(family: Family) -> _Told:
    series = [(labels, float(value)) for labels, value in family.series]  # a boolean is a number
    return _Told(family.metric.name, series, list(family.histograms))


def hear(told: bytes) -> list[Family]:
    """Raises msgspec.DecodeError, or KeyError for a metric that isn't in the catalogue."""
    return [Family(METRICS[each.name], each.series, each.histograms) for each in _decode(told)]


@dataclass(slots=True)
class _Sum:
    """One metric's."""

    series: dict[Labels, float] = field(default_factory=dict)
    histograms: dict[Labels, Histogram] = field(default_factory=dict)

    def add(self, family: Family) -> None:
        for labels, value in family.series:
            known = self.series.get(labels)
            self.series[labels] = (
                value if known is None else _together(family.metric.merge, known, value)
            )
        for labels, histogram in family.histograms:
            mine = self.histograms.get(labels)
            if mine is None:  # a copy: what is added to must not be a room's own
                mine = self.histograms[labels] = Histogram()
            mine.add(histogram)


def _together(merge: Merge, one: float, other: float) -> float:
    match merge:
        case Merge.SUM:
            return one + other
        case Merge.MAX:
            return max(one, other)
        case Merge.MIN:
            return min(one, other)


def merged(sources: Iterable[Iterable[Family]]) -> Iterator[Family]:
    """One family of each metric, in the order in which they first come."""
    sums: dict[str, _Sum] = {}
    for families in sources:
        for family in families:
            sums.setdefault(family.metric.name, _Sum()).add(family)
    for name, each in sums.items():
        yield Family(METRICS[name], each.series.items(), each.histograms.items())


class Gone:
    """What processes counted that are no more."""

    def __init__(self) -> None:
        self.families: list[Family] = []

    def add(self, last: Iterable[Family]) -> None:
        """The last that one told. Its gauges end with it."""
        counted = [each for each in last if each.metric.kind is not Kind.GAUGE]
        self.families = [
            Family(each.metric, list(each.series), list(each.histograms))
            for each in merged((self.families, counted))
        ]
