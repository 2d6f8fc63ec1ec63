"""The text formats, read back by the library that reads them."""

import math
from collections.abc import Callable, Iterable

import pytest
from prometheus_client import Metric as Read
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_text

from gateway.telemetry.exposition import Family
from gateway.telemetry.histogram import Histogram
from gateway.telemetry.metric import Kind, Label, Metric
from gateway.telemetry.text import Text

PLACE, KIND = Label("place", (), "places"), Label("kind", ("a", "b"))
COUNTER = Metric("things_total", Kind.COUNTER, (PLACE, KIND), "Things.", "Count them.")
GAUGE = Metric("level", Kind.GAUGE, (), "How high.")
HISTOGRAM = Metric("wait_seconds", Kind.HISTOGRAM, (PLACE,), "Waiting.")
ODD = 'a "quoted\\ line\nand 100 %d'

Parse = Callable[[str], Iterable[Read]]
FORMATS = pytest.mark.parametrize(
    ("text", "parse"), [(Text(), read_text), (Text(openmetrics=True), read_openmetrics)]
)


@FORMATS
def test_what_is_written_is_read_back(text: Text, parse: Parse) -> None:
    histogram = Histogram()
    histogram.observe(0.003)
    histogram.observe(90.0)
    families = [
        Family(COUNTER, [((ODD, "a"), 3), (("there", "b"), 2.5)]),
        Family(GAUGE, [((), 1e-3)]),
        Family(HISTOGRAM, histograms=[((ODD,), histogram)]),
    ]
    for _ in range(2):  # what is kept for the next time is right the next time
        read = {family.name: family for family in parse(text.render(families).decode())}
        things, level, wait = read["things"], read["level"], read["wait_seconds"]
        assert (things.type, things.documentation) == ("counter", "Things. Count them.")
        assert [(each.labels, each.value) for each in things.samples] == [
            ({"place": ODD, "kind": "a"}, 3.0),
            ({"place": "there", "kind": "b"}, 2.5),
        ]
        assert level.samples[0].value == 1e-3
        samples = {(each.name, each.labels.get("le")): each for each in wait.samples}
        assert samples["wait_seconds_count", None].value == 2
        assert samples["wait_seconds_sum", None].value == 90.003
        assert samples["wait_seconds_bucket", "0.0025"].value == 0
        assert samples["wait_seconds_bucket", "0.005"].value == 1
        assert samples["wait_seconds_bucket", "+Inf"].value == 2
        assert all(each.labels["place"] == ODD for each in wait.samples)


@FORMATS
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, True, 0, 2**53])
def test_any_number_can_be_written(text: Text, parse: Parse, value: float) -> None:
    (family,) = parse(text.render([Family(GAUGE, [((), value)])]).decode())
    read = family.samples[0].value
    assert read == value or (math.isnan(value) and math.isnan(read))


def test_an_exemplar_stands_in_openmetrics_only() -> None:
    histogram = Histogram()
    histogram.observe(0.003)
    histogram.trace(0.003, "ab" * 16)
    family = Family(HISTOGRAM, histograms=[(("there",), histogram)])
    assert "ab" * 16 not in Text().render([family]).decode()
    (read,) = read_openmetrics(Text(openmetrics=True).render([family]).decode())
    found = {each.labels["le"]: each.exemplar for each in read.samples if each.exemplar}
    assert [*found] == ["0.005"]
    assert found["0.005"].labels == {"trace_id": "ab" * 16}
    assert found["0.005"].value == 0.003 and found["0.005"].timestamp


def test_the_lines_of_a_gauge_that_changed_its_labels_are_not_kept() -> None:
    text = Text()
    info = Metric("policy_info", Kind.GAUGE, (Label("revision", (), "active bundles"),), "Which.")
    for revision in map(str, range(1_000)):
        assert f'revision="{revision}"' in text.render([Family(info, [((revision,), 1)])]).decode()
    assert not any(text._begun.values())
