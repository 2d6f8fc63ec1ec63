"""Pods, reviews and sidecars for the injector's tests, and the real program."""

import asyncio
import base64
import json
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, TCPConnector

from tests.conftest import REPOSITORY

CANARY = "canary-4711-secret"
INJECT = "privacy-gateway.dev/inject"

SIDECAR: Mapping[str, Any] = {
    "container": {
        "name": "privacy-gateway",
        "image": "registry.example/privacy-gateway:1",
        "restartPolicy": "Always",
        "env": [{"name": "PRIVACY_GATEWAY_ADMIN", "value": "0.0.0.0:8282"}],
        "ports": [
            {"name": "http", "containerPort": 8080},
            {"name": "admin", "containerPort": 8282},
        ],
        "startupProbe": {"httpGet": {"path": "/readyz", "port": "admin"}},
        "securityContext": {"runAsUser": 65532, "runAsGroup": 65532},
        "volumeMounts": [
            {"name": "gateway-config", "mountPath": "/etc/privacy-gateway", "readOnly": True},
            {"name": "gateway-spool", "mountPath": "/var/spool/privacy-gateway"},
        ],
    },
    "opa": {
        "name": "opa",
        "image": "registry.example/opa:1",
        "restartPolicy": "Always",
        "ports": [{"name": "opa-health", "containerPort": 8283}],
        "startupProbe": {"httpGet": {"path": "/health", "port": "opa-health"}},
    },
    "volumes": [
        {
            "name": "gateway-config",
            "projected": {
                "sources": [{"configMap": {"name": "gateway"}}, {"secret": {"name": "policies"}}]
            },
        },
        {"name": "gateway-spool", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
    ],
    "terminationGracePeriodSeconds": 45,
}


def sidecar(**changed: Any) -> bytes:
    """The file; a key that is None is left out."""
    merged = {**SIDECAR, **changed}
    return json.dumps({key: each for key, each in merged.items() if each is not None}).encode()


def pod(annotations: Mapping[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A pod that asks for the sidecar, if nothing else is said."""
    asked = {INJECT: "true"} if annotations is None else annotations
    container = {
        "name": "app",
        "image": "app",
        "env": [{"name": "PASSWORD", "value": CANARY}],
        "ports": [{"containerPort": 3000, "name": "web"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "app-", "labels": {"app": "x"}, "annotations": dict(asked)},
        "spec": {"containers": [container], **spec},
    }


def review(pod_: Any, **request: Any) -> bytes:
    """The API server's question about a pod."""
    asked = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE",
        "namespace": "shop",
        "object": pod_,
        **request,
    }
    return json.dumps(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}
    ).encode()


@dataclass(frozen=True)
class Answered:
    """An AdmissionReview that came back."""

    uid: str
    allowed: bool
    message: str
    patch: list[dict[str, Any]]


def answered(body: bytes) -> Answered:
    value = json.loads(body)
    assert (value["apiVersion"], value["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    response = value["response"]
    patch = json.loads(base64.b64decode(response["patch"])) if "patch" in response else []
    assert ("patch" in response) == (response.get("patchType") == "JSONPatch")
    message = response.get("status", {}).get("message", "")
    return Answered(response["uid"], response["allowed"], message, patch)


@dataclass
class RunningInjector:
    """One injector process."""

    url: str
    admin: str
    stderr: Path
    process: asyncio.subprocess.Process

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def admin_text(self, path: str) -> tuple[int, str]:
        async with ClientSession() as session, session.get(self.admin + path) as answer:
            return answer.status, await answer.text()

    async def until(self, status: int, path: str = "/readyz", containing: str = "") -> str:
        """Wait for the admin port to answer so."""
        text = ""
        for _ in range(600):
            try:
                found, text = await self.admin_text(path)
                if found == status and containing in text:
                    return text
            except ClientError:
                pass
            await asyncio.sleep(0.05)  # a bounded poll of another process, not a synchronisation
        raise AssertionError(f"{text}\n{self.stderr.read_text()}")

    async def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


@asynccontextmanager
async def running(folder: Path, *options: str | Path) -> AsyncIterator[RunningInjector]:
    """Start `privacy-gateway injector`; end it with the block."""
    stderr = folder / "stderr"
    with stderr.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "injector", "--listen", "127.0.0.1:0",
            "--admin", "127.0.0.1:0", *map(str, options),
            stdout=asyncio.subprocess.PIPE, stderr=file, cwd=REPOSITORY,
        )  # fmt: skip
    try:
        assert process.stdout
        line = await process.stdout.readline()
        assert line, stderr.read_text()
        words = json.loads(line)
        yield RunningInjector(words["listen"], words["admin"], stderr, process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]  # or its pipe warns at exit


async def ask(
    url: str, body: bytes, ca: bytes, *, name: str = "injector.system.svc", path: str = "/inject"
) -> tuple[int, bytes]:
    """POST a review on a connection of its own, as the API server does: over verified TLS."""
    context = ssl.create_default_context(cadata=ca.decode())
    connector = TCPConnector(ssl=context, force_close=True)
    async with (
        ClientSession(connector=connector) as session,
        session.post(
            url + path, data=body, headers={"Content-Type": "application/json"},
            server_hostname=name,
        ) as answer,
    ):  # fmt: skip
        return answer.status, await answer.read()
