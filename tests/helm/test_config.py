"""What the chart renders is what the gateway, and OPA, take: both are asked."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import ClientSession

from gateway.cli.drain import drain
from tests.conftest import REPOSITORY
from tests.helm.pods import checked, lay_out, started, swap
from tests.helm.rendering import CI, MINIMAL, SIDECAR, Helm
from tests.support.gateway import ExportService, RunningGateway, serving
from tests.support.issuer import TestIssuer
from tests.support.waiting import until_ok

INLINE = next(path for path in CI if path.stem == "gateway-inline-policy")
WORKLOADS = [path for path in CI if not path.stem.startswith("injector")]


@pytest.mark.parametrize("values", WORKLOADS, ids=lambda path: path.stem)
def test_the_gateway_takes_its_configuration(helm: Helm, values: Path, tmp_path: Path) -> None:
    done = checked(helm.render(values), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no faults" in done.stdout


def test_a_fault_in_it_would_be_seen(helm: Helm, tmp_path: Path) -> None:
    """What no schema knows: a file that isn't there."""
    issuers = yaml.safe_load(MINIMAL.read_text())["config"]["identity"]["issuers"]
    rendered = helm.render(MINIMAL, config__identity__issuers=[issuers[0] | {"jwks": "gone.json"}])
    assert checked(rendered, tmp_path).returncode == 2


def test_the_spool_s_limit_follows_its_volume(helm: Helm) -> None:
    for size, limit in (("512Mi", "448MiB"), ("16Gi", "14336MiB"), ("1Ti", "917504MiB")):
        rendered = helm.render(
            MINIMAL, spool={"storage": "volume", "size": size, "storageClassName": "encrypted"}
        )
        assert rendered.config["spool"]["limit"] == limit


def test_a_configuration_that_is_there_gets_the_same_settings_by_the_environment(
    helm: Helm,
) -> None:
    made = helm.render(MINIMAL)
    mounted = helm.render(
        pseudonymKey__secret="privacy-gateway", configFrom__configMap="mine",
        networkPolicy__enabled=False,
    )  # fmt: skip
    config = made.config
    for variable in mounted.container()["env"]:
        value: Any = config
        for key in variable["name"].removeprefix("PRIVACY_GATEWAY_").lower().split("__"):
            value = value[key]
        assert value == variable["value"]
    assert len(mounted.container()["env"]) >= 8
    assert not mounted.all("ConfigMap") or all(
        each["metadata"]["name"] != "shop-privacy-gateway" for each in mounted.all("ConfigMap")
    )


def test_in_a_sidecar_the_upstream_is_the_app(helm: Helm) -> None:
    assert helm.render(SIDECAR).config["upstream"] == "http://127.0.0.1:3000"


# --- started --------------------------------------------------------------------------------------


async def _ready(gateway: RunningGateway) -> dict[str, bool]:
    for _ in range(600):
        checks = await gateway.checks()
        if all(checks.values()):
            return checks
        await asyncio.sleep(0.05)  # a bounded poll of another process
    return checks


async def test_a_rendered_gateway_guards_and_takes_up_a_new_policy(
    helm: Helm, tmp_path: Path
) -> None:
    """From values to an export, and on to a ConfigMap that changes under the running gateway."""
    issuer, service = TestIssuer(), ExportService()
    values = yaml.safe_load(INLINE.read_text())
    async with serving(service) as upstream:
        values["config"]["upstream"] = upstream
        values["configFiles"]["jwks.json"] = json.dumps(issuer.jwks())
        path = tmp_path / "values.yaml"
        path.write_text(yaml.safe_dump(values))
        rendered = helm.render(path)
        container = dict(rendered.container())
        (tmp_path / "pod").mkdir()
        pod = lay_out(rendered, container, tmp_path / "pod")
        pod.config()
        service.answer(
            "/exports/orders", b'{"orders": [{"customer": {"id": "A1"}}]}', "application/json"
        )
        async with started(pod, container, tmp_path) as line, ClientSession() as session:
            words = json.loads(line)
            gateway = RunningGateway(
                words["listen"].replace("0.0.0.0", "127.0.0.1"),
                words["admin"].replace("0.0.0.0", "127.0.0.1"),
                tmp_path,
                None,  # type: ignore[arg-type]  # started here, not there
                session,
                issuer.token(),
            )
            checks = await _ready(gateway)
            assert all(checks.values()), (checks, (tmp_path / "stderr").read_text())
            assert (await gateway.get("/exports/orders")).status == 200
            assert (await gateway.get("/exports/orders", issuer.token(sub="A2"))).status == 403
            folder = pod.mounts["/etc/privacy-gateway"]
            files = {
                each.relative_to(folder / "..data").as_posix(): each.read_bytes()
                for each in (folder / "..data").rglob("*")
                if each.is_file()
            }
            files["policies/.manifest"] = b'{"revision": "2", "roots": ["privacy"]}'
            files["policies/privacy/decision/decision.rego"] += b"\n# changed\n"
            swap(folder, files)
            for _ in range(600):
                if 'revision="2"' in (said := await gateway.metrics()):
                    break
                await asyncio.sleep(0.05)  # a bounded poll of another process
            assert 'revision="2"' in said
            assert (await gateway.get("/exports/orders")).status == 200
    log = pod.mounts["/var/log/privacy-gateway"] / "decisions.jsonl"
    assert log.stat().st_size


