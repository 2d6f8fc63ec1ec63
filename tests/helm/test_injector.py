"""The chart's mode `injector`, held against the program that it runs and the page about it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonpatch
import kubernetes_validate
import pytest
import yaml

from gateway.config import load
from gateway.injector import template, wishes
from gateway.injector.admission import decide
from gateway.injector.metrics import METRICS, PREFIX
from gateway.injector.server import PATHS
from gateway.injector.verdicts import Result
from tests.cli.conftest import typed
from tests.conftest import REPOSITORY
from tests.helm.rendering import CI, VERSIONS, Helm, Rendered
from tests.support.pods import answered, pod, review

INJECTORS = [path for path in CI if path.stem.startswith("injector")]
OWN = next(path for path in INJECTORS if path.stem == "injector")
CERT_MANAGER = next(path for path in INJECTORS if path.stem == "injector-cert-manager")
NAME = "shop-privacy-gateway-injector"
CLUSTER = f"{NAME}.shop"
PAGE = (REPOSITORY / "docs" / "injector.md").read_text()
EXAMPLE = list(yaml.safe_load_all((REPOSITORY / "docs/examples/injected.yaml").read_text()))


def sidecar(rendered: Rendered) -> template.Template:
    return template.load(rendered.one("ConfigMap", NAME)["data"]["sidecar.yaml"].encode())


def injected(rendered: Rendered, pod_: Mapping[str, Any]) -> dict[str, Any]:
    verdict = decide(review(pod_), sidecar(rendered), required=False)
    assert verdict.result is Result.INJECTED, answered(verdict.answer).message
    done: dict[str, Any] = jsonpatch.apply_patch(pod_, answered(verdict.answer).patch)
    return done


@pytest.mark.parametrize("file", INJECTORS, ids=lambda file: file.stem)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_pod_with_the_rendered_sidecar_is_one_that_kubernetes_takes(
    helm: Helm, file: Path, version: str
) -> None:
    done = injected(helm.render(file), pod())
    kubernetes_validate.validate(done, version, strict=True)
    assert done["spec"]["initContainers"][-1]["name"] == "privacy-gateway"


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({}, ["decision-log-shipper", "privacy-gateway"]),
        ({"policy__engine": "opa", "policy__bundle__from": "server", "opa__configMap": "o"},
         ["decision-log-shipper", "opa", "privacy-gateway"]),
    ],
)  # fmt: skip
def test_what_the_other_modes_run_beside_the_gateway_is_injected_too(
    helm: Helm, values: dict[str, Any], names: list[str]
) -> None:
    found = sidecar(helm.render(OWN, **values))
    assert [each["name"] for each in found.containers] == names


def test_the_shipper_s_own_volumes_come_with_it(helm: Helm) -> None:
    """Without them the sidecar would be unfit, and no pod would get one."""
    log = {
        "storage": "shipped",
        "shipper": {"image": "v", "volumeMounts": [{"name": "state", "mountPath": "/state"}]},
        "volumes": [{"name": "state", "emptyDir": {}}],
    }
    done = injected(helm.render(OWN, decisionLog=log), pod())
    assert "state" in {each["name"] for each in done["spec"]["volumes"]}


def test_the_time_to_end_follows_from_the_drain(helm: Helm) -> None:
    assert sidecar(helm.render(OWN, drain__graceSeconds=120)).grace > 120


def test_an_injected_gateway_hears_of_the_pod_s_end_when_the_app_does(helm: Helm) -> None:
    done = injected(helm.render(OWN, drain__delaySeconds=7), pod())
    gateway = done["spec"]["initContainers"][-1]
    hook = {"exec": {"command": ["privacy-gateway", "drain"]}}
    assert gateway["lifecycle"] == {"preStop": hook}
    assert {"name": "PRIVACY_GATEWAY_CLIENT__DRAIN_DELAY", "value": "7s"} in gateway["env"]


def test_a_spool_on_a_claim_needs_a_group(helm: Helm) -> None:
    rendered = helm.render(OWN, spool__storage="volume", spool__storageClassName="encrypted")
    assert sidecar(rendered).needs_fs_group
    kubernetes_validate.validate(
        injected(rendered, pod(securityContext={"fsGroup": 1})), VERSIONS[-1], strict=True
    )


@pytest.mark.parametrize("file", INJECTORS, ids=lambda file: file.stem)
def test_the_program_takes_the_arguments_that_it_is_given(helm: Helm, file: Path) -> None:
    name, *options = helm.render(file).container("injector")["args"]
    # One that it can't take, so that it says so and doesn't serve.
    answer = typed(name, *options, "--log-level=none", *_outside(options))
    assert answer.stderr.splitlines() == ["--log-level: expected debug, info, warning or error"]


def _outside(options: list[str]) -> list[str]:
    own = not any(option.startswith("--certificate") for option in options)
    return ["--api=https://127.0.0.1:1"] if own else []


@pytest.mark.parametrize("file", INJECTORS, ids=lambda file: file.stem)
def test_every_webhook_fails_closed_and_leads_to_a_path_that_is_served(
    helm: Helm, file: Path
) -> None:
    rendered = helm.render(file)
    webhooks = rendered.one("MutatingWebhookConfiguration", CLUSTER)["webhooks"]
    assert len(webhooks) == 3
    service = rendered.one("Service", NAME)
    for webhook in webhooks:
        assert webhook["failurePolicy"] == "Fail"
        assert webhook["sideEffects"] == "None"
        assert webhook["reinvocationPolicy"] == "IfNeeded"
        assert webhook["admissionReviewVersions"] == ["v1"]
        assert webhook["timeoutSeconds"] <= 5
        target = webhook["clientConfig"]["service"]
        assert target["path"] in PATHS
        assert target["name"] == service["metadata"]["name"]
        assert target["port"] == service["spec"]["ports"][0]["port"]
        (rule,) = webhook["rules"]
        assert (rule["operations"], rule["resources"]) == (["CREATE"], ["pods"])


def test_labelled_namespaces_are_reviewed_whole_but_neither_the_systems_nor_its_own(
    helm: Helm,
) -> None:
    webhooks = helm.render(OWN).one("MutatingWebhookConfiguration", CLUSTER)["webhooks"]
    by_path = {each["clientConfig"]["service"]["path"]: each for each in webhooks[:2]}
    for path, values in (("/inject", ["enabled"]), ("/inject-required", ["enabled"])):
        expressions = by_path[path]["namespaceSelector"]["matchExpressions"]
        assert "matchConditions" not in by_path[path]
        operator = "In" if path == "/inject" else "NotIn"
        label = {"key": "privacy-gateway.dev/injection", "operator": operator, "values": values}
        assert label in expressions
        never = {"kube-system", "kube-public", "kube-node-lease", "shop"}
        assert never == set(expressions[-1]["values"])
        assert expressions[-1]["operator"] == "NotIn"
    assert {"key": "privacy-gateway.dev/injection", "operator": "Exists"} in expressions


def test_pods_that_ask_are_reviewed_in_every_namespace(helm: Helm) -> None:
    asking = helm.render(OWN).one("MutatingWebhookConfiguration", CLUSTER)["webhooks"][2]
    assert "namespaceSelector" not in asking
    assert "objectSelector" not in asking
    (condition,) = asking["matchConditions"]
    ours = f"startsWith('{wishes.PREFIX}')"
    assert f"annotations.exists(name, name.lowerAscii().{ours})" in condition["expression"]
    assert f"labels.exists(name, name.{ours})" in condition["expression"]


def test_its_rights_are_two_named_objects(helm: Helm) -> None:
    rendered = helm.render(OWN)
    args = rendered.container("injector")["args"]
    (role,) = rendered.one("Role", NAME)["rules"]
    (cluster,) = rendered.one("ClusterRole", CLUSTER)["rules"]
    for rule in (role, cluster):
        assert rule["verbs"] == ["get", "update"]
        assert len(rule["resourceNames"]) == 1
    assert f"--secret=shop/{role['resourceNames'][0]}" in args
    assert f"--webhook={cluster['resourceNames'][0]}" in args
    secret = rendered.one("Secret", role["resourceNames"][0])
    assert "data" not in secret, "an upgrade must not empty it"
    assert f"--name={NAME}.shop.svc" in args


def test_under_cert_manager_it_has_no_rights_and_no_token(helm: Helm) -> None:
    rendered = helm.render(CERT_MANAGER)
    assert not any(rendered.all(kind) for kind in ("Role", "ClusterRole", "Secret"))
    assert rendered.pod["automountServiceAccountToken"] is False
    certificate = rendered.one("Certificate", f"{NAME}-tls")
    assert certificate["spec"]["dnsNames"] == [f"{NAME}.shop.svc"]
    (volume,) = [each for each in rendered.pod["volumes"] if each["name"] == "certificate"]
    (source,) = volume["projected"]["sources"]
    assert source["secret"]["name"] == certificate["spec"]["secretName"]
    webhook = rendered.one("MutatingWebhookConfiguration", CLUSTER)
    inject = webhook["metadata"]["annotations"]["cert-manager.io/inject-ca-from"]
    assert inject == f"shop/{certificate['metadata']['name']}"
    assert len(rendered.all("Issuer")) == 2
    given = helm.render(CERT_MANAGER, injector__issuerRef={"name": "ours", "kind": "ClusterIssuer"})
    assert given.all("Issuer") == []


def test_it_runs_restricted_twice_on_different_nodes(helm: Helm) -> None:
    rendered = helm.render(OWN)
    assert rendered.workload["spec"]["replicas"] == 2
    assert rendered.one("PodDisruptionBudget", NAME)["spec"]["maxUnavailable"] == 1
    assert rendered.pod["securityContext"]["runAsNonRoot"] is True
    security = rendered.container("injector")["securityContext"]
    assert (security["readOnlyRootFilesystem"], security["capabilities"]["drop"]) == (True, ["ALL"])
    assert "podAntiAffinity" in rendered.pod["affinity"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"injector__certificate": "cert-manager"}, "/injector/certificate"),
        ({"injector__lifetime": "90"}, "/injector/lifetime"),
        ({"injector__replicas": 0}, "/injector/replicas"),
        ({"injector__apiPorts": []}, "/injector/apiPorts"),
        ({"injector__certificates": "own"}, "certificates"),
        ({"injector__issuerRef__nam": "x"}, "nam"),
    ],
)
def test_a_value_that_can_not_be_used_is_named(
    helm: Helm, values: dict[str, Any], said: str
) -> None:
    assert said in helm.fault(OWN, **values)


# --- the page -----------------------------------------------------------------------------------


def test_the_example_is_injected_and_its_configuration_is_one(
    helm: Helm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = helm.render(OWN)
    things = {thing["kind"]: thing for thing in EXAMPLE}
    for thing in EXAMPLE:
        kubernetes_validate.validate(thing, VERSIONS[-1], strict=True)
    done = injected(rendered, things["Deployment"]["spec"]["template"])
    (gateway,) = [e for e in done["spec"]["initContainers"] if e["name"] == "privacy-gateway"]
    ports = {each["containerPort"] for each in gateway["ports"]}
    assert things["Service"]["spec"]["ports"][0]["targetPort"] in ports
    selected = things["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
    assert selected.items() <= done["metadata"]["labels"].items()
    key = tmp_path / "pseudonym-key"
    key.touch(0o600)
    key.write_bytes(b"k" * 32)
    (tmp_path / "gateway.yaml").write_text(things["ConfigMap"]["data"]["gateway.yaml"])
    environ = {each["name"]: each["value"] for each in gateway["env"]}
    environ["PRIVACY_GATEWAY_DECISION_LOG__PSEUDONYM_KEY_FILE"] = str(key)
    environ["PRIVACY_GATEWAY_DECISION_LOG__FILE"] = str(tmp_path / "decisions.jsonl")
    environ["PRIVACY_GATEWAY_SPOOL__DIRECTORY"] = str(tmp_path / "spool")
    environ["PRIVACY_GATEWAY_POLICY__DELIVERY__STATE"] = str(tmp_path / "state")
    assert load(tmp_path / "gateway.yaml", environ).upstream.url == "http://127.0.0.1:3000"


def test_the_page_names_every_annotation_result_and_metric_and_no_other() -> None:
    named = set(re.findall(r"`(privacy-gateway\.dev/[a-z-]+)", PAGE))
    known = {wishes.INJECT, wishes.UPSTREAM_PORT, wishes.CONFIG, wishes.INJECTED}
    assert named == {*known, "privacy-gateway.dev/injection"}
    assert {result for result in Result if f"`{result.value}`" not in PAGE} == set()
    named = set(re.findall(rf"`({PREFIX}[a-z_]+)", PAGE))
    assert named == {metric.name for metric in METRICS}
