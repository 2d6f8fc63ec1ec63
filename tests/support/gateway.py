"""A real gateway for end-to-end tests: `privacy-gateway run` in a process of its own, between a
scripted export service and a real issuer, everything on loopback sockets."""

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, DummyCookieJar, web

from gateway.decisionlog.file import anchor_path
from gateway.decisionlog.key import read_key
from gateway.decisionlog.verify import Verification, verify
from tests.conftest import REPOSITORY
from tests.support.children import children
from tests.support.codings import CODED
from tests.support.issuer import TestIssuer
from tests.support.waiting import until_ok

POLICIES = REPOSITORY / "policies"


async def _at_once(_: web.BaseRequest) -> None: ...


@dataclass
class ExportService:
    """An upstream that answers each path with what the test put there, and counts."""

    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    before: Callable[[web.BaseRequest], Awaitable[None]] = field(default=_at_once)
    """Awaited by every request before it is answered."""
    _held: tuple[asyncio.Event, asyncio.Event] | None = None

    def answer(
        self,
        path: str,
        body: bytes,
        media_type: str,
        *,
        status: int = 200,
        codings: Sequence[str] = (),
    ) -> None:
        headers = {"Content-Type": media_type}
        for coding in codings:
            body = CODED[coding][0](body)
        if codings:
            headers["Content-Encoding"] = ", ".join(codings)
        self.answers[path] = (status, headers, body)

    def hold(self, arrived: asyncio.Event, go_on: asyncio.Event) -> None:
        """From now on set `arrived` when a request comes, and answer when `go_on` is set."""
        self._held = (arrived, go_on)

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path)
        self.headers.append(dict(request.headers))
        await self.before(request)
        if self._held:
            self._held[0].set()
            await self._held[1].wait()
        status, headers, body = self.answers[request.path]
        return web.Response(status=status, headers=headers, body=body)


@dataclass(frozen=True)
class Answer:
    """What a client got."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The refusal code, or an empty text."""
        return json.loads(self.body).get("code", "") if self.status != 200 else ""


@dataclass
class RunningGateway:
    """One gateway process."""

    url: str
    admin: str
    folder: Path
    process: asyncio.subprocess.Process
    session: ClientSession
    token: str = ""
    asked: int = 0

    async def get(self, path: str, token: str | None = None, **headers: str) -> Answer:
        """One GET with a bearer token (the fixture's own by default, none for an empty text)."""
        self.asked += 1
        bearer = self.token if token is None else token
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        # The body is kept as it came: a client that decodes would hide what was sent.
        async with self.session.get(self.url + path, headers=headers) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.read())

    async def metrics(self) -> str:
        async with self.session.get(f"{self.admin}/metrics") as answer:
            return await answer.text()

    async def checks(self) -> dict[str, bool]:
        async with self.session.get(f"{self.admin}/readyz") as answer:
            checks: dict[str, bool] = (await answer.json())["checks"]
            return checks

    async def readiness(self) -> dict[str, Any]:
        """What /readyz says, with its status."""
        async with self.session.get(f"{self.admin}/readyz") as answer:
            body: dict[str, Any] = await answer.json()
            return {"code": answer.status, **body}

    async def alive(self) -> bool:
        async with self.session.get(f"{self.admin}/healthz") as answer:
            return answer.status == 200

    @property
    def log(self) -> Path:
        return self.folder / "decisions.jsonl"

    def entries(self) -> list[dict[str, Any]]:
        """The log's entries, without the self-proof's."""
        lines = map(json.loads, self.log.read_text().splitlines())
        return [line for line in lines if not line.get("probe")]

    def verify(self) -> Verification:
        return verify(
            self.log, anchor=anchor_path(self.log), key=read_key(self.folder / "pseudonym-key")
        )

    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    def children(self, containing: str) -> list[int]:
        """The worker processes whose command line contains a text."""
        return children(self.process.pid, containing)

    async def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


@asynccontextmanager
async def serving(service: ExportService) -> AsyncIterator[str]:
    """The export service's address."""
    runner = web.ServerRunner(web.Server(service.respond, access_log=None))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def configuration(
    folder: Path,
    issuer: TestIssuer,
    upstream: str,
    endpoints: Sequence[Mapping[str, Any]],
    *,
    identifiers: Mapping[str, Any] | None = None,
    deployment: Mapping[str, Any] | None = None,
    **sections: Any,
) -> Path:
    """Write a whole configuration into `folder`; returns its path."""
    issuer.write_jwks(folder / "jwks.json")
    key = folder / "pseudonym-key"
    if not key.exists():
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(32))
    policy: dict[str, Any] = {"bundle": str(POLICIES), **sections.pop("policy", {})}
    if deployment is not None:
        (folder / "deployment.json").write_text(json.dumps(deployment))
        policy["data"] = str(folder / "deployment.json")
    config = {
        "listen": "127.0.0.1:0",
        "admin": "127.0.0.1:0",
        "upstream": upstream,
        "identity": {
            "issuers": [
                {
                    "issuer": issuer.issuer,
                    "audience": issuer.audience,
                    "jwks": str(folder / "jwks.json"),
                    "algorithms": ["RS256"],
                    "identifiers": identifiers or {"account": "sub"},
                }
            ]
        },
        "policy": policy,
        "decision_log": {"file": str(folder / "decisions.jsonl"), "pseudonym_key_file": str(key)},
        "spool": {"directory": str(folder / "spool")},
        "endpoints": list(endpoints),
        **sections,
    }
    path = folder / "gateway.yaml"
    path.write_text(json.dumps(config, indent=2))
    return path


@asynccontextmanager
async def running(
    config: Path,
    *,
    ready: bool = True,
    module: str = "gateway",
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[RunningGateway]:
    """Start a gateway, wait until it is ready, end it with the block."""
    folder = config.parent
    async with AsyncExitStack() as stack:
        process = await _spawned(config, module, environ)
        assert process.stdout
        line = await process.stdout.readline()
        if not line:
            await process.wait()
            raise AssertionError((folder / "stderr").read_text())
        words = json.loads(line)
        session = await stack.enter_async_context(
            ClientSession(auto_decompress=False, cookie_jar=DummyCookieJar())
        )
        gateway = RunningGateway(words["listen"], words["admin"], folder, process, session)
        try:
            if ready:
                await until_ok(session, f"{gateway.admin}/readyz", gateway.stderr, process)
            yield gateway
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            process._transport.close()  # type: ignore[attr-defined]  # or its pipe warns at exit


@asynccontextmanager
async def starting(config: Path) -> AsyncIterator[RunningGateway]:
    """A gateway whose two ports the configuration names, as soon as its admin port answers."""
    folder, settings = config.parent, json.loads(config.read_text())
    urls = {name: f"http://{settings[name]}" for name in ("listen", "admin")}
    process = await _spawned(config)
    try:
        async with ClientSession(auto_decompress=False, cookie_jar=DummyCookieJar()) as session:
            gateway = RunningGateway(urls["listen"], urls["admin"], folder, process, session)
            while True:
                assert process.returncode is None, gateway.stderr()
                with suppress(ClientError):
                    await gateway.metrics()
                    break
                await asyncio.sleep(0.02)  # a bounded poll (pytest-timeout) of another process
            yield gateway
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]  # or its pipe warns at exit


async def _spawned(
    config: Path, module: str = "gateway", environ: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    with (config.parent / "stderr").open("ab") as stderr:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, "run", "--config", str(config),
            stdout=asyncio.subprocess.PIPE, stderr=stderr, cwd=REPOSITORY,
            env={**os.environ, **(environ or {})},
        )  # fmt: skip
