"""Every name on the screen exists: metrics and labels, recording rules, alerts, runbooks."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from gateway.telemetry.catalogue import METRICS, Kind
from ruamel.yaml import YAML

from dashboards.grafana import ALERTS
from dashboards.panels import Panel
from dashboards.screen import MOMENTS, ROWS, VARIABLES
from tests.conftest import REPOSITORY

RULES = REPOSITORY / "helm" / "privacy-gateway" / "files" / "rules"
RUNBOOKS = REPOSITORY / "docs" / "runbooks"
TARGET_LABELS = {"job", "namespace", "instance"}
_NAME = re.compile(r"\b((?:\w+:)?privacy_gateway[\w:]*|process_\w+)\s*(\{[^}]*\})?")
_LABEL = re.compile(r"(\w+)(?:=~|!~|!=|=)\"([^\"]*)\"")


def every_panel() -> list[Panel]:
    return [panel for row in ROWS for panel in row.panels]


def expressions() -> Iterator[str]:
    for panel in every_panel():
        yield from (query.expr for query in panel.queries)
    yield from (moment.expr for moment in MOMENTS)
    yield from (variable.metric for variable in VARIABLES)


def rules() -> list[dict[str, Any]]:
    return [
        rule
        for path in sorted(RULES.glob("*.yaml"))
        for group in YAML(typ="safe").load(path)["groups"]
        for rule in group["rules"]
    ]


def base(name: str) -> tuple[str, set[str]]:
    """A metric in the catalogue, and the labels that its series have on top."""
    for tail in ("_bucket", "_sum", "_count"):
        stem = name.removesuffix(tail)
        if stem != name and METRICS.get(stem) and METRICS[stem].kind is Kind.HISTOGRAM:
            return stem, {"le"}
    return name, set()


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_every_metric_and_label_exists_in_the_code_or_in_the_rules(expression: str) -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    found = _NAME.findall(expression)
    assert found or expression.startswith(("count by", "ALERTS"))
    for name, selector in found:
        matched = dict(_LABEL.findall(selector))
        if ":" in name:
            assert name in recorded, name
            continue
        stem, more = base(name)
        assert stem in METRICS, name
        labels = {label.name: label for label in METRICS[stem].labels}
        assert set(matched) <= set(labels) | more | TARGET_LABELS, name
        for label, value in matched.items():
            known = labels.get(label)
            if known and known.values and not known.source and "$" not in value:
                assert set(value.split("|")) <= set(known.values), f"{name}: {label}={value}"


@pytest.mark.parametrize("panel", every_panel(), ids=lambda panel: panel.title)
def test_every_alert_of_a_panel_exists_and_has_its_runbook(panel: Panel) -> None:
    known = {rule["alert"] for rule in rules() if "alert" in rule}
    for alert in panel.alerts:
        assert ALERTS + alert in known
        assert (RUNBOOKS / f"{ALERTS}{alert}.md").is_file()


def test_every_alert_that_pages_is_on_a_panel() -> None:
    pages = {rule["alert"] for rule in rules() if rule.get("labels", {}).get("severity") == "page"}
    shown = {ALERTS + alert for panel in every_panel() for alert in panel.alerts}
    assert pages <= shown, "say at which panel one sees it"


def test_nearly_everything_always_has_an_answer() -> None:
    empty = [query for panel in every_panel() for query in panel.queries if query.may_be_empty]
    assert len(empty) <= 4
