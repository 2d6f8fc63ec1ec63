"""What OPA is asked through: sound answers only, over connections that carry one answer each."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from gateway.policy import opa_session
from gateway.policy.opa_session import NotAnAnswer, Session
from tests.policy.test_opa import Peer, http, serving

CANARY = b"canary-4711"


@asynccontextmanager
async def asking(peer: Peer) -> AsyncIterator[Session]:
    async with serving(peer):
        session = Session(peer.url)
        try:
            yield session
        finally:
            await session.close()


async def test_a_body_is_sent_as_it_is_and_an_answer_is_its_bytes() -> None:
    peer = Peer(http(b'{"a": 1}'))
    async with asking(peer) as session:
        question = {"input": msgspec.Raw(b'{"x":  1}')}
        answer = await session.request("POST", f"{peer.url}/v1/data/x?y=z", json=question)
        assert (answer.status, await answer.json()) == (200, b'{"a": 1}')
        head, _, body = peer.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /v1/data/x?y=z HTTP/1.1\r\nHost: 127.0.0.1:")
        assert body == b'{"input":{"x":  1}}'
        await session.request("GET", f"{peer.url}/health")
        assert peer.requests[1].startswith(b"GET /health HTTP/1.1\r\n")
        assert peer.connections == 1


async def test_a_chunked_answer_is_read_to_its_end() -> None:
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    peer = Peer(head + b"3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n")
    async with asking(peer) as session:
        for _ in range(2):
            assert (await session.request("GET", f"{peer.url}/")).body == b"[1,2]"
        assert peer.connections == 1


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (http(b"{}") + http(CANARY), "more than it was asked"),
        (http(b"{}") + CANARY, "more than it was asked|breaks off"),
        (http(b"{}", "500 Internal Server Error"), "answered 500"),
        (http(b"{}", "307 T", "application/json", "Location: http://127.0.0.1:1/"), "answered 307"),
        (http(b"{}", media_type="text/plain"), "not plain JSON"),
        (
            http(b"{}", "200 OK", "application/json", "Content-Type: text/html"),
            "plain JSON|no HTTP",
        ),
        (http(b"{}", "200 OK", "application/json", "Content-Encoding: gzip"), "not plain JSON"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}", "answer ends"),
        (b"SSH-2.0-x\r\n", "breaks off"),
        (http(b"x" * 101), "too large"),
    ],
)
async def test_what_is_not_one_plain_answer_is_none(sent: bytes, said: str) -> None:
    peer = Peer(sent, closes=said == "breaks off")
    async with asking(peer) as session:
        with pytest.raises(NotAnAnswer, match=said) as caught:
            await session.request("GET", f"{peer.url}/", most=100)
        assert CANARY.decode() not in caught.value.note
        peer.reply, peer.closes = http(b"{}"), False
        assert (await session.request("GET", f"{peer.url}/", most=100)).body == b"{}"
        assert peer.connections == 2  # nothing is asked where something may be left


async def test_only_so_many_questions_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opa_session, "_CONNECTIONS", 1)
    monkeypatch.setattr(opa_session, "_PATIENCE", 0.05)
    peer = Peer(http(b"{}"))
    async with asking(peer) as session:
        wire = await session._pool.take()
        with pytest.raises(TimeoutError):
            await session.request("GET", f"{peer.url}/")
        session._pool.drop(wire)
        assert (await session.request("GET", f"{peer.url}/")).body == b"{}"
