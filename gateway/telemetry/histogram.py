"""Durations, counted once for two kinds of Prometheus histograms: classic and native.

    seconds ─▶ bisect ─▶ a cell, between two neighbouring bounds of either kind ─▶ +1

Every bound of a classic bucket and every bound of a native one (schema 2: four to a power of two)
is a bound of the cells, so that counting costs one search and one addition, and both kinds follow
from the cells when somebody scrapes. What is kept is plain data: two histograms add up.

Source: https://prometheus.io/docs/specs/native_histograms/
"""

import math
import operator
import time
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from operator import itemgetter
from typing import NamedTuple

CLASSIC: tuple[float, ...] = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
CLASSIC += (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the classic buckets, in seconds, without the last one (+Inf)."""

SCHEMA = 2
_FIRST, _LAST = -15 << SCHEMA, 10 << SCHEMA
"""Indexes of the first and the last native bound: 31 microseconds and 17 minutes."""


def _native_bound(index: int) -> float:
    """2 ** (index / 4), exact where it is a power of two."""
    return math.ldexp(2.0 ** ((index % 4) / 4), index >> SCHEMA)


ZERO_THRESHOLD = _native_bound(_FIRST)
"""What takes no longer than this is in the zero bucket."""

_NATIVE = tuple(_native_bound(index) for index in range(_FIRST, _LAST + 1))
_BOUNDS = tuple(sorted({*_NATIVE, *CLASSIC}))
_CELLS = len(_BOUNDS) + 1
_CLASSIC_ENDS = itemgetter(*map(_BOUNDS.index, CLASSIC), len(_BOUNDS))
_NATIVE_ENDS = itemgetter(*map(_BOUNDS.index, _NATIVE), len(_BOUNDS))
"""The last cell of each bucket. What is longer than the last native bound is in one behind it."""


class Exemplar(NamedTuple):
    """One observation whose trace is kept; `at` is in Unix seconds."""

    seconds: float
    trace_id: str
    at: float


@dataclass(frozen=True, slots=True)
class Native:
    """The buckets of a native histogram: how many are in the zero bucket, the index of the first
    one behind it that isn't empty, and the change of the count from bucket to bucket, from 0 on."""

    zero: int
    first: int
    deltas: tuple[int, ...]


@dataclass(slots=True)
class Histogram:
    """How often, how long in all, and the last exemplar of each classic bucket."""

    cells: list[int] = field(default_factory=lambda: [0] * _CELLS)
    sum: float = 0.0
    exemplars: dict[int, Exemplar] = field(default_factory=dict)

    def observe(self, seconds: float) -> None:
        self.cells[bisect_left(_BOUNDS, seconds)] += 1
        self.sum += seconds

    def trace(self, seconds: float, trace_id: str) -> None:
        """Remember the trace of what was observed."""
        bucket = bisect_left(CLASSIC, seconds)
        self.exemplars[bucket] = Exemplar(seconds, trace_id, time.time())

    def add(self, other: "Histogram") -> None:
        """Count what another one counted, too."""
        self.cells = list(map(operator.add, self.cells, other.cells))
        self.sum += other.sum
        for bucket, exemplar in other.exemplars.items():
            mine = self.exemplars.get(bucket)
            if mine is None or mine.at < exemplar.at:
                self.exemplars[bucket] = exemplar

    def classic(self) -> tuple[int, ...]:
        """How many took at most so long, for each bound and for +Inf: the last one is the count."""
        at_most: tuple[int, ...] = _CLASSIC_ENDS(tuple(accumulate(self.cells)))
        return at_most

    def native(self) -> Native:
        """Empty buckets between two that aren't are written out: there are few, and a second list
        of gaps would cost more than they do."""
        return self.both()[1]

    def both(self) -> tuple[tuple[int, ...], Native]:
        """`classic` and `native`."""
        until = tuple(accumulate(self.cells))
        at_most: tuple[int, ...] = _NATIVE_ENDS(until)
        start = bisect_right(at_most, at_most[0])
        end = bisect_left(at_most, at_most[-1]) + 1
        counts = list(map(operator.sub, at_most[start:end], at_most[start - 1 : end - 1]))
        deltas = tuple(map(operator.sub, counts, [0, *counts]))
        return _CLASSIC_ENDS(until), Native(at_most[0], _FIRST + start, deltas)
