"""One API server for all tests in here, and the chart as Helm renders it for that server."""

import inspect
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.conftest import REPOSITORY
from tests.support.cluster import Cluster, Object, manifests, running_cluster

CHART = REPOSITORY / "helm" / "privacy-gateway"
VALUES = sorted((CHART / "ci").glob("*.yaml"))

FOREIGN_KINDS = {
    "ServiceMonitor": "monitoring.coreos.com/v1",
    "PodMonitor": "monitoring.coreos.com/v1",
    "PrometheusRule": "monitoring.coreos.com/v1",
    "Certificate": "cert-manager.io/v1",
    "Issuer": "cert-manager.io/v1",
}
"""What other operators define: the server knows their names here, and takes any content."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The server's connections belong to one event loop, so that all tests in here share it."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(300))
            if inspect.iscoroutinefunction(getattr(item, "function", None)):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def foreign(kind: str, version: str) -> Object:
    """A CustomResourceDefinition without a schema."""
    group, _, number = version.partition("/")
    plural = f"{kind.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [
                {
                    "name": number,
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "x-kubernetes-preserve-unknown-fields": True,
                                }
                            },
                        }
                    },
                }
            ],
        },
    }


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        definitions = [foreign(kind, version) for kind, version in FOREIGN_KINDS.items()]
        await running.apply(definitions, "default")
        yield running


async def rendered(cluster: Cluster, values: Path, name: str, namespace: str) -> list[Object]:
    """What the chart makes of a values file, for the server's own version and APIs."""
    words = ("template", name, str(CHART), "--namespace", namespace, "--values", str(values))
    return manifests(await cluster.helm(*words, "--validate"))


def pods_of(things: list[Object], namespace: str) -> list[Object]:
    """The pods that the controllers would make of these objects."""
    pods = []
    for thing in things:
        spec = thing.get("spec", {})
        match thing["kind"]:
            case "Pod":
                pods.append(thing)
            case "Deployment" | "Job":
                pods.append(_pod(thing, spec["template"], namespace, ()))
            case "StatefulSet":
                claims = spec.get("volumeClaimTemplates", ())
                pods.append(_pod(thing, spec["template"], namespace, claims))
            case "CronJob":
                pods.append(_pod(thing, spec["jobTemplate"]["spec"]["template"], namespace, ()))
            case _:
                assert "template" not in spec, f"{thing['kind']} makes pods, and nobody tries them"
    return pods


def _pod(owner: Object, template: Mapping[str, Any], namespace: str, claims: Any) -> Object:
    name = f"{owner['metadata']['name']}-0"
    spec = dict(template["spec"])
    volumes = [
        {
            "name": claim["metadata"]["name"],
            "persistentVolumeClaim": {"claimName": f"{claim['metadata']['name']}-{name}"},
        }
        for claim in claims
    ]
    if volumes:
        spec["volumes"] = [*spec.get("volumes", ()), *volumes]
    metadata = {**template.get("metadata", {}), "name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
