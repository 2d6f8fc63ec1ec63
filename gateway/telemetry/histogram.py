"""Durations, counted once for two kinds of Prometheus histograms: classic and native.

    seconds ─▶ bisect ─▶ a cell, between two neighbouring bounds of either kind ─▶ +1

Every bound of a classic bucket and every bound of a native one (schema 3: eight to a power of two)
is a bound of the cells, so that counting costs one search and one addition, and both kinds follow
from the cells when somebody scrapes. What is kept is plain data: two histograms add up.

Source: https://prometheus.io/docs/specs/native_histograms/
"""

import math
import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

CLASSIC: tuple[float, ...] = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
CLASSIC += (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the classic buckets, in seconds, without the last one (+Inf)."""

SCHEMA = 3
_FIRST, _LAST = -17 << SCHEMA, 10 << SCHEMA
"""Indexes of the first and the last native bound: 8 microseconds and 17 minutes."""


def _native_bound(index: int) -> float:
    """2 ** (index / 8), exact where it is a power of two."""
    return math.ldexp(2.0 ** ((index % 8) / 8), index >> SCHEMA)


ZERO_THRESHOLD = _native_bound(_FIRST)
"""What takes no longer than this is in the zero bucket."""

_NATIVE = tuple(_native_bound(index) for index in range(_FIRST, _LAST + 1))
_BOUNDS = tuple(sorted({*_NATIVE, *CLASSIC}))
_ENDS = (*_BOUNDS, math.inf)
_CLASSIC_OF = tuple(bisect_left(CLASSIC, end) for end in _ENDS)
"""Cell → the classic bucket that it is a part of."""
_NATIVE_OF = tuple(_FIRST + bisect_left(_NATIVE, end) for end in _ENDS)
"""Cell → the index of its native bucket; what is longer than the last bound is in one behind it."""


class Exemplar(NamedTuple):
    """One observation whose trace is kept; `at` is in Unix seconds."""

    seconds: float
    trace_id: str
    at: float


@dataclass(frozen=True, slots=True)
class Native:
    """The buckets of a native histogram: `spans` are (gap before, length), `deltas` the change of
    the count from bucket to bucket. A first gap counts from index 0."""

    zero: int
    spans: tuple[tuple[int, int], ...]
    deltas: tuple[int, ...]


@dataclass(slots=True)
class Histogram:
    """How often, how long in all, and the last exemplar of each classic bucket."""

    cells: Counter[int] = field(default_factory=Counter)
    sum: float = 0.0
    exemplars: dict[int, Exemplar] = field(default_factory=dict)

    def observe(self, seconds: float, trace_id: str = "") -> None:
        cell = bisect_left(_BOUNDS, seconds)
        self.cells[cell] += 1
        self.sum += seconds
        if trace_id:
            self.exemplars[_CLASSIC_OF[cell]] = Exemplar(seconds, trace_id, time.time())

    def add(self, other: "Histogram") -> None:
        """Count what another one counted, too."""
        self.cells.update(other.cells)
        self.sum += other.sum
        for bucket, exemplar in other.exemplars.items():
            mine = self.exemplars.get(bucket)
            if mine is None or mine.at < exemplar.at:
                self.exemplars[bucket] = exemplar

    def classic(self) -> list[int]:
        """How many took at most so long, for each bound and for +Inf: the last one is the count."""
        buckets = [0] * (len(CLASSIC) + 1)
        for cell, count in self.cells.items():
            buckets[_CLASSIC_OF[cell]] += count
        return list(accumulate(buckets))

    def native(self) -> Native:
        buckets: dict[int, int] = {}
        for cell, count in sorted(self.cells.items()):
            index = _NATIVE_OF[cell]
            buckets[index] = buckets.get(index, 0) + count
        zero = buckets.pop(_FIRST, 0)
        spans: list[list[int]] = []
        deltas: list[int] = []
        end = before = 0
        for index, count in buckets.items():
            if spans and index == end:
                spans[-1][1] += 1
            else:
                spans.append([index - end, 1])
            deltas.append(count - before)
            end, before = index + 1, count
        return Native(zero, tuple((gap, length) for gap, length in spans), tuple(deltas))
