"""Variables in queries, as Grafana puts them there."""

import pytest

from dashboards.interpolation import View


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ('up{job=~"$job"}', 'up{job=~".*"}'),
        ('up{job=~"${job}"}', 'up{job=~".*"}'),
        ("rate(x[$__rate_interval])", "rate(x[60s])"),
        ("increase(x[$__range])", "increase(x[10800s])"),
        ("avg_over_time(x[$__interval])", "avg_over_time(x[30s])"),
        ('x{endpoint=~"$endpoint"}', 'x{endpoint=~"orders"}'),
        ('x{instance=~"$instance"}', 'x{instance=~"(10\\\\.0\\\\.0\\\\.1:8282|b)"}'),
    ],
)
def test_a_variable_becomes_what_was_chosen(text: str, query: str) -> None:
    chosen = {"endpoint": ["orders"], "instance": ["10.0.0.1:8282", "b"]}
    view = View(range=10_800.2, step=30, scrape=15, chosen=chosen)
    assert view.interpolated(text) == query


@pytest.mark.parametrize(
    ("step", "scrape", "interval"), [(15, 15, "60s"), (60, 15, "75s"), (2, 1, "4s"), (5, 1, "6s")]
)
def test_a_rate_always_spans_four_scrapes(step: float, scrape: float, interval: str) -> None:
    view = View(range=600, step=step, scrape=scrape)
    assert view.interpolated("$__rate_interval") == interval


def test_a_variable_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(KeyError, match="cluster"):
        View(range=1, step=1).interpolated('up{cluster="$cluster"}')
