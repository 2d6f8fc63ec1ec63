"""The raw pass-through is one: what is sent arrives, in both directions."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientConnectionError, ClientResponse, ClientSession, web
from yarl import URL

from bench.servers import ROOT, free_port

BODY = b"x" * 100_000


async def answer(request: web.Request) -> web.Response:
    said = {
        "X-Method": request.method,
        "X-Target": request.raw_path,
        "X-Token": request.headers.get("Authorization", ""),
        "X-Hop": request.headers.get("X-Private", "none"),
        "X-Sent": str(len(await request.read())),
        "Content-Type": "application/problem+json",
    }
    return web.Response(body=BODY, status=418, headers=said)


@asynccontextmanager
async def passing(*options: str) -> AsyncIterator[str]:
    """The address of a pass-through in front of a service."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", upstream := free_port()).start()
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.passthrough", str(port), f"http://127.0.0.1:{upstream}",
        *options, cwd=ROOT,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()
        await runner.cleanup()


async def asked(url: str, method: str) -> tuple[ClientResponse, bytes]:
    """Its answer, as soon as it listens."""
    target = URL(f"{url}/%41%2Fb?c=%7E", encoded=True)
    fields = {"Authorization": "Bearer a", "Connection": "X-Private", "X-Private": "secret"}
    data = b"hello" if method == "POST" else None
    async with ClientSession() as session:
        while True:
            try:
                async with session.request(method, target, headers=fields, data=data) as response:
                    return response, await response.read()
            except ClientConnectionError:
                await asyncio.sleep(0)


async def test_method_target_fields_and_body_arrive_and_so_do_the_answer_s() -> None:
    async with passing() as url:
        response, body = await asked(url, "POST")
    assert (response.status, body) == (418, BODY)
    told = response.headers
    assert (told["X-Method"], told["X-Target"], told["X-Sent"]) == ("POST", "/%41%2Fb?c=%7E", "5")
    assert (told["X-Token"], told["X-Hop"]) == ("Bearer a", "none")
    assert told["Content-Type"] == "application/problem+json"


async def test_a_bare_one_hands_on_the_body_alone() -> None:
    async with passing("--bare") as url:
        response, body = await asked(url, "GET")
    assert (response.status, body) == (200, BODY)
    assert "X-Token" not in response.headers
