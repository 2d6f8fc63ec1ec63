"""Every name on the screen exists: metrics and labels, recording rules, alerts, runbooks."""

import re
from collections.abc import Iterator

import pytest
from ruamel.yaml import YAML

from dashboards.panels import Panel
from dashboards.queries import METRICS, series
from dashboards.screen import MOMENTS, ROWS, VARIABLES
from dashboards.shapes import ALERTS as PREFIX
from gateway.telemetry.metric import Kind
from tests.conftest import REPOSITORY
from tests.support.promql import names
from tests.support.rules import ALERTS, RECORDING, rules

RUNBOOKS = REPOSITORY / "docs" / "runbooks"
TARGET_LABELS = {"job", "namespace", "instance"}


def every_panel() -> list[Panel]:
    return [panel for row in ROWS for panel in row.panels]


def expressions() -> Iterator[str]:
    for panel in every_panel():
        yield from (query.expr for query in panel.queries)
    yield from (moment.expr for moment in MOMENTS)
    yield from (variable.metric for variable in VARIABLES)


def base(name: str) -> tuple[str, set[str]]:
    """A metric in the catalogue, and the labels that its series have on top."""
    for tail in ("_bucket", "_sum", "_count"):
        stem = name.removesuffix(tail)
        if stem != name and METRICS.get(stem) and METRICS[stem].kind is Kind.HISTOGRAM:
            return stem, {"le"}
    return name, set()


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_every_metric_and_label_exists_in_the_code_or_in_the_rules(expression: str) -> None:
    recorded = {rule.name for rule in rules(RECORDING)}
    known_labels = set(TARGET_LABELS)
    named = names(expression)
    assert named.selectors
    for selector in named.selectors:
        if selector.metric in recorded or selector.metric == "ALERTS":
            known_labels |= {"slo", "endpoint", "alertname", "severity"}
            continue
        stem, more = base(selector.metric)
        assert stem in METRICS, selector.metric
        labels = {label.name: label for label in METRICS[stem].labels}
        known_labels |= {*labels, *more}
        for matcher in selector.matchers:
            assert matcher.label in {*labels, *more, *TARGET_LABELS}, selector
            known = labels.get(matcher.label)
            if known and not known.source and not matcher.value.startswith("$"):
                assert set(matcher.value.split("|")) <= set(known.values), selector
    assert named.labels <= known_labels


def test_a_metric_that_the_gateway_does_not_have_is_an_error() -> None:
    assert series("added_duration_seconds_bucket").endswith('endpoint=~"$endpoint"}')
    assert "endpoint" not in series("spool_bytes")
    with pytest.raises(KeyError, match="privacy_gateway_spools"):
        series("spools")


@pytest.mark.parametrize("panel", every_panel(), ids=lambda panel: panel.title)
def test_every_alert_of_a_panel_exists_and_has_its_runbook(panel: Panel) -> None:
    known = {rule.name for rule in rules(ALERTS)}
    for alert in panel.alerts:
        assert PREFIX + alert in known
        assert (RUNBOOKS / f"{PREFIX}{alert}.md").is_file()


def test_every_alert_that_pages_is_on_a_panel() -> None:
    pages = {rule.name for rule in rules(ALERTS) if rule.labels["severity"] == "page"}
    shown = {PREFIX + alert for panel in every_panel() for alert in panel.alerts}
    assert pages <= shown, "say at which panel one sees it"


def test_nearly_everything_always_has_an_answer() -> None:
    empty = [query for panel in every_panel() for query in panel.queries if query.may_be_empty]
    assert len(empty) <= 4


def test_the_page_explains_every_panel_of_the_four_questions() -> None:
    text = (REPOSITORY / "docs" / "dashboard.md").read_text()
    for row in ROWS:
        if not row.folded:
            assert f"## {row.question}" in text
            assert all(f"| {panel.title} |" in text for panel in row.panels), row.question


def test_the_page_names_files_and_settings_that_exist() -> None:
    text = (REPOSITORY / "docs" / "dashboard.md").read_text()
    values = (REPOSITORY / "helm" / "privacy-gateway" / "values.yaml").read_text()
    for path in re.findall(r"`((?:helm|dashboards|tests|docs)/[\w./-]+)`", text):
        assert (REPOSITORY / path).exists(), path
    monitoring = YAML(typ="safe").load(values)["monitoring"]
    assert monitoring["dashboards"]["labels"] == {"grafana_dashboard": "1"}
    assert "enabled" in monitoring["dashboards"]
