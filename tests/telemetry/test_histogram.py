"""One count, two kinds of histograms."""

import math
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.histogram import CLASSIC, SCHEMA, ZERO_THRESHOLD, Histogram, Native

SECONDS = st.floats(0, 5_000, allow_nan=False)
TOP = 1024.0


def of(*seconds: float) -> Histogram:
    histogram = Histogram()
    for each in seconds:
        histogram.observe(each)
    return histogram


def native(histogram: Histogram) -> dict[int, int]:
    """Index → count, read as Prometheus reads spans and deltas."""
    shown = histogram.native()
    counts = enumerate(accumulate(shown.deltas), shown.first)
    return {index: count for index, count in counts if count}


def test_a_duration_is_in_the_bucket_whose_bound_it_does_not_pass() -> None:
    histogram = of(0.001, 0.0011, 99.0)
    at_most = dict(zip((*CLASSIC, math.inf), histogram.classic(), strict=True))
    assert (at_most[0.0005], at_most[0.001], at_most[0.0025]) == (0, 1, 2)
    assert (at_most[60.0], at_most[math.inf]) == (2, 3)
    assert histogram.sum == 0.001 + 0.0011 + 99.0


def test_a_native_bound_belongs_to_the_bucket_below_it() -> None:
    """2^0 is the upper bound of index 0, so that 1.0 is in it and the next float isn't."""
    assert native(of(1.0, math.nextafter(1.0, 2.0), 0.5)) == {0: 1, 1: 1, -4: 1}


def test_what_takes_no_time_is_in_the_zero_bucket() -> None:
    assert of(0.0, ZERO_THRESHOLD, 2 * ZERO_THRESHOLD).native() == Native(2, -56, (1,))
    assert Histogram().native().deltas == ()


@given(st.lists(SECONDS, max_size=50))
def test_both_kinds_count_every_duration_where_it_belongs(seconds: list[float]) -> None:
    histogram = of(*seconds)
    for bound, count in zip((*CLASSIC, math.inf), histogram.classic(), strict=True):
        assert count == sum(each <= bound for each in seconds)
    found = native(histogram)
    for index, count in found.items():
        low, high = 2.0 ** ((index - 1) / 2**SCHEMA), 2.0 ** (index / 2**SCHEMA)
        inside = [each for each in seconds if low < each <= high and each <= TOP]
        beyond = [each for each in seconds if each > TOP] if low >= TOP else []
        assert count == len(inside) + len(beyond)
    assert histogram.native().zero + sum(found.values()) == len(seconds)


@given(st.lists(SECONDS, max_size=200))
def test_the_native_buckets_are_bounded_whatever_comes(seconds: list[float]) -> None:
    assert len(of(*seconds).native().deltas) <= 25 * 2**SCHEMA + 1


@given(st.lists(SECONDS, max_size=20), st.lists(SECONDS, max_size=20))
def test_two_histograms_add_up(some: list[float], others: list[float]) -> None:
    summed, whole = of(*some), of(*some, *others)
    summed.add(of(*others))
    assert summed.cells == whole.cells
    assert math.isclose(summed.sum, whole.sum)


def test_the_last_trace_of_each_bucket_is_kept_and_the_newer_one_of_two() -> None:
    histogram, other = of(0.002), Histogram()
    histogram.observe(0.002)
    histogram.trace(0.002, "a" * 32)
    histogram.observe(0.0015)
    histogram.trace(0.0015, "b" * 32)
    histogram.observe(0.2)
    histogram.trace(0.2, "c" * 32)
    other.observe(0.0016)
    other.trace(0.0016, "d" * 32)
    histogram.add(other)
    other.add(histogram)
    for each in (histogram, other):
        assert [found.trace_id[0] for _, found in sorted(each.exemplars.items())] == ["d", "c"]
    assert of(0.002).exemplars == {}
