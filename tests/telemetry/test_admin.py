"""The admin server: three paths, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession

from gateway.telemetry.admin import AdminServer
from gateway.telemetry.exposition import Format
from gateway.telemetry.metrics import Metrics


@asynccontextmanager
async def serving(checks: Mapping[str, bool], **details: Any) -> AsyncIterator[str]:
    async def current() -> Mapping[str, bool]:
        return checks

    server = AdminServer("127.0.0.1", 0, Metrics(), current, lambda: details)
    await server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await server.stop()


async def test_it_is_ready_when_every_check_holds() -> None:
    async with serving({"policy": True, "keys": True}) as url, ClientSession() as session:
        answer = await session.get(f"{url}/readyz")
        assert answer.status == 200
        assert (await answer.json())["checks"] == {"policy": True, "keys": True}


async def test_it_names_the_check_that_fails_and_is_alive_all_the_same() -> None:
    async with serving({"policy": False, "keys": True}) as url, ClientSession() as session:
        answer = await session.get(f"{url}/readyz")
        assert answer.status == 503
        assert (await answer.json())["checks"]["policy"] is False
        assert (await session.get(f"{url}/healthz")).status == 200


async def test_it_shows_what_must_be_seen_and_stays_ready() -> None:
    observing = [{"endpoint": "orders", "until": "2026-06-01T00:00:00Z"}]
    async with serving({"policy": True}, observing=observing) as url, ClientSession() as session:
        answer = await session.get(f"{url}/readyz")
        assert answer.status == 200
        assert await answer.json() == {
            "status": "ready",
            "checks": {"policy": True},
            "observing": observing,
        }


@pytest.mark.parametrize("exposition", Format)
async def test_metrics_are_served_as_the_scraper_asks_and_other_paths_are_not_there(
    exposition: Format,
) -> None:
    async with serving({}) as url, ClientSession() as session:
        answer = await session.get(f"{url}/metrics", headers={"Accept": exposition.value})
        assert answer.headers["Content-Type"] == exposition.value
        assert b"privacy_gateway_build_info" in await answer.read()
        assert (await session.get(f"{url}/debug")).status == 404


async def test_metrics_are_text_for_whoever_does_not_say_what_they_like() -> None:
    async with serving({}) as url, ClientSession(skip_auto_headers=["Accept"]) as session:
        answer = await session.get(f"{url}/metrics")
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")


async def test_a_scrape_tells_what_readyz_found_and_does_not_ask_again() -> None:
    asked: list[bool] = []

    async def checks() -> Mapping[str, bool]:
        asked.append(True)
        return {"policy": len(asked) > 1, "keys": True}

    server = AdminServer("127.0.0.1", 0, Metrics(), checks)
    await server.start()
    try:
        url = f"http://127.0.0.1:{server.port}"
        async with ClientSession() as session:
            for _ in range(2):
                text = await (await session.get(f"{url}/metrics")).text()
                assert "privacy_gateway_ready 0.0" in text
                assert 'privacy_gateway_check_ok{check="policy"} 0.0' in text
                assert 'privacy_gateway_check_ok{check="keys"} 1.0' in text
            assert len(asked) == 1
            assert (await session.get(f"{url}/readyz")).status == 200  # which always asks
            text = await (await session.get(f"{url}/metrics")).text()
            assert "privacy_gateway_ready 1.0" in text
            assert len(asked) == 2
    finally:
        await server.stop()


async def test_only_reading_is_served() -> None:
    async with serving({}) as url, ClientSession() as session:
        answer = await session.post(f"{url}/metrics")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /canary HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /canary HTTP/9.9\r\n\r\n",
        b"canary\r\n\r\n",
        b"GET / HTTP/1.1\r\ncanary\x00: x\r\n\r\n",
    ],
)
async def test_no_answer_quotes_its_request_or_names_the_software(request_: bytes) -> None:
    """F02, F19."""
    async with serving({}) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(request_)
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        assert head.startswith(b"HTTP/1.")
        assert b"canary" not in head
        assert b"server" not in head.lower()


async def test_only_a_post_from_the_pod_itself_begins_a_drain() -> None:
    async def checks() -> Mapping[str, bool]:
        return {}

    drained: list[bool] = []
    server = AdminServer("0.0.0.0", 0, Metrics(), checks, drain=lambda: drained.append(True))
    await server.start()
    here, elsewhere = (f"http://{host}:{server.port}/drain" for host in ("127.0.0.1", "127.0.0.6"))
    try:
        async with ClientSession() as session:
            assert (await session.post(elsewhere)).status == 403
            assert (await session.get(elsewhere)).status == 403
            assert (await session.get(here)).status == 405
            assert (await session.post(here, headers={"Origin": "null"})).status == 403  # a page
            assert not drained
            answer = await session.post(here)
            assert (answer.status, await answer.json()) == (200, {"status": "draining"})
            assert drained == [True]
    finally:
        await server.stop()


async def test_no_web_page_begins_a_drain() -> None:
    """A POST without a body needs no leave of the server's, in the browser of anybody who forwards
    the port (https://fetch.spec.whatwg.org/#cors-safelisted-method)."""
    drained: list[bool] = []
    server = AdminServer("127.0.0.1", 0, Metrics(), _ready, drain=lambda: drained.append(True))
    await server.start()
    url = f"http://127.0.0.1:{server.port}/drain"
    try:
        async with ClientSession() as session:
            page = {"Origin": "https://stranger.example", "Content-Type": "text/plain"}
            assert (await session.post(url, headers=page)).status == 403
            assert not drained
            assert (await session.post(url)).status == 200
            assert drained == [True]
    finally:
        await server.stop()


async def test_whoever_opens_very_many_connections_shuts_nobody_out() -> None:
    server = AdminServer("127.0.0.1", 0, Metrics(), _ready)
    await server.start()
    silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(200)]
    try:
        async with ClientSession() as session, asyncio.timeout(30):
            for path in ("healthz", "readyz", "metrics"):
                answer = await session.get(f"http://127.0.0.1:{server.port}/{path}")
                assert answer.status == 200
            ended = await asyncio.gather(*(end(reader) for reader, _ in silent[:72]))
        assert all(ended)
        assert not any(reader.at_eof() for reader, _ in silent[73:])
    finally:
        for _, writer in silent:
            writer.transport.abort()
        await server.stop()


async def end(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def _ready() -> Mapping[str, bool]:
    return {"policy": True}
