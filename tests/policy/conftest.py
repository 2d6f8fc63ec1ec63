"""Both engines, behind one fixture."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.policy.embedded import EmbeddedEngine
from gateway.policy.engine import Engine, EngineKind
from gateway.policy.opa import OpaEngine
from gateway.policy.settings import PolicySettings
from tests.policy.support import AMPLE, ECHO, shipped_bundle, write_bundle


@dataclass(frozen=True)
class OpaServer:
    """A real OPA process on a free port of the loopback interface."""

    url: str
    process: subprocess.Popen[bytes]


StartOpa = Callable[..., OpaServer]


@pytest.fixture(scope="session")
def start_opa(opa_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartOpa]:
    """Start OPA with a bundle folder; every process ends with the session."""
    with ExitStack() as stack:
        log = stack.enter_context((tmp_path_factory.mktemp("opa") / "log").open("wb"))

        def start(bundle: Path, *flags: str) -> OpaServer:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                address = f"127.0.0.1:{probe.getsockname()[1]}"
            process = subprocess.Popen(
                [opa_binary, "run", "--server", "--addr", address, "--bundle", str(bundle),
                 "--disable-telemetry", *flags],
                stdout=log, stderr=log,
            )  # fmt: skip
            stack.callback(process.wait)
            stack.callback(process.kill)
            _until_healthy(f"http://{address}/health?bundles", process)
            return OpaServer(f"http://{address}", process)

        yield start


def _until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(400):
        assert process.poll() is None, "OPA ended"
        try:
            with direct.open(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)  # a bounded poll of another process
    raise AssertionError("OPA does not become healthy")


DEPLOYMENT: dict[str, Any] = {
    "grounds": {
        "self_access": True,
        "linked_account": {
            "links": {
                "account": {
                    "string": {
                        "A1": [
                            {"kind": "account", "value": "B7", "expires_at": "2026-06-01T13:00:00Z"}
                        ]
                    }
                }
            }
        },
    },
    "partial": {"voice": "redact"},
    "scopes": {"scoped": ["export", "read"]},
}


@pytest.fixture(scope="session")
def echo_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("echo") / "bundle"
    return write_bundle(folder, {"privacy/echo.rego": ECHO}, revision="echo-1")


@pytest.fixture(scope="session")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The policies that ship, with DEPLOYMENT."""
    return shipped_bundle(tmp_path_factory.mktemp("shipped") / "bundle", DEPLOYMENT)


class Engines:
    """Starts engines of one kind; OPA processes are shared by all tests with the same bundle."""

    def __init__(
        self, kind: EngineKind, request: pytest.FixtureRequest, stack: AsyncExitStack
    ) -> None:
        self.kind, self._request, self._stack = kind, request, stack

    async def start(self, bundle: Path, deadline: float = AMPLE) -> Engine:
        engine: Engine
        if self.kind is EngineKind.OPA:
            servers: dict[Path, OpaServer] = self._request.getfixturevalue("opa_servers")
            if bundle not in servers:
                servers[bundle] = self._request.getfixturevalue("start_opa")(bundle)
            url = servers[bundle].url
            engine = OpaEngine(PolicySettings(engine=self.kind, opa=url, deadline=deadline))
        else:
            engine = EmbeddedEngine(PolicySettings(bundle=bundle, deadline=deadline))
        await engine.start()
        self._stack.push_async_callback(engine.stop)
        return engine


@pytest.fixture(scope="session")
def opa_servers() -> dict[Path, OpaServer]:
    return {}


@pytest_asyncio.fixture(
    params=[EngineKind.EMBEDDED, pytest.param(EngineKind.OPA, marks=pytest.mark.opa)]
)
async def engines(request: pytest.FixtureRequest) -> AsyncIterator[Engines]:
    """What one engine does, the other one does: every test with this runs on both."""
    async with AsyncExitStack() as stack:
        yield Engines(request.param, request, stack)


@pytest_asyncio.fixture
async def echo(engines: Engines, echo_bundle: Path) -> Engine:
    return await engines.start(echo_bundle)


@pytest_asyncio.fixture
async def shipped(engines: Engines, policies: Path) -> Engine:
    return await engines.start(policies)
