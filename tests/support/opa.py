"""A real OPA beside a gateway, with the shipped bundle and a deployment's own data."""

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from tests.conftest import REPOSITORY
from tests.support.waiting import until_ok


@dataclass(frozen=True)
class RunningOpa:
    """Where it listens, and the process it is."""

    url: str
    process: asyncio.subprocess.Process


@asynccontextmanager
async def running_opa(
    binary: str | Path, folder: Path, deployment: Mapping[str, Any]
) -> AsyncIterator[RunningOpa]:
    """Start OPA on the shipped policies with this deployment data; it ends with the block."""
    bundle = folder / "opa-bundle"
    shutil.copytree(REPOSITORY / "policies", bundle, ignore=shutil.ignore_patterns("*_test.rego"))
    (bundle / "privacy" / "deployment" / "data.json").write_text(json.dumps(deployment))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with (folder / "opa.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(binary), "run", "--server", "--addr", address, "--bundle", str(bundle),
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        async with ClientSession() as session:
            said = (folder / "opa.log").read_text
            await until_ok(session, f"http://{address}/health?bundles", said, process)
        yield RunningOpa(f"http://{address}", process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
