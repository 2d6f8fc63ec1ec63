"""What Prometheus and Grafana are given."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helm.rendering import CHART, MINIMAL, Helm

RULES = {
    "groups": [
        {
            "name": "targets",
            "rules": [
                {"record": "privacy_gateway:availability_objective:ratio", "expr": "0.999"},
                {"record": "privacy_gateway:latency_bound:seconds", "expr": "0.25"},
            ],
        },
        {
            "name": "others",
            "rules": [
                {
                    "record": "job:privacy_gateway_slo_failures:count5m",
                    "labels": {"slo": "latency"},
                    "expr": 'sum(privacy_gateway_added_duration_seconds_bucket{le="0.25"})',
                },
                {
                    "record": "job:privacy_gateway_slo_failures:count5m",
                    "labels": {"slo": "availability"},
                    "expr": "vector(0.25)",
                },
                {
                    "alert": "PrivacyGatewayTried",
                    "expr": "vector(1)",
                    "labels": {"severity": "page"},
                    "annotations": {
                        "summary": "{{ $labels.endpoint }}",
                        "runbook_url": "docs/runbooks/PrivacyGatewayTried.md",
                    },
                },
            ],
        },
    ]
}


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart with one small rule file and one small dashboard, and no others."""
    copy = tmp_path_factory.mktemp("chart") / "privacy-gateway"
    shutil.copytree(CHART, copy)
    for folder in ("rules", "dashboards"):
        shutil.rmtree(copy / "files" / folder, ignore_errors=True)
        (copy / "files" / folder).mkdir()
    (copy / "files" / "rules" / "tried.yaml").write_text(yaml.safe_dump(RULES))
    (copy / "files" / "dashboards" / "tried.json").write_text('{"title": "{{ not a template }}"}')
    return copy


def rules(helm: Helm, chart: Path, **values: Any) -> list[dict[str, Any]]:
    rendered = helm.render(MINIMAL, chart=chart, monitoring__rules__enabled=True, **values)
    rule = rendered.one("PrometheusRule", "shop-privacy-gateway-tried")
    return [each for group in rule["spec"]["groups"] for each in group["rules"]]


def test_rules_come_as_they_are(helm: Helm, chart: Path) -> None:
    found = rules(helm, chart)
    assert found == [each for group in RULES["groups"] for each in group["rules"]]


def test_targets_are_set_by_the_values(helm: Helm, chart: Path) -> None:
    objective, bound, latency, availability, _ = rules(
        helm, chart,
        monitoring__rules__targets={"availability_objective": 0.9995, "latency_bound": 0.1},
    )  # fmt: skip
    assert objective["expr"] == "0.9995"
    assert bound["expr"] == "0.1"
    assert 'le="0.1"' in latency["expr"]
    assert availability["expr"] == "vector(0.25)", "only the latency has the bound in it"


def test_alerts_find_their_way_to_people(helm: Helm, chart: Path) -> None:
    alert = rules(
        helm, chart, monitoring__rules__alertLabels={"team": "privacy"},
        monitoring__rules__runbookBase="https://wiki.example.org/",
    )[-1]  # fmt: skip
    assert alert["labels"] == {"severity": "page", "team": "privacy"}
    base = "https://wiki.example.org/docs/runbooks/"
    assert alert["annotations"]["runbook_url"] == base + "PrivacyGatewayTried.md"
    assert alert["annotations"]["summary"] == "{{ $labels.endpoint }}"


def test_dashboards_come_as_they_are_under_grafana_s_label(helm: Helm, chart: Path) -> None:
    rendered = helm.render(MINIMAL, chart=chart, monitoring__dashboards__enabled=True)
    dashboard = rendered.one("ConfigMap", "shop-privacy-gateway-dashboard-tried")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(dashboard["data"]["tried.json"]) == {"title": "{{ not a template }}"}


@pytest.mark.parametrize("kind", ["serviceMonitor", "podMonitor"])
def test_our_label_endpoint_is_kept(helm: Helm, kind: str) -> None:
    """The operator gives each target a label `endpoint`, which would rename the metrics' own."""
    values = {f"monitoring__{kind}__enabled": True}
    rendered = helm.render(MINIMAL, monitoring__nativeHistograms=True, **values)
    monitor = rendered.one(kind[0].upper() + kind[1:])["spec"]
    (endpoint,) = monitor.get("endpoints") or monitor["podMetricsEndpoints"]
    assert endpoint["honorLabels"] is True
    assert (endpoint["port"], endpoint["path"]) == ("admin", "/metrics")
    assert monitor["scrapeProtocols"][0] == "PrometheusProto"
    assert monitor["scrapeNativeHistograms"] and monitor["scrapeClassicHistograms"]


def test_injected_gateways_are_found_in_all_namespaces_and_stay_apart(helm: Helm) -> None:
    monitor = helm.render(CHART / "ci" / "injector-opa.yaml").one("PodMonitor")["spec"]
    assert monitor["namespaceSelector"] == {"any": True}
    assert monitor["selector"]["matchLabels"] == {"privacy-gateway.dev/injected": "true"}
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert endpoint["relabelings"][0]["targetLabel"] == "job"


def test_nothing_is_asked_of_an_operator_that_may_not_be_there(helm: Helm) -> None:
    kinds = {each["apiVersion"] for each in helm.render(MINIMAL).manifests}
    assert not [kind for kind in kinds if "monitoring.coreos.com" in kind]
