"""What somebody reads who got the values wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from helm import generate_schema
from tests.helm.rendering import CHART, CI, MINIMAL, SIDECAR, Helm, HelmFault

ISSUER = {
    "issuer": "https://id.example.org",
    "audience": "data-export",
    "algorithms": ["RS256"],
    "jwks": "jwks.json",
}
LITTLE = {"pseudonymKey__secret": "k", "config__identity": {"issuers": [ISSUER]}}
SCHEMA = json.loads((CHART / "values.schema.json").read_text())

CASES: dict[str, tuple[Path | None, dict[str, Any], str]] = {
    # --- the schema's
    "an unknown mode": (
        MINIMAL, {"mode": "ambassador"},
        "at '/mode': value must be one of 'sidecar', 'gateway', 'injector'",
    ),
    "a typo at the top": (
        MINIMAL, {"spol": {"size": "1Gi"}}, "at '': additional properties 'spol' not allowed",
    ),
    "a typo below": (
        MINIMAL, {"drain__delay": 5}, "at '/drain': additional properties 'delay' not allowed",
    ),
    "a typo in the gateway's configuration": (
        MINIMAL, {"config__inspecton": {}},
        "at '/config': additional properties 'inspecton' not allowed",
    ),
    "a duration without a unit": (
        MINIMAL, {"config__client": {"idle": 30}}, "'/config/client/idle': got number, want string",
    ),
    "the gateway's unit for a volume": (
        MINIMAL, {"spool__size": "512MiB"}, "at '/spool/size': '512MiB' does not match pattern",
    ),
    "no replicas": (MINIMAL, {"replicas": 0}, "at '/replicas': minimum: got 0, want 1"),
    "a digest that is none": (
        MINIMAL, {"image__digest": "latest"}, "at '/image/digest': 'latest' does not match pattern",
    ),
    # --- between two values
    "no configuration at all": (None, {}, "pseudonymKey.secret is missing"),
    "no secret": (MINIMAL, {"pseudonymKey__secret": ""}, "kubectl create secret generic"),
    "no upstream": (
        None, LITTLE,
        "config.upstream is missing: the URL of the Service that the gateway stands in front of",
    ),
    "nothing guarded": (
        None, LITTLE | {"config__upstream": "http://a"}, "config.endpoints is missing",
    ),
    "a key that is the chart's": (
        MINIMAL, {"config__listen": "0.0.0.0:80"}, "config.listen is set by the chart",
    ),
    "a spool limit beside the volume's": (
        MINIMAL, {"config__spool": {"limit": "8GiB"}}, "config.spool.limit is set by the chart",
    ),
    "two configurations": (
        MINIMAL, {"configFrom__configMap": "other"}, "config (or configFiles) and configFrom",
    ),
    "two places for one configuration": (
        None, {"pseudonymKey__secret": "k", "configFrom": {"configMap": "a", "secret": "b"}},
        "configFrom names a ConfigMap and a Secret",
    ),
    "nobody behind the network policy": (
        MINIMAL, {"networkPolicy__upstream__podLabels": None},
        "networkPolicy.upstream.podLabels is missing",
    ),
    "data for an engine that doesn't read it": (
        MINIMAL, {"policy": {"engine": "opa", "data": {"grounds": {}}}},
        "policy.data is read by the embedded engine only",
    ),
    "shipped policies for OPA": (
        MINIMAL, {"policy__engine": "opa"}, "which OPA doesn't have",
    ),
    "an OPA without a bundle": (
        MINIMAL, {"policy": {"engine": "opa", "bundle": {"from": "server"}}},
        "opa.config.bundles is missing",
    ),
    "OPA's decision logs": (
        MINIMAL,
        {
            "policy": {"engine": "opa", "bundle": {"from": "server"}},
            "opa__config": {"bundles": {"a": {}}, "decision_logs": {"console": True}},
        },
        "opa.config.decision_logs must be left out",
    ),
    "a server without a URL": (
        MINIMAL, {"policy__bundle__from": "server"}, "policy.bundle.url is missing",
    ),
    "files without files": (
        MINIMAL, {"policy__bundle__from": "files"}, "policy.bundle.files is empty",
    ),
    "a ConfigMap without a name": (
        MINIMAL, {"policy__bundle__from": "configMap"},
        "policy.bundle.name and policy.bundle.items are missing: policy.bundle.from is configMap",
    ),
    "an artefact without a reference": (
        MINIMAL, {"policy__bundle__from": "image"}, "policy.bundle.image.reference is missing",
    ),
    "many replicas with one claim": (
        MINIMAL, {"decisionLog__existingClaim": "log"}, "one log has one writer",
    ),
    "a shared claim and autoscaling": (
        MINIMAL,
        {"decisionLog__existingClaim": "log", "replicas": 1, "autoscaling__enabled": True},
        "one log has one writer",
    ),
    "a claim that is not used": (
        MINIMAL,
        {"decisionLog": {"existingClaim": "log", "storage": "ephemeral"}, "replicas": 1},
        "decisionLog.existingClaim is set, and decisionLog.storage is ephemeral",
    ),
    "shipped by nobody": (
        MINIMAL, {"decisionLog__storage": "shipped"}, "decisionLog.shipper is missing",
    ),
    "a shipper that is not wanted": (
        MINIMAL, {"decisionLog": {"storage": "ephemeral", "shipper": {"image": "a"}}},
        "decisionLog.storage is ephemeral: say shipped",
    ),
    "a disk that may not be encrypted": (
        MINIMAL, {"spool__storage": "volume"}, "name a StorageClass that encrypts",
    ),
    "a spool larger than the memory": (
        MINIMAL, {"spool__size": "2Gi"},
        "spool.size (2Gi) is in memory, and must be below resources.limits.memory (1536Mi)",
    ),
    "a pod killed before it has drained": (
        MINIMAL, {"terminationGracePeriodSeconds": 39}, "or exchanges are cut off",
    ),
    "a delay that is the chart's": (
        MINIMAL, {"config__client": {"drain_delay": "9s"}},
        "config.client.drain_delay is set by the chart",
    ),
    "fewer at most than at least": (
        MINIMAL, {"autoscaling": {"enabled": True, "minReplicas": 9, "maxReplicas": 3}},
        "autoscaling.minReplicas is more than autoscaling.maxReplicas",
    ),
    "scaling by nothing": (
        MINIMAL, {"autoscaling": {"enabled": True, "cpuPercent": 0}},
        "autoscaling has nothing to go by",
    ),
    "a sidecar of nothing": (
        SIDECAR, {"app__podSpec__containers": []}, "app.podSpec.containers is missing",
    ),
    "an app on the gateway's port": (
        SIDECAR, {"app__port": 8080}, "app.port 8080 is the gateway's",
    ),
    "an app that opens the gateway's port": (
        SIDECAR,
        {"app__podSpec": {"containers": [{"name": "a", "ports": [{"containerPort": 8080}]}]}},
        "has port 8080, which is the gateway's",
    ),
    "an app that listens on the node": (
        SIDECAR, {"app__podSpec__hostNetwork": True}, "app.podSpec.hostNetwork must be left out",
    ),
    "an app that opens a port of the node": (
        SIDECAR,
        {"app__podSpec": {
            "containers": [{"name": "a", "ports": [{"containerPort": 3000, "hostPort": 3000}]}],
        }},
        "has hostPort 3000",
    ),
    "an app named as the gateway": (
        SIDECAR, {"app__podSpec": {"containers": [{"name": "privacy-gateway"}]}},
        "a container of app.podSpec is named privacy-gateway",
    ),
    "an app for a gateway of its own": (
        MINIMAL, {"app__podSpec": {"containers": [{"name": "a"}]}}, "only mode sidecar",
    ),
    "a workload that nobody has": (
        MINIMAL, {"workload": False}, "workload: false is for mode sidecar",
    ),
    "an injector without a configuration": (
        None,
        {"mode": "injector", "pseudonymKey__secret": "k", "decisionLog__storage": "ephemeral"},
        "mode injector needs configFrom.configMap",
    ),
    "claims for injected pods": (
        None,
        {"mode": "injector", "pseudonymKey__secret": "k", "configFrom__configMap": "c"},
        "decisionLog.storage: claim needs the StatefulSet",
    ),
    "policies where injected pods are not": (
        None,
        {
            "mode": "injector", "pseudonymKey__secret": "k", "configFrom__configMap": "c",
            "decisionLog__storage": "ephemeral", "policy__data": {"grounds": {}},
        },
        "the injected pods don't",
    ),
    "an OPA without its ConfigMap where pods are injected": (
        None,
        {
            "mode": "injector", "pseudonymKey__secret": "k", "configFrom__configMap": "c",
            "decisionLog__storage": "ephemeral",
            "policy": {"engine": "opa", "bundle": {"from": "server"}},
            "opa__config": {"bundles": {"a": {}}},
        },
        "opa.configMap is missing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_fault_says_what_is_wrong_and_where(helm: Helm, case: str) -> None:
    file, values, expected = CASES[case]
    assert expected in helm.fault(*[file] if file else [], **values)


def test_each_sentence_of_the_chart_has_a_case() -> None:
    """So that a new `fail` brings its test."""
    sentences = (CHART / "templates" / "_checks.tpl").read_text().count("{{- fail ")
    own = [case for case, (_, _, text) in CASES.items() if not text.startswith("at '")]
    assert len(own) >= sentences


@pytest.mark.parametrize("key", SCHEMA["properties"])
def test_no_object_of_ours_takes_an_unknown_key(key: str) -> None:
    assert SCHEMA["additionalProperties"] is False

    def look(value: Any, path: str) -> None:
        if isinstance(value, dict):
            if "properties" in value:
                assert "additionalProperties" in value, path
            for name, each in value.items():
                look(each, f"{path}.{name}")

    look(SCHEMA["properties"][key], key)


def test_every_value_is_in_the_schema_and_the_other_way_round() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(SCHEMA["properties"]) - {"global"} == set(values)


def test_the_gateway_s_schema_in_it_is_the_gateway_s() -> None:
    """Run `python helm/generate_schema.py` after a change of any settings."""
    assert generate_schema.PATH.read_text() == generate_schema.generate()


@pytest.mark.parametrize("values", CI, ids=lambda path: path.stem)
def test_a_file_of_ci_has_no_fault(helm: Helm, values: Path) -> None:
    try:
        helm.render(values)
    except HelmFault as fault:
        pytest.fail(str(fault))
