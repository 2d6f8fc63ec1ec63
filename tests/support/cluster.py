"""A real Kubernetes API server on a real etcd, on this machine, for as long as a block lasts.

    async with running_cluster(folder) as cluster:
        await cluster.apply(manifests)                   # server-side, unknown fields are errors
        pod = await cluster.create(pod)                  # raises Refused with the server's words
        await cluster.helm("install", "x", "helm/privacy-gateway")

There are no controllers and no kubelet: what is created is stored, validated and admitted (pod
security and webhooks among it), and never runs. What a test needs of the absent ones it plays.
"""

import asyncio
import contextlib
import ipaddress
import json
import secrets
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, TCPConnector
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from ruamel.yaml import YAML

from tests.conftest import REPOSITORY, missing

Object = dict[str, Any]
_PEM = serialization.Encoding.PEM
_PARTS = {
    "etcd": "Debian's etcd-server",
    "kube-apiserver": "make tools-cluster builds it",
    "helm": "make tools builds it",
}


def parts() -> dict[str, str]:
    """Where the binaries are; skip, or fail where parts are required, if one is missing."""
    tools = REPOSITORY / ".tools" / "bin"
    found = {name: shutil.which(name) or shutil.which(name, path=str(tools)) for name in _PARTS}
    for name, path in found.items():
        if path is None:
            missing(f"there is no {name} on PATH or in .tools/bin ({_PARTS[name]})")
    return {name: path for name, path in found.items() if path}


def manifests(text: str) -> list[Object]:
    """The objects of a YAML stream."""
    documents = YAML(typ="safe", pure=True).load_all(text)
    return [document for document in documents if document]


class Refused(Exception):
    """The API server said no: its status code, and its words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


@dataclass
class Cluster:
    """One API server. `admin` is the bearer token of a cluster administrator."""

    url: str
    folder: Path
    admin: str
    helm_binary: str
    session: ClientSession
    _resources: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)

    @property
    def ca(self) -> Path:
        return self.folder / "server.crt"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Object:
        """One request to the API as the administrator. Raises Refused."""
        data = None if body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {self.admin}", "Content-Type": "application/json",
                   **headers}  # fmt: skip
        async with self.session.request(
            method, self.url + path, data=data, headers=headers
        ) as answer:
            text = await answer.text()
            if answer.status >= 400:
                said = json.loads(text)["message"] if text.startswith("{") else text
                raise Refused(answer.status, said)
            found: Object = json.loads(text)
            return found

    async def path(self, thing: Mapping[str, Any], *, named: bool = True) -> str:
        """Where an object is, or its collection."""
        version, kind, metadata = thing["apiVersion"], thing["kind"], thing["metadata"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._resources:
            for each in (await self.ask("GET", base))["resources"]:
                if "/" not in each["name"]:
                    self._resources[version, each["kind"]] = each["name"], each["namespaced"]
        plural, namespaced = self._resources[version, kind]
        inside = f"/namespaces/{metadata['namespace']}" if namespaced else ""
        return f"{base}{inside}/{plural}" + (f"/{metadata['name']}" if named else "")

    async def create(self, thing: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """Make an object; what is unknown to its schema is an error. Raises Refused."""
        query = "?fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        return await self.ask("POST", await self.path(thing, named=False) + query, thing)

    async def apply(self, things: Iterable[Mapping[str, Any]], namespace: str) -> list[Object]:
        """Server-side apply, in Helm's order; namespaced objects without one go to `namespace`."""
        query = "?fieldManager=tests&force=true&fieldValidation=Strict"
        applied = []
        for thing in sorted(things, key=lambda each: _ORDER.get(each["kind"], len(_ORDER))):
            placed = {**thing, "metadata": {"namespace": namespace, **thing["metadata"]}}
            path = await self.path(placed)
            if "/namespaces/" not in path:
                placed["metadata"] = thing["metadata"]
            words = {"Content-Type": "application/apply-patch+yaml"}
            applied.append(await self.ask("PATCH", path + query, placed, **words))
            if thing["kind"] == "CustomResourceDefinition":
                await self._until_served(thing)
        return applied

    async def get(self, version: str, kind: str, name: str, namespace: str = "") -> Object:
        metadata = {"name": name, "namespace": namespace}
        return await self.ask(
            "GET", await self.path({"apiVersion": version, "kind": kind, "metadata": metadata})
        )

    async def list(self, version: str, kind: str, namespace: str = "") -> list[Object]:
        thing = {"apiVersion": version, "kind": kind, "metadata": {"namespace": namespace}}
        items: list[Object] = (await self.ask("GET", await self.path(thing, named=False)))["items"]
        return items

    async def delete(self, thing: Mapping[str, Any]) -> None:
        await self.ask("DELETE", await self.path(thing) + "?gracePeriodSeconds=0")

    async def namespace(self, name: str, **labels: str) -> str:
        """A namespace in which pod security `restricted` is enforced, with its service account."""
        marks = {"pod-security.kubernetes.io/enforce": "restricted", **labels}
        metadata = {"name": name, "labels": marks}
        await self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        account = {"name": "default", "namespace": name}
        await self.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
        return name

    async def account(self, name: str, namespace: str, folder: Path) -> Path:
        """What the kubelet mounts for a service account: a real token of the server's, and its CA.

        The server allows that account what its roles allow, and nothing else.
        """
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        granted = await self.ask("POST", path, request)
        folder.mkdir(exist_ok=True)
        (folder / "token").write_text(granted["status"]["token"])
        (folder / "ca.crt").write_bytes(self.ca.read_bytes())
        (folder / "namespace").write_text(namespace)
        return folder

    async def helm(self, *words: str) -> str:
        """Run helm against this cluster; returns what it prints. Raises Refused with its error."""
        home = self.folder / "helm"
        process = await asyncio.create_subprocess_exec(
            self.helm_binary, *words, "--kubeconfig", str(self.kubeconfig),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={"HOME": str(home), "PATH": ""},
        )  # fmt: skip
        out, err = await process.communicate()
        if process.returncode:
            raise Refused(0, err.decode())
        return out.decode()

    async def _until_served(self, definition: Mapping[str, Any]) -> None:
        group, names = definition["spec"]["group"], definition["spec"]["names"]
        version = definition["spec"]["versions"][0]["name"]
        for _ in range(200):
            with contextlib.suppress(Refused):
                found = (await self.ask("GET", f"/apis/{group}/{version}"))["resources"]
                if any(each["name"] == names["plural"] for each in found):
                    return
            await asyncio.sleep(0.05)  # a bounded poll of another process
        raise AssertionError(f"{names['kind']} is not served")


