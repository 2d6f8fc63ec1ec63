"""The chart in a real API server: each of its values files, with server-side validation, and every
pod that it would make, under the pod security standard `restricted`."""

import copy
from pathlib import Path

import pytest

from tests.cluster.conftest import CHART, VALUES, pods_of, rendered
from tests.support.cluster import Cluster, Object, Refused


def test_there_are_values_to_try() -> None:
    modes = {line for path in VALUES for line in path.read_text().splitlines() if "mode:" in line}
    assert {"mode: gateway", "mode: sidecar", "mode: injector"} <= modes


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
async def test_the_server_takes_every_object_and_every_pod(cluster: Cluster, values: Path) -> None:
    namespace = await cluster.namespace(f"chart-{values.stem}")
    things = await rendered(cluster, values, "guard", namespace)
    pods = pods_of(things, namespace)
    # The webhooks of an injector that isn't there would refuse the next test's pods.
    webhooks = [each for each in things if each["kind"] == "MutatingWebhookConfiguration"]
    await cluster.apply(
        [each for each in things if each["kind"] != "Pod" and each not in webhooks], namespace
    )
    for webhook in webhooks:
        await cluster.create(webhook, dry_run=True)
    assert pods
    for pod in pods:
        made = await cluster.create(pod)
        names = [each["name"] for each in made["spec"]["containers"]]
        assert names == [each["name"] for each in pod["spec"]["containers"]]


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
async def test_a_privileged_twin_of_each_pod_is_refused(cluster: Cluster, values: Path) -> None:
    namespace = await cluster.namespace(f"twin-{values.stem}")
    things = await rendered(cluster, values, "guard", namespace)
    accounts = [each for each in things if each["kind"] == "ServiceAccount"]
    await cluster.apply(accounts, namespace)
    for pod in pods_of(things, namespace):
        for twin, complaint in (
            (_with_container(pod, privileged=True), "privileged"),
            (_with_container(pod, allowPrivilegeEscalation=None), "allowPrivilegeEscalation"),
            (_with_container(pod, capabilities=None), "unrestricted capabilities"),
            (_on_the_host(pod), "hostPath"),
        ):
            with pytest.raises(Refused, match=complaint) as refused:
                await cluster.create(twin)
            assert refused.value.code in (403, 422)


def _with_container(pod: Object, **context: object) -> Object:
    twin = copy.deepcopy(pod)
    container = twin["spec"]["containers"][0]
    given = {**container.get("securityContext", {}), **context}
    if context.get("privileged"):
        given["allowPrivilegeEscalation"] = True
    container["securityContext"] = {k: v for k, v in given.items() if v is not None}
    return twin


def _on_the_host(pod: Object) -> Object:
    twin = copy.deepcopy(pod)
    twin["spec"].setdefault("volumes", []).append({"name": "host", "hostPath": {"path": "/"}})
    return twin


@pytest.mark.parametrize(
    "values", [path for path in VALUES if "injector" not in path.stem], ids=lambda path: path.stem
)
async def test_helm_installs_upgrades_rolls_back_and_removes_it(
    cluster: Cluster, values: Path
) -> None:
    namespace = await cluster.namespace(f"helm-{values.stem}")
    words = ("guard", str(CHART), "--namespace", namespace, "--values", str(values))
    notes = await cluster.helm("install", *words)
    assert "STATUS: deployed" in notes
    before = await _workload(cluster, namespace)
    await cluster.helm("upgrade", *words, "--set", "podAnnotations.changed=yes")
    after = await _workload(cluster, namespace)
    assert after["spec"]["template"]["metadata"]["annotations"]["changed"] == "yes"
    await cluster.helm("rollback", "guard", "1", "--namespace", namespace)
    rolled_back = await _workload(cluster, namespace)
    assert rolled_back["spec"]["template"] == before["spec"]["template"]
    await cluster.helm("uninstall", "guard", "--namespace", namespace)
    assert await cluster.list("apps/v1", "Deployment", namespace) == []
    assert await cluster.list("apps/v1", "StatefulSet", namespace) == []
    assert await cluster.list("v1", "Service", namespace) == []


async def _workload(cluster: Cluster, namespace: str) -> Object:
    found = [
        *await cluster.list("apps/v1", "Deployment", namespace),
        *await cluster.list("apps/v1", "StatefulSet", namespace),
    ]
    (workload,) = found
    return workload
