"""The chart in a real API server: each of its values files, with server-side validation, and every
pod that it would make, under the pod security standard `restricted`."""

import copy
from pathlib import Path

import pytest

from tests.cluster.conftest import CHART, VALUES, pods_of, rendered
from tests.support.cluster import Cluster, Object, Refused


def test_there_are_values_to_try() -> None:
    assert {path.stem.split("-")[0] for path in VALUES} == {"gateway", "sidecar", "injector"}


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
async def test_the_server_takes_every_object_and_every_pod(cluster: Cluster, values: Path) -> None:
    namespace = await cluster.namespace(f"chart-{values.stem}")
    things = await rendered(cluster, values, "chart", namespace)
    pods = pods_of(things, namespace)
    await _surroundings(cluster, things, namespace)
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
    things = await rendered(cluster, values, "twin", namespace)
    await _surroundings(cluster, things, namespace)
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


async def _surroundings(cluster: Cluster, things: list[Object], namespace: str) -> None:
    """What the values take for granted: other namespaces, and an app's own service account."""
    named = {each["metadata"].get("namespace", namespace) for each in things}
    spaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in named - {namespace}
    ]
    made = {each["metadata"]["name"] for each in things if each["kind"] == "ServiceAccount"}
    asked = {pod["spec"].get("serviceAccountName") for pod in pods_of(things, namespace)}
    accounts = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        for name in asked - made - {None, "default"}
    ]
    await cluster.apply([*spaces, *accounts], namespace)


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
    await _surroundings(cluster, await rendered(cluster, values, "guard", namespace), namespace)
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
