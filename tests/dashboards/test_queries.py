"""PromQL, said once."""

import pytest

from dashboards.queries import (
    divided,
    less,
    or_nought,
    per_minute,
    quantile,
    rate,
    recorded,
    share,
    spent,
)
from tests.support.promql import names

CHOSEN = 'job=~"$job",namespace=~"$namespace",instance=~"$instance"'


@pytest.mark.parametrize(
    ("query", "promql"),
    [
        (
            rate("log_syncs_total"),
            f"sum(rate(privacy_gateway_log_syncs_total{{{CHOSEN}}}[$__rate_interval]))",
        ),
        (
            per_minute("exchanges_total", 'code="none"', "endpoint"),
            "60 * sum by (endpoint) (rate(privacy_gateway_exchanges_total{"
            f'{CHOSEN},endpoint=~"$endpoint",code="none"}}[$__rate_interval]))',
        ),
        (
            recorded("endpoint:x:rate5m", 'code="none"'),
            'endpoint:x:rate5m{job=~"$job",namespace=~"$namespace",endpoint=~"$endpoint",'
            'code="none"}',
        ),
        (recorded("job:x:ratio"), 'job:x:ratio{job=~"$job",namespace=~"$namespace"}'),
        (less("a", "b"), "clamp_min((a) - ((b) or vector(0)), 0)"),
        (or_nought("a"), "(a) or vector(0)"),
        (divided("a", "b"), "(a) / on () group_left () (b > 0)"),
    ],
)
def test_a_query_is_the_promql_that_one_expects(query: str, promql: str) -> None:
    assert query == promql


def test_a_quantile_keeps_the_buckets_apart() -> None:
    found = names(quantile(0.95, "step_duration_seconds", "step"))
    assert found.labels == {"step", "le"}
    assert [each.metric for each in found.selectors] == [
        "privacy_gateway_step_duration_seconds_bucket"
    ]


def test_a_share_is_of_the_fullest_gateway_and_leaves_out_limits_that_are_not_set() -> None:
    text = share("spool_bytes", "spool_limit_bytes")
    assert text.startswith("max(max by (job, instance)") and text.endswith("> 0))")


def test_a_budget_follows_the_objective_that_is_recorded() -> None:
    assert "(1 - scalar(privacy_gateway:latency_objective:ratio))" in spent("latency")
