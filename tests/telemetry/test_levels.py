"""Log levels of rooms, changed while the gateway runs, and only from the loopback address."""

import ast
import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import ClientSession, StreamReader, TCPConnector

from gateway.log import Log
from gateway.telemetry.admin import AdminServer
from gateway.telemetry.levels import ROOMS, LogLevels
from gateway.telemetry.metrics import Metrics
from tests.support.said import capture_logs

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
GATEWAY = Path(__file__).parents[2] / "gateway"


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    yield
    for room in ROOMS:
        logging.getLogger(f"gateway.{room}").setLevel(logging.NOTSET)


@asynccontextmanager
async def serving(host: str = "127.0.0.1") -> AsyncIterator[tuple[str, LogLevels]]:
    levels = LogLevels("info", lambda: NOW)
    server = AdminServer(host, 0, Metrics(), _no_checks, log_levels=levels)
    await server.start()
    try:
        yield f"http://127.0.0.1:{server.port}/log-levels", levels
    finally:
        await server.stop()


async def _no_checks() -> dict[str, bool]:
    return {}


async def put(url: str, body: Any, session: ClientSession) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with session.put(url, data=data) as answer:
        return answer.status, await answer.json()


def heard(room: str) -> bool:
    with capture_logs() as lines:
        Log(f"gateway.{room}.module").debug("heard")
    return bool(lines)


async def test_a_room_is_heard_at_debug_level_and_the_others_are_not() -> None:
    async with serving() as (url, _), ClientSession() as session:
        assert not heard("identity")
        status, shown = await put(f"{url}/identity", {"level": "debug"}, session)
        assert status == 200 and shown["rooms"]["identity"] == {"level": "debug"}
        assert heard("identity") and not heard("policy")
        await put(f"{url}/identity", {"level": "info"}, session)
        assert not heard("identity")


async def test_all_rooms_are_shown() -> None:
    async with serving() as (url, _), ClientSession() as session, session.get(url) as answer:
        assert await answer.json() == {
            "configured": "info",
            "rooms": {room: {"level": "info"} for room in ROOMS},
        }


async def test_a_level_ends_with_its_time_and_says_when() -> None:
    async with serving() as (url, levels), ClientSession() as session:
        _, shown = await put(f"{url}/policy", {"level": "debug", "for": "10m"}, session)
        assert shown["rooms"]["policy"] == {"level": "debug", "until": "2026-07-01T12:10:00Z"}
        ended = asyncio.Event()
        end = levels._end

        def told(room: str) -> None:
            end(room)
            ended.set()

        levels._end = told  # type: ignore[method-assign]
        await put(f"{url}/policy", {"level": "debug", "for": "1ms"}, session)
        await asyncio.wait_for(ended.wait(), 10)
        assert not heard("policy") and levels.shown()["rooms"]["policy"] == {"level": "info"}


async def test_a_later_change_is_not_ended_by_an_earlier_ones_time() -> None:
    levels = LogLevels("info")
    levels.set("policy", "debug", 0.001)
    levels.set("policy", "error")
    await asyncio.sleep(0.05)  # past what would have ended it
    assert levels.shown()["rooms"]["policy"] == {"level": "error"}
    levels.stop()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/nowhere", {"level": "debug"}, 404),
        ("/identity/keys", {"level": "debug"}, 404),
        ("/identity", {"level": "canary"}, 400),
        ("/identity", {"level": 10}, 400),
        ("/identity", {"level": ["debug"]}, 400),
        ("/identity", {}, 400),
        ("/identity", {"level": "debug", "canary": 1}, 400),
        ("/identity", {"level": "debug", "for": 600}, 400),
        ("/identity", {"level": "debug", "for": "canary"}, 400),
        ("/identity", {"level": "debug", "for": "8d"}, 400),
        ("/identity", {"level": "debug", "for": "0s"}, 400),
        ("/identity", b"canary", 400),
        ("/identity", b"[" * 1000, 400),
        ("/identity", b'{"level": "debug"}' + b" " * 2000, 400),
        ("", {"level": "debug"}, 405),
    ],
)
async def test_what_can_not_be_set_changes_nothing_and_is_not_quoted(
    path: str, body: Any, status: int
) -> None:
    async with serving() as (url, levels), ClientSession() as session:
        before = levels.shown()
        answer = await put(url + path, body, session)
        assert answer[0] == status and "canary" not in str(answer[1])
        assert levels.shown() == before


