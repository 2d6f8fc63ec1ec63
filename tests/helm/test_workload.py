"""The pods: what starts when, what ends when, and what they may do."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helm.rendering import CHART, CI, MINIMAL, SIDECAR, Helm, Rendered

OPA_SIDECAR = CHART / "ci" / "sidecar-opa.yaml"
FULL = CHART / "ci" / "gateway-full.yaml"
DRAIN = ("drain_delay", "drain")
WORKLOADS = [path for path in CI if not path.stem.startswith("injector")]


def names(containers: list[Mapping[str, Any]]) -> list[str]:
    return [each["name"] for each in containers]


# --- order ----------------------------------------------------------------------------------------


def test_the_app_starts_after_the_gateway_and_the_gateway_after_opa(helm: Helm) -> None:
    """Native sidecars start one after another, each when its startup probe has passed, and end in
    the other order: the app first, then the gateway, then OPA and who ships the log."""
    pod = helm.render(OPA_SIDECAR).pod
    assert names(pod["initContainers"]) == [
        "decision-log-shipper", "opa", "privacy-gateway", "migrate",
    ]  # fmt: skip
    assert names(pod["containers"]) == ["orders", "thumbnails"]
    sidecars = pod["initContainers"][:3]
    assert all(each["restartPolicy"] == "Always" for each in sidecars)
    assert all("startupProbe" in each for each in sidecars[1:])
    assert "restartPolicy" not in pod["initContainers"][3]


def test_the_gateway_s_own_pods_have_it_as_an_ordinary_container(helm: Helm) -> None:
    pod = helm.render(FULL).pod
    assert names(pod["containers"]) == ["privacy-gateway"]
    assert names(pod["initContainers"]) == ["decision-log-shipper"]
    assert "restartPolicy" not in pod["containers"][0]


def test_a_dead_policy_engine_restarts_nobody(helm: Helm) -> None:
    container = helm.render(OPA_SIDECAR).container()
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["startupProbe"]["httpGet"]["path"] == "/readyz"
    opa = helm.render(OPA_SIDECAR).container("opa")
    assert opa["livenessProbe"]["httpGet"]["path"] == "/health"
    assert opa["startupProbe"]["httpGet"]["path"] == "/health"


@pytest.mark.parametrize("values", WORKLOADS, ids=lambda path: path.stem)
def test_a_pod_is_not_killed_while_it_drains(helm: Helm, values: Path) -> None:
    rendered = helm.render(values)
    given = {each["name"]: each.get("value") for each in rendered.container().get("env", [])}
    if "PRIVACY_GATEWAY_CLIENT__DRAIN" in given:
        client = {key: given[f"PRIVACY_GATEWAY_CLIENT__{key.upper()}"] for key in DRAIN}
    else:
        client = rendered.config["client"]
    delay, drain = (int(client[key].removesuffix("s")) for key in DRAIN)
    assert delay >= 5 and drain >= 25
    assert rendered.pod["terminationGracePeriodSeconds"] >= delay + drain + 10


def test_the_shortest_time_to_end_that_is_taken_is_enough_for_the_log(helm: Helm) -> None:
    pod = helm.render(MINIMAL, terminationGracePeriodSeconds=40).pod
    assert pod["terminationGracePeriodSeconds"] == 40


def test_beside_an_app_the_gateway_hears_of_the_end_when_the_app_does(helm: Helm) -> None:
    """A native sidecar gets SIGTERM when the app has ended, and its hook is called at once."""
    rendered = helm.render(OPA_SIDECAR, drain__delaySeconds=7)
    hook = {"exec": {"command": ["privacy-gateway", "drain"]}}
    assert rendered.container()["lifecycle"] == {"preStop": hook}
    assert rendered.config["client"]["drain_delay"] == "7s"
    assert rendered.container("thumbnails")["lifecycle"]["preStop"]["sleep"]["seconds"] == 7


def test_in_a_pod_of_its_own_the_gateway_hears_of_the_end_by_its_signal(helm: Helm) -> None:
    """A hook that sleeps would keep the signal from it."""
    rendered = helm.render(FULL)
    assert "lifecycle" not in rendered.container()
    assert rendered.config["client"]["drain_delay"] == "10s"


def test_the_app_serves_on_while_its_pod_is_forgotten(helm: Helm) -> None:
    orders, thumbnails = helm.render(OPA_SIDECAR).pod["containers"]
    assert thumbnails["lifecycle"]["preStop"]["sleep"]["seconds"] == 5
    assert orders["lifecycle"]["preStop"].keys() == {"exec"}, "its own hook, and no second one"


# --- rights ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", CI, ids=lambda path: path.stem)
def test_pods_are_restricted(helm: Helm, values: Path) -> None:
    """Pod Security Standards, `restricted`, control by control."""
    rendered = helm.render(values)
    pods = [each["spec"] for each in rendered.all("Pod")]
    pods += [each["spec"]["template"]["spec"] for each in workloads(rendered)]
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC", "hostUsers"}
        kinds = {
            "configMap",
            "emptyDir",
            "ephemeral",
            "image",
            "persistentVolumeClaim",
            "projected",
            "secret",
        }
        for volume in pod["volumes"]:
            assert (volume.keys() - {"name"}) <= kinds
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, container["name"]
            assert context["capabilities"]["drop"] == ["ALL"], container["name"]


def workloads(rendered: Rendered) -> list[dict[str, Any]]:
    return [*rendered.all("Deployment"), *rendered.all("StatefulSet")]


@pytest.mark.parametrize("values", WORKLOADS, ids=lambda path: path.stem)
def test_the_gateway_writes_to_its_volumes_only_and_has_no_token(helm: Helm, values: Path) -> None:
    rendered = helm.render(values)
    container = rendered.container()
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["runAsUser"] == 65532
    assert rendered.pod["automountServiceAccountToken"] is False
    writable = {each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")}
    assert writable == {"/var/spool/privacy-gateway", "/var/log/privacy-gateway"}
    (keys,) = [each for each in rendered.pod["volumes"] if each["name"] == "gateway-secrets"]
    assert keys["projected"]["defaultMode"] == 0o440, "the gateway refuses a key that others read"


def test_what_an_app_asks_for_itself_is_left_as_it_is(helm: Helm) -> None:
    pod = helm.render(OPA_SIDECAR).pod
    assert pod["serviceAccountName"] == "orders"
    assert pod["securityContext"]["runAsUser"] == 1000
    assert pod["securityContext"]["fsGroup"] == 1000
    assert pod["containers"][0]["volumeMounts"] == [{"name": "cache", "mountPath": "/cache"}]
    assert names(pod["volumes"])[-1] == "cache"


# --- where the decision log lives -----------------------------------------------------------------


def test_every_replica_has_a_claim_of_its_own(helm: Helm) -> None:
    workload = helm.render(MINIMAL).workload
    assert workload["kind"] == "StatefulSet"
    (claim,) = workload["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "gateway-decisions"
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert set(workload["spec"]["persistentVolumeClaimRetentionPolicy"].values()) == {"Retain"}


def test_a_shipped_log_is_read_by_a_container_that_may_not_write_it(helm: Helm) -> None:
    rendered = helm.render(FULL)
    assert rendered.workload["kind"] == "Deployment"
    assert rendered.workload["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    shipper = rendered.container("decision-log-shipper")
    mounts = {each["mountPath"]: each for each in shipper["volumeMounts"]}
    assert mounts["/var/log/privacy-gateway"]["readOnly"] is True
    assert mounts["/etc/vector"]["name"] == "vector"
    assert shipper["securityContext"]["runAsUser"] == 65532, "the log is its owner's alone"


def test_one_log_has_one_writer_at_a_time(helm: Helm) -> None:
    rendered = helm.render(CHART / "ci" / "gateway-existing-config.yaml")
    assert rendered.workload["spec"]["strategy"] == {"type": "Recreate"}
    assert rendered.workload["spec"]["replicas"] == 1


# --- what rolls pods ------------------------------------------------------------------------------


def annotations(rendered: Rendered) -> Mapping[str, str]:
    found: Mapping[str, str] = rendered.workload["spec"]["template"]["metadata"]["annotations"]
    return found


def test_a_changed_configuration_rolls_the_pods(helm: Helm) -> None:
    before = annotations(helm.render(MINIMAL))
    assert before != annotations(helm.render(MINIMAL, config__log_level="debug"))
    assert before != annotations(helm.render(MINIMAL, configFiles={"a.pem": "x"}))
    assert before != annotations(helm.render(MINIMAL, drain__graceSeconds=20))
    assert before == annotations(helm.render(MINIMAL, service__port=8000))


def test_a_changed_policy_rolls_nothing_on_the_embedded_engine(helm: Helm) -> None:
    inline = CHART / "ci" / "gateway-inline-policy.yaml"
    file = "privacy/decision/decision.rego"
    files = yaml.safe_load(inline.read_text())["policy"]["bundle"]["files"]
    other = files | {file: files[file] + "\n# changed\n"}
    assert annotations(helm.render(inline)) == annotations(
        helm.render(inline, policy__bundle__files=other)
    )
    opa = CHART / "ci" / "gateway-opa-files.yaml"
    assert annotations(helm.render(opa)) != annotations(
        helm.render(opa, policy__bundle__files=other)
    ), "OPA reads its files once"


# --- scaling --------------------------------------------------------------------------------------


def test_it_scales_by_cpu_and_by_the_bodies_it_holds(helm: Helm) -> None:
    rendered = helm.render(FULL)
    scaler = rendered.one("HorizontalPodAutoscaler")
    cpu, held = scaler["spec"]["metrics"]
    assert cpu["containerResource"]["container"] == "privacy-gateway"
    assert held["pods"]["metric"]["name"] == "privacy_gateway_in_flight_bytes"
    assert scaler["spec"]["scaleTargetRef"]["kind"] == rendered.workload["kind"]
    assert "replicas" not in rendered.workload["spec"], "two would set it"


def test_every_selector_of_pods_finds_them(helm: Helm) -> None:
    for values in WORKLOADS:
        rendered = helm.render(values)
        labels = rendered.workload["spec"]["template"]["metadata"]["labels"].items()
        selectors = [rendered.workload["spec"]["selector"]["matchLabels"]]
        selectors += [each["spec"]["selector"] for each in rendered.all("Service")]
        for kind in ("PodDisruptionBudget", "PodMonitor"):
            selectors += [each["spec"]["selector"]["matchLabels"] for each in rendered.all(kind)]
        for each in rendered.pod["topologySpreadConstraints"]:
            selectors.append(each["labelSelector"]["matchLabels"])
        assert all(selector.items() <= labels for selector in selectors), values
        for monitor in rendered.all("ServiceMonitor"):
            wanted = monitor["spec"]["selector"]["matchLabels"].items()
            found = [
                each
                for each in rendered.all("Service")
                if wanted <= each["metadata"]["labels"].items()
            ]
            assert [each["metadata"]["name"] for each in found] == ["shop-privacy-gateway-pods"]


# --- as a dependency ------------------------------------------------------------------------------

PARENT = """
{{- $gateway := index .Subcharts "privacy-gateway" }}
{{- $sidecar := dict "root" $gateway "sidecar" true }}
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders}
spec:
  selector: {matchLabels: {app: orders}}
  template:
    metadata:
      labels:
        app: orders
        {{- include "privacy-gateway.podLabels" $gateway | nindent 8 }}
    spec:
      initContainers:
        - {{- include "privacy-gateway.container" $sidecar | nindent 10 }}
      containers:
        - {name: orders, image: orders}
      volumes:
        {{- include "privacy-gateway.volumes" $gateway | nindent 8 }}
"""


def test_another_chart_can_have_the_container_in_its_own_workload(
    helm: Helm, tmp_path: Path
) -> None:
    parent = tmp_path / "orders"
    (parent / "templates").mkdir(parents=True)
    (parent / "Chart.yaml").write_text("{apiVersion: v2, name: orders, version: 1.0.0}")
    (parent / "templates" / "deployment.yaml").write_text(PARENT)
    shutil.copytree(CHART, parent / "charts" / "privacy-gateway")
    values = yaml.safe_load(SIDECAR.read_text())
    del values["app"]["podSpec"]
    (parent / "values.yaml").write_text(
        yaml.safe_dump({"privacy-gateway": values | {"workload": False}})
    )
    rendered = helm.render(chart=parent)
    assert [each["metadata"]["name"] for each in workloads(rendered)] == ["orders"]
    assert rendered.container()["restartPolicy"] == "Always"
    mounted = {each["name"] for each in rendered.container()["volumeMounts"]}
    assert mounted <= set(names(rendered.pod["volumes"]))
    service = rendered.one("Service")
    labels = rendered.workload["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
