"""The injector where it works: a real API server calls it, over TLS, for the pods that it makes."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.cluster.conftest import LABEL, SYSTEM, WEBHOOK, WEBHOOKS
from tests.support.cluster import Cluster, Object, Refused
from tests.support.injector import RunningInjector, asking, pod, running_injector


@dataclass(frozen=True)
class Installed:
    """The chart in mode `injector`, and one replica of it."""

    cluster: Cluster
    things: list[Object]
    injector: RunningInjector


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def installed(
    cluster: Cluster, chart: list[Object], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installed]:
    folder = tmp_path_factory.mktemp("injector") / "first"
    async with running_injector(cluster, chart, folder) as injector:
        yield Installed(cluster, chart, injector)


def settled(thing: Object) -> Object:
    """A pod without what differs from one to the next."""
    metadata = thing["metadata"]
    kept = {key: metadata.get(key) for key in ("labels", "annotations")}
    volumes = [
        each for each in thing["spec"].get("volumes", ()) if "kube-api-access" not in each["name"]
    ]
    containers = [{**each, "volumeMounts": None} for each in thing["spec"]["containers"]]
    return {**kept, **thing["spec"], "volumes": volumes, "containers": containers}


# --- what comes back ----------------------------------------------------------------------------


async def test_a_pod_that_asks_comes_back_with_the_gateway_as_the_chart_has_it(
    installed: Installed,
) -> None:
    cluster = installed.cluster
    namespace = await cluster.namespace("asking")
    made = await cluster.create(asking(pod(namespace)))
    assert made["metadata"]["labels"]["privacy-gateway.dev/injected"] == "true"
    spec = made["spec"]
    assert [each["name"] for each in spec["containers"]] == ["app"]
    gateway = next(each for each in spec["initContainers"] if each["name"] == "privacy-gateway")
    # A native sidecar: started and ready before the app, ended after it.
    assert gateway["restartPolicy"] == "Always"
    assert gateway["startupProbe"]["httpGet"] == {
        "path": "/readyz", "port": "admin", "scheme": "HTTP"
    }  # fmt: skip
    assert gateway["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert gateway["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert gateway["lifecycle"]["preStop"]["exec"]["command"] == ["privacy-gateway", "drain"]
    assert {each["name"]: each["containerPort"] for each in gateway["ports"]} == {
        "http": 8080, "admin": 8282
    }  # fmt: skip
    assert gateway["securityContext"]["readOnlyRootFilesystem"] is True
    assert gateway["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"http://127.0.0.1:3000"} <= {each.get("value") for each in gateway["env"]}
    volumes = {each["name"] for each in spec["volumes"]}
    mounts = {each["mountPath"]: each["name"] for each in gateway["volumeMounts"]}
    assert set(mounts) >= {
        "/etc/privacy-gateway", "/run/secrets/privacy-gateway", "/var/spool/privacy-gateway",
        "/var/log/privacy-gateway",
    }  # fmt: skip
    assert set(mounts.values()) <= volumes
    assert await cluster.get("v1", "Pod", "app", namespace) == made


async def test_every_container_of_the_template_is_in_the_pod_in_its_order(
    installed: Installed,
) -> None:
    config = next(
        each for each in installed.things
        if each["kind"] == "ConfigMap" and "sidecar.yaml" in each["data"]
    )  # fmt: skip
    namespace = await installed.cluster.namespace("order")
    own = {**pod(namespace)["spec"]["containers"][0], "name": "prepare", "ports": []}
    made = await installed.cluster.create(asking(pod(namespace, initContainers=[own])))
    names = [each["name"] for each in made["spec"]["initContainers"]]
    assert names[-1] == "prepare"
    assert names.index("privacy-gateway") == len(names) - 2
    assert all(f"name: {name}\n" in config["data"]["sidecar.yaml"] for name in names[:-1])


async def test_a_pod_may_name_its_own_configuration(installed: Installed) -> None:
    namespace = await installed.cluster.namespace("configured")
    thing = asking(pod(namespace), **{"privacy-gateway.dev/config": "mine"})
    made = await installed.cluster.create(thing)
    assert '"configMap": {"name": "mine"}' in json.dumps(made["spec"]["volumes"])


# --- what doesn't concern it --------------------------------------------------------------------


async def test_a_pod_that_does_not_ask_is_untouched_and_not_even_seen(
    installed: Installed,
) -> None:
    cluster = installed.cluster
    namespace = await cluster.namespace("unlabelled")
    before = await installed.injector.reviews(cluster.session)
    made = await cluster.create(pod(namespace))
    assert await installed.injector.reviews(cluster.session) == before
    assert "initContainers" not in made["spec"]
    assert "privacy-gateway.dev/injected" not in made["metadata"].get("labels", {})


async def test_in_a_labelled_namespace_it_is_seen_and_untouched(installed: Installed) -> None:
    cluster = installed.cluster
    unlabelled = await cluster.namespace("plain")
    labelled = await cluster.namespace("labelled", **{LABEL: "enabled"})
    before = await installed.injector.reviews(cluster.session)
    made = await cluster.create(pod(labelled))
    assert await installed.injector.reviews(cluster.session) == before + 1
    assert settled(made) == settled(await cluster.create(pod(unlabelled)))


async def test_where_it_is_required_every_pod_says_what_it_wants(installed: Installed) -> None:
    namespace = await installed.cluster.namespace("required", **{LABEL: "required"})
    with pytest.raises(Refused, match=r"must say privacy-gateway\.dev/inject"):
        await installed.cluster.create(pod(namespace))
    declines = pod(namespace, "batch")
    declines["metadata"]["annotations"] = {"privacy-gateway.dev/inject": "false"}
    assert "initContainers" not in (await installed.cluster.create(declines))["spec"]
    assert "initContainers" in (await installed.cluster.create(asking(pod(namespace))))["spec"]


# --- what it refuses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({"privacy-gateway.dev/inject": "yes"}, 'must be "true" or "false"'),
        ({"privacy-gateway.dev/injekt": "true"}, "unknown"),
        ({"Privacy-Gateway.dev/inject": "true"}, "unknown"),
        ({"privacy-gateway.dev/inject": "true", "privacy-gateway.dev/upstream-port": "8080"},
         "gateway's own port"),
    ],
)  # fmt: skip
async def test_whoever_makes_a_pod_with_a_mistake_in_it_is_told(
    installed: Installed, annotations: dict[str, str], words: str
) -> None:
    namespace = "mistaken"
    with contextlib.suppress(Refused):  # the case before has made it
        await installed.cluster.namespace(namespace)
    thing = pod(namespace)
    thing["metadata"]["annotations"] = annotations
    with pytest.raises(Refused, match=words):
        await installed.cluster.create(thing)


async def test_a_label_in_the_place_of_the_annotation_is_a_mistake_anywhere(
    installed: Installed,
) -> None:
    namespace = await installed.cluster.namespace("labels")
    for label in ("privacy-gateway.dev/inject", LABEL, "privacy-gateway.dev/injected"):
        thing = pod(namespace)
        thing["metadata"]["labels"] = {label: "true"}
        with pytest.raises(Refused, match=r"privacy-gateway\.dev/inject"):
            await installed.cluster.create(thing)


async def test_a_privileged_app_is_refused_with_the_gateway_too(installed: Installed) -> None:
    namespace = await installed.cluster.namespace("privileged")
    thing = asking(pod(namespace))
    thing["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    with pytest.raises(Refused, match='violates PodSecurity "restricted'):
        await installed.cluster.create(thing)


# --- its own rights -----------------------------------------------------------------------------


async def test_its_account_may_read_and_change_two_objects_and_nothing_else(
    installed: Installed, tmp_path: Path
) -> None:
    deployment = next(each for each in installed.things if each["kind"] == "Deployment")
    name = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    folder = await installed.cluster.account(name, SYSTEM, tmp_path / "account")
    as_injector = replace(installed.cluster, admin=(folder / "token").read_text())
    webhook = await as_injector.get(*WEBHOOKS, WEBHOOK)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": SYSTEM}}
    for method, path in (
        ("GET", f"/api/v1/namespaces/{SYSTEM}/secrets"),
        ("GET", "/api/v1/pods"),
        ("GET", f"/api/v1/namespaces/{SYSTEM}/configmaps/injector-privacy-gateway"),
        ("POST", f"/api/v1/namespaces/{SYSTEM}/secrets"),
        ("GET", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"),
        ("DELETE", await as_injector.path(webhook)),
    ):
        with pytest.raises(Refused) as refused:
            await as_injector.ask(method, path, secret if method == "POST" else None)
        assert refused.value.code == 403, path
