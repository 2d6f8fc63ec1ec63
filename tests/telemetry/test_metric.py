"""What a metric is."""

from gateway.telemetry.histogram import CLASSIC
from gateway.telemetry.metric import Kind, Label, Metric

ENDPOINT, STAGE = Label("endpoint", ("none",), "endpoints"), Label("stage", ("load", "proof"))


def test_the_help_says_what_it_means_and_what_to_do() -> None:
    assert Metric("x_total", Kind.COUNTER, (), "Things.", "Page.").help == "Things. Page."
    assert Metric("x", Kind.GAUGE, (), "Things.").help == "Things."


def test_the_most_lines_follow_from_the_closed_sets_and_the_configuration() -> None:
    counter = Metric("x_total", Kind.COUNTER, (ENDPOINT, STAGE), "Things.")
    assert counter.most({"endpoints": 4}) == 5 * 2
    histogram = Metric("x_seconds", Kind.HISTOGRAM, (STAGE,), "Things.")
    assert histogram.most({}) == 2 * (len(CLASSIC) + 3)
    assert Metric("x", Kind.GAUGE, (), "Things.").most({}) == 1
