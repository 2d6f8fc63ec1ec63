"""Every metric has a proper name, closed labels, and words."""

import importlib.util
import re

import pytest

from gateway.telemetry.catalogue import CHECKS, METRICS, PREFIX
from gateway.telemetry.metric import Kind, Metric
from tests.conftest import REPOSITORY

DOCS = REPOSITORY / "docs"


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_metric_is_named_by_the_conventions_and_says_what_it_means(metric: Metric) -> None:
    assert metric.name.startswith((PREFIX, "process_"))
    assert re.fullmatch(r"[a-z][a-z_]+", metric.name)
    assert metric.name.endswith("_total") is (metric.kind is Kind.COUNTER)
    if metric.kind is Kind.HISTOGRAM:
        assert metric.name.endswith("_seconds")
    assert not re.search(r"_(milliseconds|ms|kb|mb|count|sum|bucket)$", metric.name)
    for text in filter(None, (metric.means, metric.do)):
        assert text.endswith(".") and not {*text} & {*'\\\n"'}  # nothing to escape


SOURCES = {"", "endpoints", "issuers", "versions", "active bundles", "outside formats"}


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_every_label_has_a_closed_set_of_values_or_a_source_in_the_configuration(
    metric: Metric,
) -> None:
    names = [label.name for label in metric.labels]
    assert len({*names}) == len(names) and "le" not in names
    for label in metric.labels:
        assert label.values or label.source
        assert len({*label.values}) == len(label.values)
        assert label.source in SOURCES


def test_what_must_page_says_so() -> None:
    for name in ("uninspected_bytes_total", "self_proofs_total", "log_failed", "exchanges_total"):
        assert "page" in METRICS[PREFIX + name].do


def test_every_runbook_that_is_named_is_there() -> None:
    named = {name for each in METRICS.values() for name in re.findall(r"Runbook (\w+)", each.do)}
    assert len(named) > 15
    assert {name for name in named if not (DOCS / "runbooks" / f"{name}.md").is_file()} == set()


def test_the_page_is_what_the_catalogue_says() -> None:
    script = DOCS / "generate_metrics.py"
    spec = importlib.util.spec_from_file_location("generate_metrics", script)
    assert spec and spec.loader
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    written = (DOCS / "metrics.md").read_text()
    assert written == generator.page(), "run: python docs/generate_metrics.py"


def test_the_checks_are_those_of_readyz() -> None:
    assert len({*CHECKS}) == len(CHECKS) == 7
