"""What a running OPA has loaded."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from gateway.workbench.opamodules import of_opa
from gateway.workbench.unusable import Unusable
from tests.support.opa import running_opa


@asynccontextmanager
async def answering(body: bytes, status: int = 200) -> AsyncIterator[str]:
    """A server that answers everything alike, in OPA's place."""

    async def answer(_: web.Request) -> web.Response:
        location = {"Location": "http://127.0.0.1:9/"} if 300 <= status < 400 else {}
        return web.Response(body=body, status=status, headers=location)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.opa
async def test_modules_and_deployment_come_from_a_real_opa(opa_binary: str, tmp_path: Path) -> None:
    deployment = {"grounds": {"self_access": True}}
    async with running_opa(opa_binary, tmp_path, deployment) as opa:
        loaded = await of_opa(opa.url)
    assert any(name.endswith("privacy/decision/decision.rego") for name in loaded.texts)
    assert json.loads(loaded.data) == {"privacy": {"deployment": deployment}}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{}", 404, "answered 404"),
        (b"{}", 302, "answered 302"),
        (b"nonsense", 200, "not strict JSON"),
        (b"[]", 200, "shows no modules"),
        (b'{"result": []}', 200, "shows no modules"),
        (b'{"result": [{"id": 1}, 3]}', 200, "shows no modules"),
    ],
)
async def test_an_answer_of_something_else_is_unusable(
    body: bytes, status: int, words: str
) -> None:
    async with answering(body, status) as url:
        with pytest.raises(Unusable, match=words) as caught:
            await of_opa(url)
    assert "\n" not in str(caught.value)
