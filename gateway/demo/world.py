"""Everything started: the export service, the issuer and two gateways, all on loopback.

The gateways are real ones, `privacy-gateway run` in processes of their own; they differ in one
line of policy data: what happens to a response that is only partly the caller's.
"""

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, web

from gateway.demo.service import AUDIENCE, ExportService, Issuer

POLICIES = next(
    folder
    for folder in (
        Path(__file__).parents[2] / "policies",
        Path(__file__).parents[1] / "shipped_policies",
    )
    if folder.is_dir()
)


def _children(pid: int) -> list[int]:
    return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """One gateway, where it listens, and the process it is."""

    url: str
    admin: str
    log: Path
    key: Path
    pid: int

    def policy_workers(self) -> Sequence[int]:
        """The processes that evaluate its Rego."""
        ours = (child for parent in _children(self.pid) for child in (parent, *_children(parent)))
        return [pid for pid in ours if b"rego_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def freeze_policy(self) -> None:
        """Stop its policy engine in its tracks, as a crash or a starved node would."""
        for pid in self.policy_workers():
            os.kill(pid, signal.SIGSTOP)


@dataclass(frozen=True, slots=True)
class World:
    """All that the story needs."""

    folder: Path
    service: ExportService
    issuer: Issuer
    blocking: RunningGateway
    redacting: RunningGateway


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[World]:
    """Start everything; everything ends with the block."""
    async with AsyncExitStack() as stack:
        service, issuer = ExportService(folder), Issuer()
        upstream = await _serve(stack, service.app())
        issuer.url = await _serve(stack, issuer.app())
        gateways = [
            await stack.enter_async_context(_gateway(folder / name, upstream, issuer.url, partial))
            for name, partial in (("blocking", "block"), ("redacting", "redact"))
        ]
        yield World(folder, service, issuer, *gateways)


async def _serve(stack: AsyncExitStack, app: web.Application) -> str:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


def _configuration(folder: Path, upstream: str, issuer: str) -> dict[str, Any]:
    account = {"account": "$.customer_id"}
    return {
        "listen": "127.0.0.1:0",
        "admin": "127.0.0.1:0",
        "upstream": upstream,
        "identity": {
            "issuers": [
                {
                    "issuer": issuer,
                    "audience": AUDIENCE,
                    "jwks": f"{issuer}/jwks.json",
                    "algorithms": ["RS256"],
                    "identifiers": {"account": "sub"},
                }
            ]
        },
        "policy": {"bundle": str(POLICIES), "data": str(folder / "deployment.json")},
        "decision_log": {
            "file": str(folder / "decisions.jsonl"),
            "pseudonym_key_file": str(folder / "pseudonym-key"),
        },
        "spool": {"directory": str(folder / "spool")},
        "endpoints": [
            {
                "name": "archive",
                "path": "/exports/{request_id}/archive",
                "body": {
                    "format": "zip",
                    "members": [
                        {
                            "match": "manifest.json",
                            "format": "json",
                            "records": "$.recordings[*]",
                            "subject": account,
                            "vouches_for": "$.file",
                            "category": "voice",
                        },
                        {
                            "match": "recordings/*.wav",
                            "attribution": "manifest",
                            "category": "voice",
                        },
                        {
                            "match": "transcripts.csv",
                            "format": "csv",
                            "subject": {"account": "customer_id"},
                            "category": "voice",
                        },
                        {
                            "match": "orders/*.json",
                            "format": "json",
                            "records": "$.orders[*]",
                            "subject": {"account": "$.customer.id"},
                            "category": "order",
                        },
                        {
                            "match": "profile.json",
                            "format": "json",
                            "subject": account,
                            "category": "profile",
                        },
                    ],
                },
            }
        ],
    }


@asynccontextmanager
async def _gateway(
    folder: Path, upstream: str, issuer: str, partial: str
) -> AsyncIterator[RunningGateway]:
    folder.mkdir()
    deployment = {"grounds": {"self_access": True}, "partial": {"archive": partial}}
    (folder / "deployment.json").write_text(json.dumps(deployment))
    key = folder / "pseudonym-key"
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(32))
    config = folder / "gateway.yaml"
    config.write_text(json.dumps(_configuration(folder, upstream, issuer), indent=2))
    with (folder / "gateway.log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "run", "--config", str(config),
            stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        url, admin = await _addresses(child, folder / "gateway.log")
        await _ready(admin)
        yield RunningGateway(url, admin, folder / "decisions.jsonl", key, child.pid)
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


async def _addresses(child: asyncio.subprocess.Process, log: Path) -> tuple[str, str]:
    """The gateway says on standard output where it listens."""
    assert child.stdout
    line = await child.stdout.readline()
    if not line:
        await child.wait()
        raise RuntimeError(f"the gateway did not start:\n{log.read_text()[-2000:]}")
    words = json.loads(line)
    return words["listen"], words["admin"]


async def _ready(admin: str) -> None:
    async with ClientSession() as session:
        for _ in range(300):
            try:
                async with session.get(f"{admin}/readyz") as answer:
                    if answer.status == 200:
                        return
            except ClientError:
                pass
            await asyncio.sleep(0.1)
    raise RuntimeError("the gateway did not become ready")
