"""One body from a URL: as it came, with its status and head."""

import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from gateway.errors import Code
from gateway.workbench.desk import Desk, Trial
from gateway.workbench.fetching import bearer, fetched
from gateway.workbench.unusable import Unusable

BODY = b'{"orders": [{"customer": {"id": "A1"}}]}'
TRIAL_CLAIMS = {"sub": "A1"}


async def _orders(request: web.Request) -> web.Response:
    if request.headers.get("Authorization") not in (None, "Bearer secret"):
        return web.Response(status=401)
    return web.Response(body=BODY, content_type="application/json")


async def _packed(_: web.Request) -> web.Response:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    return web.Response(body=gzip.compress(BODY, mtime=0), headers=headers)


async def _moved(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/orders"})


async def _cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"{")
    assert request.transport is not None
    request.transport.close()
    return response


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[str]:
    application = web.Application()
    for name, handler in (
        ("orders", _orders), ("packed", _packed), ("moved", _moved), ("cut", _cut),
    ):  # fmt: skip
        application.router.add_get(f"/{name}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_body_is_judged_as_it_came(desk: Desk, upstream: str) -> None:
    for name in ("orders", "packed"):
        given = await fetched(f"{upstream}/{name}", "secret" if name == "orders" else None)
        verdict = await desk.judge(Trial("orders", TRIAL_CLAIMS, given))
        assert verdict.refusal is None and verdict.counts.released == 1


async def test_what_is_no_200_is_refused_as_it_would_be_from_the_upstream(
    desk: Desk, upstream: str
) -> None:
    trial = Trial("orders", TRIAL_CLAIMS, await fetched(f"{upstream}/orders", "wrong"))
    verdict = await desk.judge(trial)
    assert verdict.refusal is not None and verdict.refusal.code is Code.UPSTREAM_REFUSED
    moved = replace(trial, sample=await fetched(f"{upstream}/moved", None))
    verdict = await desk.judge(moved)
    assert verdict.refusal is not None and verdict.refusal.code is Code.UPSTREAM_STATUS


async def test_a_body_that_is_too_large_or_cut_is_unusable(upstream: str) -> None:
    with pytest.raises(Unusable, match="more than"):
        await fetched(f"{upstream}/orders", None, largest=10)
    with pytest.raises(Unusable, match="no complete answer"):
        await fetched(f"{upstream}/cut", None)


@pytest.mark.parametrize(
    "url",
    [
        "orders.json",
        "ftp://a/b",
        "http://",
        "http:///x",
        "http://u:p@a/",
        "http://[",
        "http://a:b/",
    ],
)
async def test_what_is_no_url_is_unusable(url: str) -> None:
    with pytest.raises(Unusable, match="--url"):
        await fetched(url, None)


async def test_nobody_there_is_unusable() -> None:
    with pytest.raises(Unusable, match="no complete answer"):
        await fetched("http://127.0.0.1:9/", None)


def test_a_token_comes_from_the_environment_or_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret\nnote\n")
    assert bearer(None, file) == "secret"
    assert bearer("secret", None) == "secret"
    assert bearer(None, None) is None


@pytest.mark.parametrize("content", [b"", b"\xff", b"a\tb"])
def test_what_is_no_token_is_unusable_and_never_shown(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(Unusable) as caught:
        bearer(None, file)
    assert "a\tb" not in str(caught.value)
    with pytest.raises(Unusable, match="No such file"):
        bearer(None, tmp_path / "nothing")
