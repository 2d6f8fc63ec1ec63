"""The container's health check: where it asks, and what it says."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from gateway import health
from gateway.config import load
from tests.cli.conftest import config
from tests.config.conftest import folder

__all__ = ["config", "folder"]


@pytest_asyncio.fixture
async def admin_port(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    """A server whose /healthz answers with the test's parameter, and all else with 404."""

    async def respond(asked: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=request.param if asked.path == "/healthz" else 404)

    runner = web.ServerRunner(web.Server(respond, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def checked(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """The program, as a container runs it."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "gateway.health", *map(str, arguments)],
        capture_output=True, text=True, env=environ, check=False, timeout=30,
    )  # fmt: skip


@pytest.mark.parametrize("admin_port", [200], indirect=True)
async def test_a_gateway_that_answers_is_healthy(admin_port: int, tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(f"admin: 127.0.0.1:{admin_port}\n")
    result = await checked(path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("admin_port", [503], indirect=True)
async def test_another_answer_is_not_healthy(admin_port: int, tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(f"admin: 0.0.0.0:{admin_port}\n")
    result = await checked(path)
    assert result.returncode == 1
    assert result.stderr == "not healthy: /healthz answers 503\n"


@pytest.mark.parametrize("admin_port", [200], indirect=True)
async def test_the_variable_takes_the_place_of_the_file(admin_port: int, tmp_path: Path) -> None:
    environ = {"PRIVACY_GATEWAY_ADMIN": f"127.0.0.1:{admin_port}"}
    assert (await checked(tmp_path / "absent", **environ)).returncode == 0


async def test_nobody_there_is_not_healthy(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("admin: 127.0.0.1:1\n")
    result = await checked(path)
    assert (result.returncode, result.stderr) == (1, "not healthy: ConnectionRefusedError\n")


@pytest.mark.parametrize(
    "text", ["", "[", "admin: nowhere\n", "admin: 127.0.0.1:99999\n", "admin: {}\nx: *y\n"]
)
def test_a_file_that_says_nothing_usable_is_one_line_and_no_trace(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "ADMIN", "127.0.0.1:1")
    path = tmp_path / "gateway.yaml"
    path.write_text(text)
    assert health.main([str(path)], {}) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_it_asks_where_run_would_listen(config: Path) -> None:
    assert health.admin(config, {}) == str(load(config, {}).admin)
    environ = {health.VARIABLE: "[::1]:9999"}
    assert health.admin(config, environ) == str(load(config, environ).admin)
    config.write_text(config.read_text() + '\nadmin: "127.0.0.1:7000"\n')
    assert health.admin(config, {}) == str(load(config, {}).admin)
