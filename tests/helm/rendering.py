"""The chart, rendered by a real Helm."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import REPOSITORY

CHART = REPOSITORY / "helm" / "privacy-gateway"
CI = sorted((CHART / "ci").glob("*.yaml"))
VERSIONS = ("1.35.0", "1.36.0", "1.37.0")
"""The last three Kubernetes releases."""

MINIMAL = CHART / "ci" / "gateway-minimal.yaml"
SIDECAR = CHART / "ci" / "sidecar-minimal.yaml"

Manifest = dict[str, Any]


class HelmFault(Exception):
    """What Helm said."""


@dataclass(frozen=True)
class Helm:
    """A Helm binary."""

    binary: str

    def run(self, *arguments: str) -> str:
        """Its output. Raises HelmFault."""
        done = subprocess.run([self.binary, *arguments], capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise HelmFault(done.stdout + done.stderr)
        return done.stdout

    def render(
        self, *files: Path, version: str = VERSIONS[-1], chart: Path = CHART, **values: Any
    ) -> "Rendered":
        """`values` are paths with `__` for dots: `spool__size="1Gi"`. Raises HelmFault."""
        arguments = [argument for file in files for argument in ("--values", str(file))]
        for path, value in values.items():
            arguments += ["--set-json", f"{path.replace('__', '.')}={json.dumps(value)}"]
        output = self.run(
            "template", "shop", str(chart), "--namespace", "shop", "--kube-version", version,
            *arguments,
        )  # fmt: skip
        return Rendered([each for each in yaml.safe_load_all(output) if each])

    def fault(self, *files: Path, **values: Any) -> str:
        """What rendering fails with, on one line."""
        try:
            self.render(*files, **values)
        except HelmFault as fault:
            return " ".join(str(fault).split())
        raise AssertionError("Helm had no objection")


@dataclass(frozen=True)
class Rendered:
    """All manifests of one release."""

    manifests: Sequence[Manifest] = field(repr=False)

    def all(self, kind: str) -> list[Manifest]:
        return [each for each in self.manifests if each["kind"] == kind]

    def one(self, kind: str, name: str = "shop-privacy-gateway") -> Manifest:
        found = [each for each in self.all(kind) if each["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} of {kind}/{name}"
        return found[0]

    @property
    def workload(self) -> Manifest:
        (found,) = [*self.all("Deployment"), *self.all("StatefulSet")]
        return found

    @property
    def pod(self) -> Mapping[str, Any]:
        """The PodSpec of the workload."""
        spec: Mapping[str, Any] = self.workload["spec"]["template"]["spec"]
        return spec

    def container(self, name: str = "privacy-gateway") -> Mapping[str, Any]:
        spec = self.pod
        (found,) = [
            each
            for each in [*spec.get("initContainers", []), *spec["containers"]]
            if each["name"] == name
        ]
        container: Mapping[str, Any] = found
        return container

    @property
    def config(self) -> Mapping[str, Any]:
        """gateway.yaml."""
        text = self.one("ConfigMap")["data"]["gateway.yaml"]
        config: Mapping[str, Any] = yaml.safe_load(text)
        return config
