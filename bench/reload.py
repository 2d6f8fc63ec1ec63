"""Requests that fail while the policy is replaced again and again: there must be none.

`python -m bench.reload [seconds]` runs it alone; it needs no other contestant.
"""

import asyncio
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientError, ClientSession, web

from bench.guarded import gateway_config, token_and_keys
from bench.servers import ROOT, free_port, started, workspace

_CALLERS = 8
_EVERY = 1.0
"""Seconds between two versions of the policy."""
BODY = json.dumps({"orders": [{"customer": {"id": "A1"}, "n": n} for n in range(40)]}).encode()


class _Policy:
    """The shipped policies, published under one revision after the other by swapping a link."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.versions = folder, 0
        self.bundle = folder / "current"

    def publish(self) -> None:
        self.versions += 1
        version = self._folder / f"v{self.versions}"
        shutil.copytree(ROOT / "policies", version, ignore=shutil.ignore_patterns("*_test.rego"))
        manifest = {"roots": ["privacy"], "revision": f"v{self.versions}"}
        (version / ".manifest").write_text(json.dumps(manifest))
        new = self._folder / "new"
        new.symlink_to(version)
        new.replace(self.bundle)


@asynccontextmanager
async def _upstream() -> AsyncIterator[int]:
    async def respond(_: web.BaseRequest) -> web.Response:
        return web.Response(body=BODY, content_type="application/json")

    runner = web.ServerRunner(web.Server(respond, access_log=None))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _run(folder: Path, seconds: float) -> dict[str, float]:
    token, policy = token_and_keys(folder), _Policy(folder)
    policy.publish()
    port, admin = free_port(), free_port()
    async with _upstream() as upstream:
        delivery = {"polling": {"files": "100ms"}}
        settings = {"bundle": str(policy.bundle), "delivery": delivery}
        config = {**gateway_config(folder, port, admin, upstream), "policy": settings}
        (folder / "gateway.yaml").write_text(json.dumps(config))
        command = [sys.executable, "-m", "gateway", "run", "--config", str(folder / "gateway.yaml")]
        ready = started(command, f"http://127.0.0.1:{admin}/readyz")
        await asyncio.to_thread(ready.__enter__)
        try:
            return await _load(f"http://127.0.0.1:{port}/2k.json", admin, token, policy, seconds)
        finally:
            await asyncio.to_thread(ready.__exit__, None, None, None)


async def _load(
    url: str, admin: int, token: str, policy: _Policy, seconds: float
) -> dict[str, float]:
    asked = failed = 0
    over = asyncio.Event()
    async with ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:

        async def call() -> None:
            nonlocal asked, failed
            while not over.is_set():
                asked += 1
                try:
                    async with session.get(url) as answer:
                        failed += answer.status != 200 or await answer.read() != BODY
                except ClientError:
                    failed += 1

        callers = [asyncio.create_task(call()) for _ in range(_CALLERS)]
        for _ in range(int(seconds / _EVERY)):
            policy.publish()
            await asyncio.sleep(_EVERY)
        over.set()
        await asyncio.gather(*callers)
        async with session.get(f"http://127.0.0.1:{admin}/metrics") as answer:
            found = re.search(r"(?m)^\w+policy_activations_total (\S+)", await answer.text())
    activations = float(found[1]) if found else 0.0
    return {"requests": asked, "failed": failed, "reloads": activations - 1}


def measure(seconds: float) -> dict[str, float]:
    """Requests asked, those that were not answered whole with 200, and how often the policy was
    replaced meanwhile. Exits where it never was: then nothing was measured."""
    with workspace() as folder:
        result = asyncio.run(_run(folder, seconds))
    if result["reloads"] < 1:
        sys.exit("the policy was never replaced: measure for longer")
    return result


if __name__ == "__main__":
    print(json.dumps(measure(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)))
