"""The protobuf format, read by the protobuf library with Prometheus's own schema."""

import math
from typing import Any

import pytest
from google.protobuf.internal import decoder
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.exposition import Family
from gateway.telemetry.histogram import CLASSIC, SCHEMA, ZERO_THRESHOLD, Histogram
from gateway.telemetry.metric import Kind, Label, Metric
from gateway.telemetry.protobuf import Protobuf, varint, zigzag
from tests.support import client_model

PLACE, KIND = Label("place", (), "places"), Label("kind", ("a", "b"))
COUNTER = Metric("things_total", Kind.COUNTER, (PLACE, KIND), "Things.", "Count them.")
GAUGE = Metric("level", Kind.GAUGE, (), "How high.")
HISTOGRAM = Metric("wait_seconds", Kind.HISTOGRAM, (PLACE,), "Waiting.")
ODD = 'a "quoted\\ line\nand ünicode' + "x" * 200


def labels(metric: Any) -> list[tuple[str, str]]:
    return [(pair.name, pair.value) for pair in metric.label]


def test_counters_and_gauges_are_read_back() -> None:
    protobuf = Protobuf()
    for round_ in range(2):  # what is kept for the next time is right the next time
        families = [
            Family(COUNTER, [((ODD, "a"), 3 + round_), (("there", "b"), 2.5)]),
            Family(GAUGE, [((), math.inf)]),
            Family(COUNTER, []),
        ]
        things, level = client_model.read(protobuf.render(families))
        assert (things.name, things.help) == ("things_total", "Things. Count them.")
        assert (things.type, level.type) == (0, 1)
        assert [(labels(each), each.counter.value) for each in things.metric] == [
            ([("kind", "a"), ("place", ODD)], 3.0 + round_),
            ([("kind", "b"), ("place", "there")], 2.5),
        ]
        assert level.metric[0].gauge.value == math.inf


@given(st.lists(st.floats(0, 2_000), min_size=1, max_size=60))
def test_a_histogram_is_read_back_in_both_kinds(seconds: list[float]) -> None:
    histogram = Histogram()
    for each in seconds:
        histogram.observe(each)
    family = Family(HISTOGRAM, histograms=[(("there",), histogram)])
    (read,) = client_model.read(Protobuf().render([family]))
    (metric,) = read.metric
    found = metric.histogram
    assert (read.type, labels(metric)) == (4, [("place", "there")])
    assert (found.sample_count, found.sample_sum) == (len(seconds), histogram.sum)
    assert [each.upper_bound for each in found.bucket] == [*CLASSIC, math.inf]
    assert [each.cumulative_count for each in found.bucket] == [*histogram.classic()]
    native = histogram.native()
    assert (found.schema, found.zero_threshold) == (SCHEMA, ZERO_THRESHOLD)
    assert found.zero_count == native.zero
    spans = [(each.offset, each.length) for each in found.positive_span]
    assert spans == ([(native.first, len(native.deltas))] if native.deltas else [])
    assert [*found.positive_delta] == [*native.deltas]


@given(st.lists(st.integers(0, 2**40), min_size=len(Histogram().cells), max_size=200))
def test_a_histogram_of_any_size_is_read_back(cells: list[int]) -> None:
    histogram = Histogram(cells[: len(Histogram().cells)], sum=1e300)
    (read,) = client_model.read(
        Protobuf().render([Family(HISTOGRAM, histograms=[(("there",), histogram)])])
    )
    found = read.metric[0].histogram
    assert found.sample_count == sum(histogram.cells)
    assert [each.cumulative_count for each in found.bucket] == [*histogram.classic()]
    assert [*found.positive_delta] == [*histogram.native().deltas]


def test_a_histogram_that_nothing_was_counted_in_is_read_back() -> None:
    family = Family(HISTOGRAM, histograms=[(("there",), Histogram())])
    (read,) = client_model.read(Protobuf().render([family]))
    found = read.metric[0].histogram
    assert (found.sample_count, found.sample_sum, found.zero_count) == (0, 0.0, 0)
    assert not found.positive_delta
    assert not any(each.cumulative_count for each in found.bucket)
    assert found.zero_threshold == ZERO_THRESHOLD  # without a span, this makes it a native one


@pytest.mark.parametrize("value", [-0.0, 1e308, 5e-324, 2**53 + 1, -math.inf, True])
def test_a_number_of_any_size_is_read_back(value: float) -> None:
    (read,) = client_model.read(Protobuf().render([Family(GAUGE, [((), value)])]))
    found = read.metric[0].gauge.value
    assert (found, math.copysign(1, found)) == (float(value), math.copysign(1, value))


def test_an_exemplar_has_its_trace_its_value_and_its_time() -> None:
    histogram = Histogram()
    histogram.observe(0.003)
    histogram.trace(0.003, "ab" * 16)
    family = Family(HISTOGRAM, histograms=[(("there",), histogram)])
    (read,) = client_model.read(Protobuf().render([family]))
    with_one = [each for each in read.metric[0].histogram.bucket if each.HasField("exemplar")]
    assert [each.upper_bound for each in with_one] == [0.005]
    exemplar = with_one[0].exemplar
    assert labels(exemplar) == [("trace_id", "ab" * 16)]
    assert exemplar.value == 0.003
    (kept,) = histogram.exemplars.values()
    at = exemplar.timestamp.seconds + exemplar.timestamp.nanos / 1e9
    assert math.isclose(at, kept.at, abs_tol=2e-3)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 16_383, 16_384, 2**32, 2**63 - 1])
def test_integers_are_written_as_protobuf_writes_them(value: int) -> None:
    assert decoder._DecodeVarint(varint(value), 0) == (value, len(varint(value)))
    for signed in (value, -value):
        number, _ = decoder._DecodeVarint(zigzag(signed), 0)
        assert (number >> 1) ^ -(number & 1) == signed
