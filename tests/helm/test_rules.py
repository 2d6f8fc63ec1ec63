"""The rules that ship, as the chart gives them to the operator."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from gateway.telemetry.histogram import CLASSIC
from tests.conftest import missing
from tests.helm.rendering import CHART, MINIMAL, Helm
from tests.support.rules import ALERTS, RECORDING, load

TARGETS = {
    "availability_objective": 0.9995,
    "latency_objective": 0.95,
    "latency_bound": 5,
    "freshness_objective": 0.995,
    "freshness_bound": 3600,
    "misdelivery_floor": 1,
}


def groups(helm: Helm, **values: Any) -> list[dict[str, Any]]:
    rendered = helm.render(MINIMAL, monitoring__rules__enabled=True, **values)
    return [
        group
        for name in ("recording", "alerts")
        for group in rendered.one("PrometheusRule", f"shop-privacy-gateway-{name}")["spec"][
            "groups"
        ]
    ]


def test_without_values_they_are_the_files(helm: Helm) -> None:
    assert groups(helm) == load(RECORDING)["groups"] + load(ALERTS)["groups"]


def test_with_every_target_set_they_are_right_for_prometheus(helm: Helm, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("there is no promtool on PATH")
    found = groups(helm, monitoring__rules__targets=TARGETS)
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": found}))
    subprocess.run([promtool, "check", "rules", tmp_path / "rules.yaml"], check=True)
    recorded = {
        rule["record"].split(":")[1]: rule["expr"]
        for rule in found[0]["rules"]
        if rule["record"].startswith("privacy_gateway:")
    }
    assert {name: float(value) for name, value in recorded.items()} == TARGETS
    (latency,) = [
        rule["expr"]
        for group in found
        for rule in group["rules"]
        if rule.get("record") == "job:privacy_gateway_slo_failures:count5m"
        and rule["labels"]["slo"] == "latency"
    ]
    assert r'le=~"5(\\.0)?"' in latency and "histogram_fraction(0, 5, " in latency
    assert "0.25" not in latency


def test_an_alert_leads_to_its_runbook(helm: Helm) -> None:
    found = groups(helm, monitoring__rules__runbookBase="https://example.org/")
    for group in found:
        for rule in group["rules"]:
            if "alert" in rule:
                url = rule["annotations"]["runbook_url"]
                assert url == f"https://example.org/docs/runbooks/{rule['alert']}.md"


def test_every_bound_that_the_schema_takes_is_a_boundary_of_the_histogram() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    rules = schema["properties"]["monitoring"]["properties"]["rules"]["properties"]
    assert set(rules["targets"]["properties"]["latency_bound"]["enum"]) <= set(CLASSIC)
