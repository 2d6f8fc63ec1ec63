"""What `helm test` plays in a cluster, played here against real gateways."""

import asyncio
import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.support.gateway import ExportService, configuration, running, serving
from tests.support.issuer import TestIssuer
from tests.support.opa import running_opa

SCRIPT = REPOSITORY / "helm" / "privacy-gateway" / "files" / "test" / "planted_leak.py"
ENDPOINTS = [
    {
        "name": "orders",
        "path": "/exports/{request}/orders",
        "body": {"format": "json", "records": "$[*]", "subject": {"account": "$.id"}},
    },
    {
        "name": "report",
        "path": "/report",
        "methods": ["POST"],
        "body": {"format": "csv", "subject": {"account": "id"}},
    },
]
DEPLOYMENT = {"grounds": {"self_access": True}}
KNOWING = """package privacy.decision

default effect := "block"

effect := "allow" if {
	input.endpoint.name in ["orders", "report", "self-proof"]
	input.payload.unattributed.records == 0
	every subject in input.payload.subjects {
		{"kind": subject.kind, "value": subject.value} in permitted
	}
}

permitted contains {"kind": subject.kind, "value": subject.value} if {
	some subject in input.payload.subjects
	some identifier in input.caller.identifiers
	identifier.kind == subject.kind
	identifier.value == subject.value
}

unattributed := "withhold"

withhold := []

mask := []

reasons := ["own"]
"""
LEAKY = """package privacy.decision

effect := "allow"

permitted := {{"kind": s.kind, "value": s.value} | some s in input.payload.subjects}

unattributed := "release"

withhold := []

mask := []

reasons := ["anybody"]
"""


def bundle(folder: Path, rego: str) -> Path:
    (folder / "privacy").mkdir(parents=True)
    (folder / ".manifest").write_text('{"roots": ["privacy"]}')
    (folder / "privacy" / "decision.rego").write_text(rego)
    return folder


async def play(
    config: Path, data: str, admin: str, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Exit code, and all that was said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), str(config), data, admin, cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | dict(environment or {}),
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.mark.parametrize(
    "identifiers",
    [
        {"account": "sub"},
        {"email": "email"},
        {"account": {"claim": "customer", "type": "integer"}},
        {"fhir": "Patient/{tenant}-{patient}"},
    ],
    ids=["a claim", "an address", "an integer", "a template"],
)
async def test_a_gateway_that_guards_passes(
    tmp_path: Path, identifiers: Mapping[str, object]
) -> None:
    service = ExportService()
    async with serving(service) as upstream:
        config = configuration(
            tmp_path, TestIssuer(), upstream, ENDPOINTS,
            identifiers=identifiers, deployment=DEPLOYMENT,
        )  # fmt: skip
        async with running(config) as gateway:
            code, said = await play(config, gateway.url, gateway.admin)
    assert code == 0, said
    assert "the caller's own record arrives, whole" in said
    assert "a stranger's record does not" in said
    assert service.asked == [], "the real upstream was asked for an export"


async def test_what_every_caller_holds_is_in_the_planted_token_too(tmp_path: Path) -> None:
    async with serving(ExportService()) as upstream:
        config = configuration(
            tmp_path, TestIssuer(), upstream, ENDPOINTS, deployment=DEPLOYMENT,
            policy={"proof": {"scopes": ["export"], "roles": ["customer"]}},
        )  # fmt: skip
        async with running(config) as gateway:
            code, said = await play(config, gateway.url, gateway.admin)
    assert code == 0, said


async def test_a_policy_that_knows_its_endpoints_passes(tmp_path: Path) -> None:
    """It blocks whatever it doesn't know, the planted endpoint too, which is its right."""
    strict = bundle(tmp_path / "strict", KNOWING)
    async with serving(ExportService()) as upstream:
        config = configuration(
            tmp_path, TestIssuer(), upstream, ENDPOINTS, policy={"bundle": str(strict)}
        )
        async with running(config) as gateway:
            code, said = await play(config, gateway.url, gateway.admin)
    assert code == 0, said
    assert "note    this policy releases nothing here" in said
    assert "a stranger's record does not" in said


@pytest.mark.opa
async def test_it_asks_the_opa_that_the_gateway_asks(tmp_path: Path, opa_binary: str) -> None:
    async with (
        serving(ExportService()) as upstream,
        running_opa(opa_binary, tmp_path, DEPLOYMENT) as opa,
    ):
        config = configuration(
            tmp_path, TestIssuer(), upstream, ENDPOINTS, policy={"engine": "opa", "opa": opa.url}
        )
        async with running(config) as gateway:
            code, said = await play(config, gateway.url, gateway.admin)
    assert code == 0, said


async def test_a_service_that_leads_past_the_gateway_fails(tmp_path: Path) -> None:
    async with serving(ExportService()) as upstream:
        config = configuration(
            tmp_path, TestIssuer(), upstream, ENDPOINTS, deployment=DEPLOYMENT
        )  # fmt: skip
        async with running(config) as gateway:
            code, said = await play(config, upstream, gateway.admin)
    assert code == 1
    assert said.splitlines()[-1].startswith("FAILED  GET /"), said


async def test_a_policy_that_permits_everybody_fails(tmp_path: Path) -> None:
    """The running gateway has the good policy; the mounted one has been changed for a leaky one, as
    the next rollout would find it."""
    leaky = bundle(tmp_path / "leaky", LEAKY)
    async with serving(ExportService()) as upstream:
        config = configuration(
            tmp_path, TestIssuer(), upstream, ENDPOINTS, deployment=DEPLOYMENT
        )  # fmt: skip
        async with running(config) as gateway:
            code, said = await play(
                config, gateway.url, gateway.admin,
                {"PRIVACY_GATEWAY_POLICY__BUNDLE": str(leaky)},
            )  # fmt: skip
    assert code == 1
    assert "FAILED  the second gateway does not start" in said
    assert "a stranger's record: must stay behind" in said


async def test_a_gateway_that_is_not_ready_fails(tmp_path: Path) -> None:
    """Nobody listens there, which is what a dead gateway looks like."""
    async with serving(ExportService()) as upstream:
        config = configuration(
            tmp_path, TestIssuer(), upstream, ENDPOINTS, deployment=DEPLOYMENT
        )  # fmt: skip
        code, said = await play(
            config, "http://127.0.0.1:9", "http://127.0.0.1:9", {"PLANTED_LEAK_PATIENCE": "1"}
        )
    assert code == 1
    assert "can't be reached" in said


def test_a_stranger_s_record_that_arrives_is_called_a_leak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No gateway lets one through, so nothing stands in the gateway's place."""
    spec = importlib.util.spec_from_file_location("planted_leak", SCRIPT)
    assert spec and spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    @contextmanager
    def nothing(config: Path, _: Path) -> Iterator[str]:
        yield json.loads(config.read_text())["upstream"]

    monkeypatch.setattr(script, "gateway", nothing)
    issuer = TestIssuer().config("jwks.json", identifiers={"account": "sub"})
    with pytest.raises(script.Failed, match="LEAK"):
        script.play({"identity": {"issuers": [issuer]}}, tmp_path, tmp_path)
