"""The API client against an HTTPS server that speaks as the API server does."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.injector import generations
from gateway.injector.kubernetes import Api, ApiError, Fault
from tests.support.kubernetes import PLACES, FakeApi, serving


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[FakeApi]:
    async with serving(FakeApi(tmp_path)) as api:
        yield api


def client(server: FakeApi) -> Api:
    return Api(server.url, server.account)


async def fault(api: Api, path: str = PLACES.secret_path) -> Fault:
    with pytest.raises(ApiError) as caught:
        await api.get(path)
    assert caught.value.path == path
    return caught.value.fault


async def test_an_object_is_read_and_replaced(server: FakeApi) -> None:
    found = await client(server).get(PLACES.secret_path)
    assert found["metadata"]["name"] == PLACES.secret
    done = await client(server).replace(PLACES.secret_path, {**found, "data": {"a": "YQ=="}})
    assert done["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]
    assert server.secret_data() == {"a": b"a"}


async def test_of_two_replacements_of_one_version_the_second_is_a_conflict(server: FakeApi) -> None:
    found = await client(server).get(PLACES.secret_path)
    await client(server).replace(PLACES.secret_path, found)
    with pytest.raises(ApiError) as caught:
        await client(server).replace(PLACES.secret_path, found)
    assert caught.value.fault is Fault.CONFLICT


async def test_the_token_is_read_for_each_request(server: FakeApi) -> None:
    token = (server.account / "token").read_text()
    (server.account / "token").write_text("old")
    assert await fault(client(server)) is Fault.FORBIDDEN
    (server.account / "token").write_text(token)
    await client(server).get(PLACES.secret_path)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, Fault.FORBIDDEN), (403, Fault.FORBIDDEN), (404, Fault.MISSING),
        (409, Fault.CONFLICT), (429, Fault.STATUS), (500, Fault.STATUS), (307, Fault.STATUS),
    ],
)  # fmt: skip
async def test_a_status_is_a_fault(server: FakeApi, status: int, expected: Fault) -> None:
    server.before = lambda *_: status
    assert await fault(client(server)) is expected


async def test_an_object_that_is_not_there_is_missing(server: FakeApi) -> None:
    assert await fault(client(server), "/api/v1/namespaces/x/secrets/y") is Fault.MISSING


async def test_an_api_server_that_is_down_is_unreachable(server: FakeApi) -> None:
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    api = replace(client(server), url=f"https://127.0.0.1:{port}")
    assert await fault(api) is Fault.UNREACHABLE


async def test_somebody_else_in_its_place_is_not_trusted(server: FakeApi, tmp_path: Path) -> None:
    other = generations.issue(["127.0.0.1"], generations.now(), generations.timedelta(hours=1))
    (server.account / "ca.crt").write_bytes(other.ca)
    assert await fault(client(server)) is Fault.UNTRUSTED
    assert server.asked == []


@pytest.mark.parametrize("name", ["token", "ca.crt"])
async def test_without_an_account_nobody_is_asked(server: FakeApi, name: str) -> None:
    for content in (None, "", "\n", "ä", "a\nb"):
        (server.account / name).unlink(missing_ok=True)
        if content is not None:
            (server.account / name).write_text(content)
        assert await fault(client(server)) is Fault.ACCOUNT
    assert server.asked == []


async def test_an_answer_that_is_no_object_is_malformed(server: FakeApi) -> None:
    server.objects[PLACES.secret_path] = []  # type: ignore[assignment]
    assert await fault(client(server)) is Fault.MALFORMED
    server.objects[PLACES.secret_path] = {"data": "x" * (5 << 20)}
    assert await fault(client(server)) is Fault.MALFORMED