async def test_a_body_counts_whole_in_however_many_pieces_it_comes() -> None:
    levels = LogLevels("info")
    content = StreamReader(Mock(), 2**16)
    request = Mock(path="/log-levels/identity", method="PUT", headers={}, content=content)
    request.transport.get_extra_info.return_value = ("127.0.0.1", 1)
    content.feed_data(b'{"level": "debug"')
    asked = asyncio.create_task(levels.serve(request))
    for _ in range(3):
        await asyncio.sleep(0)  # it has read the first piece
    content.feed_data(b"}")
    content.feed_eof()
    status, shown = await asked
    assert status == 200 and shown["rooms"]["identity"] == {"level": "debug"}
    levels.stop()


async def test_only_get_and_put_are_served() -> None:
    async with serving() as (url, _), ClientSession() as session:
        for method in ("POST", "DELETE", "OPTIONS", "PATCH"):
            async with session.request(method, f"{url}/identity") as answer:
                assert answer.status == 405


async def test_a_peer_that_is_not_the_pod_itself_neither_sees_nor_changes_a_level() -> None:
    """127.0.0.2 stands for a stranger, and for a service mesh (127.0.0.6); a pod's other address
    for the scraper. `/metrics` is served to all of them."""
    async with serving("0.0.0.0") as (url, levels):
        before = levels.shown()
        async with ClientSession(connector=TCPConnector(local_addr=("127.0.0.2", 0))) as stranger:
            assert (await put(f"{url}/identity", {"level": "debug"}, stranger))[0] == 403
            assert (await stranger.get(url)).status == 403
            assert (await stranger.get(url.replace("log-levels", "metrics"))).status == 200
        async with ClientSession() as near:
            other = url.replace("127.0.0.1", "127.0.0.3")
            assert (await put(f"{other}/identity", {"level": "debug"}, near))[0] == 403
            assert levels.shown() == before
            assert (await put(f"{url}/identity", {"level": "debug"}, near))[0] == 200


async def test_a_body_may_come_in_pieces() -> None:
    async with serving() as (url, levels):
        host, port = url.removeprefix("http://").split("/")[0].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"PUT /log-levels/identity HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for piece in ('{"level":', ' "debug"}', " " * 10):
            writer.write(f"{len(piece):x}\r\n{piece}\r\n".encode())
            await writer.drain()
            await asyncio.sleep(0.02)  # pace only: in one piece they would pass anyhow
        writer.write(b"0\r\n\r\n")
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert levels.shown()["rooms"]["identity"] == {"level": "debug"}


async def test_a_page_in_the_browser_of_whoever_forwards_the_port_changes_nothing() -> None:
    """A browser names the page that asks in `Origin`, and lets any page post anywhere."""
    async with serving() as (url, levels), ClientSession() as session:
        before = levels.shown()
        for origin in ("https://elsewhere.test", "null", ""):
            async with session.put(
                f"{url}/identity", json={"level": "debug"}, headers={"Origin": origin}
            ) as answer:
                assert answer.status == 403
        assert levels.shown() == before


async def test_levels_end_with_the_server() -> None:
    async with serving() as (url, _), ClientSession() as session:
        await put(f"{url}/identity", {"level": "debug", "for": "10m"}, session)
        assert heard("identity")
    assert not heard("identity")


async def test_a_change_is_said() -> None:
    levels = LogLevels("info")
    with capture_logs() as lines:
        levels.set("spool", "debug")
    assert {"event": "log level changed", "room": "spool", "level": "debug"}.items() <= (
        lines[0].items()
    )
    levels.stop()


def _modules() -> Iterator[tuple[str, str, str]]:
    """Each module of the gateway with a log of its own: its room, its dotted name, its text.

    The injector is another program: it has no exchanges, and its admin port no levels."""
    for path in GATEWAY.rglob("*.py"):
        text = path.read_text()
        if re.search(r"^_LOG = ", text, re.MULTILINE) and "injector" not in path.parts:
            parts = path.relative_to(GATEWAY).with_suffix("").parts
            yield parts[0], ".".join(parts), text


def test_the_rooms_are_those_that_say_something() -> None:
    """The injector is a program of its own, whose level is an option of its command line."""
    assert sorted({room for room, _, _ in _modules()} - {"injector"}) == list(ROOMS)


def test_no_room_is_without_a_line_below_a_warning() -> None:
    """Else its level would have no point."""
    for room in ROOMS:
        texts = [text for each, _, text in _modules() if each == room]
        assert any("_LOG.debug(" in text or "_LOG.info" in text for text in texts), room


def test_events_are_words_of_the_code() -> None:
    """A text made of values could hold anything."""
    for _, name, text in _modules():
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "_LOG"
            ):
                told = node.args[0]
                assert isinstance(told, ast.Constant) or name == "injector.files", name