async def test_the_rendered_hook_drains_the_rendered_gateway(helm: Helm, tmp_path: Path) -> None:
    values = yaml.safe_load(SIDECAR.read_text())
    values["configFiles"] = {"jwks.json": json.dumps(TestIssuer().jwks())}
    values["config"]["identity"]["issuers"][0] |= {"jwks": "jwks.json"}
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(values))
    rendered = helm.render(path)
    container = dict(rendered.container())
    (tmp_path / "pod").mkdir()
    pod = lay_out(rendered, container, tmp_path / "pod")
    pod.config()
    program, *command = container["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "privacy-gateway", "the image's entry point"
    assert rendered.config["admin"] == "0.0.0.0:8282"
    assert signature(drain).parameters["admin"].default == "127.0.0.1:8282"
    async with started(pod, container, tmp_path) as line, ClientSession() as session:
        admin = json.loads(line)["admin"].replace("0.0.0.0", "127.0.0.1")
        hook = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", *command,
            "--admin", admin.removeprefix("http://"), cwd=REPOSITORY,
        )  # fmt: skip
        assert await hook.wait() == 0
        async with session.get(f"{admin}/readyz") as answer:
            assert answer.status == 503
            assert (await answer.json())["reasons"]["accepting"] == "draining"
        async with session.get(f"{admin}/healthz") as answer:
            assert answer.status == 200, "nobody restarts a gateway that drains"


@asynccontextmanager
async def started_opa(
    helm: Helm, values: str, binary: str, folder: Path, data: int, health: int
) -> AsyncIterator[str]:
    """OPA as rendered, with ports of its own; yields the URL of its health."""
    rendered = helm.render(next(path for path in CI if path.stem == values))
    container = rendered.container("opa")
    pod = lay_out(rendered, container, folder)
    config = pod.mounts["/etc/opa"] / "..data" / "opa.yaml"
    config.write_text(pod.here(config.read_text()))
    ports = {":8181": f":{data}", "0.0.0.0:8283": f"127.0.0.1:{health}"}
    arguments = [pod.here(argument) for argument in container["args"]]
    for there, here in ports.items():
        arguments = [argument.replace(there, here) for argument in arguments]
    environment = os.environ | {"REGISTRY_TOKEN": "a-token"}
    with (folder / "opa.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            binary, *arguments, stdout=log, stderr=log, env=environment
        )
    try:
        yield f"http://127.0.0.1:{health}/health"
        assert process.returncode is None, (folder / "opa.log").read_text()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]


@pytest.mark.opa
async def test_a_rendered_opa_serves_its_bundle_and_nothing_else(
    helm: Helm, tmp_path: Path, opa_binary: str, unused_tcp_port_factory: Any
) -> None:
    data, health = unused_tcp_port_factory(), unused_tcp_port_factory()
    url = f"http://127.0.0.1:{data}"
    async with (
        started_opa(helm, "gateway-opa-files", opa_binary, tmp_path, data, health) as healthy,
        ClientSession() as session,
    ):
        await until_ok(session, f"{healthy}?bundles", (tmp_path / "opa.log").read_text)
        asked = session.post(f"{url}/v1/data/privacy/decision", json={"input": {"id": "A9-canary"}})
        async with asked as answer:
            assert (await answer.json())["result"]["reasons"] == ["nobody"]
        async with session.get(f"{url}/v1/policies") as answer:
            assert answer.status == 200
        for method, path in (
            ("GET", "/v1/data"), ("PUT", "/v1/policies/mine"), ("PUT", "/v1/data/privacy"),
            ("PATCH", "/v1/data"), ("POST", "/v1/query"), ("GET", "/v1/config"),
        ):  # fmt: skip
            async with session.request(method, url + path, data=b"{}") as answer:
                assert answer.status in (401, 403), (method, path, answer.status)
    said = (tmp_path / "opa.log").read_text()
    assert "canary" not in said and "/v1/data" not in said, "OPA logs requests"


@pytest.mark.opa
async def test_a_rendered_opa_is_alive_while_its_registry_is_not(
    helm: Helm, tmp_path: Path, opa_binary: str, unused_tcp_port_factory: Any
) -> None:
    """It takes its configuration, and the kubelet doesn't restart it for a registry's sake."""
    data, health = unused_tcp_port_factory(), unused_tcp_port_factory()
    async with (
        started_opa(helm, "sidecar-opa", opa_binary, tmp_path, data, health) as healthy,
        ClientSession() as session,
    ):
        await until_ok(session, healthy, (tmp_path / "opa.log").read_text)
        async with session.get(f"{healthy}?bundles") as answer:
            assert answer.status == 500, "the gateway waits for its bundle all the same"


def test_opa_s_own_policy_is_the_one_that_is_documented() -> None:
    documented = REPOSITORY / "docs" / "examples" / "opa" / "system" / "authz" / "authz.rego"
    delivered = REPOSITORY / "helm" / "privacy-gateway" / "files" / "opa" / "authz.rego"
    assert delivered.read_text() == documented.read_text()