_KINDS = (
    "Namespace CustomResourceDefinition ServiceAccount Secret ConfigMap ClusterRole"
    " ClusterRoleBinding Role RoleBinding Service"
)
_ORDER = {kind: place for place, kind in enumerate(_KINDS.split())}


@asynccontextmanager
async def running_cluster(folder: Path) -> AsyncIterator[Cluster]:
    """Start etcd and the API server, wait until it is ready, end both with the block."""
    found = parts()
    etcd_port, peer_port, port = _free_ports(3)
    admin = secrets.token_hex(16)
    _write_credentials(folder, admin, f"https://127.0.0.1:{port}")
    etcd = [
        found["etcd"], "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync",
        "--listen-client-urls", f"http://127.0.0.1:{etcd_port}",
        "--advertise-client-urls", f"http://127.0.0.1:{etcd_port}",
        "--listen-peer-urls", f"http://127.0.0.1:{peer_port}",
        "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer_port}",
        "--initial-cluster", f"default=http://127.0.0.1:{peer_port}",
    ]  # fmt: skip
    api = [
        found["kube-apiserver"], f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        "--bind-address=127.0.0.1", f"--secure-port={port}", f"--cert-dir={folder}",
        f"--tls-cert-file={folder / 'server.crt'}",
        f"--tls-private-key-file={folder / 'server.key'}",
        f"--token-auth-file={folder / 'tokens.csv'}", "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'accounts.key'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        "--service-cluster-ip-range=10.96.0.0/16", "--endpoint-reconciler-type=none",
        # As everywhere: pod security says who may be privileged.
        "--allow-privileged=true",
        # A webhook's Service is found by its endpoints: there is no kube-proxy.
        "--enable-aggregator-routing=true",
    ]  # fmt: skip
    async with _ended("etcd", etcd, folder), _ended("kube-apiserver", api, folder) as process:
        trust = ssl.create_default_context(cafile=folder / "server.crt")
        async with ClientSession(connector=TCPConnector(ssl=trust)) as session:
            url = f"https://127.0.0.1:{port}"
            cluster = Cluster(url, folder, admin, found["helm"], session)
            await _until_ready(cluster, process)
            yield cluster


@asynccontextmanager
async def _ended(
    name: str, words: list[str], folder: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that ends with the block; what it says is in `<name>.log`."""
    with (folder / f"{name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _until_ready(cluster: Cluster, process: asyncio.subprocess.Process) -> None:
    log = cluster.folder / "kube-apiserver.log"
    headers = {"Authorization": f"Bearer {cluster.admin}"}
    for _ in range(1200):
        assert process.returncode is None, log.read_text()[-4000:]
        with contextlib.suppress(ClientError):
            async with cluster.session.get(f"{cluster.url}/readyz", headers=headers) as answer:
                if answer.status == 200:
                    return
        await asyncio.sleep(0.05)  # a bounded poll of another process
    raise AssertionError(log.read_text()[-4000:])


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _write_credentials(folder: Path, admin: str, url: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test cluster")])
    now = datetime.now(UTC)
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.crt").write_bytes(certificate.public_bytes(_PEM))
    _write_key(folder / "server.key", key)
    _write_key(folder / "accounts.key", rsa.generate_private_key(65537, 2048))
    (folder / "tokens.csv").write_text(f'{admin},admin,1,"system:masters"\n')
    kubeconfig = {
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {
            "server": url, "certificate-authority": str(folder / "server.crt")}}],
        "users": [{"name": "admin", "user": {"token": admin}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
    }  # fmt: skip
    (folder / "kubeconfig").touch(0o600)
    (folder / "kubeconfig").write_text(json.dumps(kubeconfig))


def _write_key(path: Path, key: Any) -> None:
    path.touch(0o600)
    path.write_bytes(
        key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
