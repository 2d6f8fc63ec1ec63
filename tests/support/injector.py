"""`privacy-gateway injector` as a program of its own, in the place of the chart's Deployment.

It gets the arguments that the chart renders, the sidecar's ConfigMap as files, and a token of its
service account from the API server; only where it listens and where the API server is differ. The
endpoints of its Service are written by hand, as the absent kubelet and controllers would.
"""

import asyncio
import contextlib
import json
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from tests.conftest import REPOSITORY, missing
from tests.support.cluster import Cluster, Object, Refused
from tests.support.waiting import until_ok

ASKS = {"privacy-gateway.dev/inject": "true", "privacy-gateway.dev/upstream-port": "3000"}


def pod(namespace: str, name: str = "app", **spec: Any) -> Object:
    """An app as pod security `restricted` wants it."""
    container = {
        "name": "app",
        "image": "registry.example/app:1",
        "ports": [{"containerPort": 3000}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "containers": [container],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            **spec,
        },
    }  # fmt: skip


def asking(thing: Object, **annotations: str) -> Object:
    return {**thing, "metadata": {**thing["metadata"], "annotations": ASKS | annotations}}


@dataclass
class RunningInjector:
    """One replica."""

    address: str
    port: int
    admin: str
    stderr: Path
    process: asyncio.subprocess.Process

    def certificate(self) -> str:
        """What it serves now, in PEM."""
        return ssl.get_server_certificate((self.address, self.port))

    async def reviews(self, session: ClientSession) -> int:
        """How many it has answered."""
        async with session.get(f"{self.admin}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        counts = [line for line in lines if line.startswith("privacy_gateway_injector_reviews")]
        return sum(int(float(line.split()[-1])) for line in counts if "_total{" in line)

    async def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


def outward() -> str:
    """An address of this machine that isn't loopback: a Service's endpoints may not be that."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # documentation (RFC 5737); nothing is sent
            address = str(probe.getsockname()[0])
        except OSError:
            address = "127.0.0.1"
    if address.startswith("127."):
        missing("this machine has no address but loopback")
    return address


@asynccontextmanager
async def running_injector(
    cluster: Cluster, things: Sequence[Object], folder: Path, lifetime: str = ""
) -> AsyncIterator[RunningInjector]:
    """Start what the rendered objects run, wait until it is ready, end it with the block."""
    deployment = next(each for each in things if each["kind"] == "Deployment")
    namespace = deployment["metadata"]["namespace"]
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    folder.mkdir(parents=True)
    names = {each["name"]: each["configMap"]["name"] for each in pod["volumes"]}
    for mount in container["volumeMounts"]:
        config = await cluster.get("v1", "ConfigMap", names[mount["name"]], namespace)
        for name, text in config["data"].items():
            (folder / name).write_text(text)
        arguments = [each.replace(mount["mountPath"], str(folder)) for each in container["args"]]
    if lifetime:
        arguments = [each for each in arguments if not each.startswith("--lifetime=")]
        arguments.append(f"--lifetime={lifetime}")
    account = await cluster.account(pod["serviceAccountName"], namespace, folder / "account")
    with (folder / "stderr").open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", *arguments, f"--listen={outward()}:0",
            "--admin=127.0.0.1:0", f"--api={cluster.url}", f"--account={account}", "--drain=0s",
            stdout=asyncio.subprocess.PIPE, stderr=stderr, cwd=REPOSITORY,
        )  # fmt: skip
    try:
        assert process.stdout
        line = await process.stdout.readline()
        assert line, (folder / "stderr").read_text()
        words = json.loads(line)
        address, port = words["listen"].removeprefix("https://").rsplit(":", 1)
        injector = RunningInjector(address, int(port), words["admin"], folder / "stderr", process)
        async with ClientSession() as session:
            await until_ok(session, f"{injector.admin}/readyz", injector.stderr.read_text, process)
        endpoints = _endpoints(things, injector)
        await cluster.create(endpoints)
        try:
            await _until_called(cluster, injector)
            yield injector
        finally:
            await cluster.delete(endpoints)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]  # or its pipe warns at exit


def _endpoints(things: Sequence[Object], injector: RunningInjector) -> Object:
    """What makes a replica one of the Service's."""
    service = next(each for each in things if each["kind"] == "Service")["metadata"]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service['name']}-{injector.port}",
            "namespace": service["namespace"],
            "labels": {"kubernetes.io/service-name": service["name"]},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [injector.address], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": injector.port, "protocol": "TCP"}],
    }


async def _until_called(cluster: Cluster, injector: RunningInjector) -> None:
    """Until the API server has learnt of the Service's endpoints and of the certificate."""
    for _ in range(200):
        with contextlib.suppress(Refused):
            await cluster.create(asking(pod("default")), dry_run=True)
        if await injector.reviews(cluster.session):
            return
        await asyncio.sleep(0.05)  # a bounded poll of another process
    raise AssertionError(injector.stderr.read_text())
