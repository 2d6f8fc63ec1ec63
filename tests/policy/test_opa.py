"""OPA over HTTP: what a real OPA says, and what anything else in its place may not do."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.errors import Code, Unavailable
from gateway.model import Effect
from gateway.policy import opa, opa_session
from gateway.policy.contract import encode_question
from gateway.policy.decisions import PolicyDecisions
from gateway.policy.engine import EngineKind
from gateway.policy.opa import UNVERSIONED, OpaEngine
from gateway.policy.opa_modules import module_fault
from gateway.policy.settings import PolicySettings
from tests.conftest import REPOSITORY
from tests.policy.conftest import StartOpa
from tests.policy.support import AMPLE, ME, answer, question, write_bundle

AUTHZ = REPOSITORY / "docs" / "examples" / "opa"
QUESTION = encode_question(question(ME))
BUNDLES = {"bundles": {"b": {"revision": "r1"}}}


@dataclass
class Peer:
    """A server that answers every request with the same bytes, and counts."""

    reply: bytes
    url: str = ""
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    hang: bool = False
    closes: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = 0
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                self.requests.append(head + await reader.readexactly(length))
                if self.hang:
                    await reader.read()
                    return
                writer.write(self.reply)
                await writer.drain()
                if self.closes:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def serving(peer: Peer) -> AsyncIterator[Peer]:
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()


@asynccontextmanager
async def running(url: str, deadline: float = AMPLE) -> AsyncIterator[OpaEngine]:
    engine = OpaEngine(PolicySettings(engine=EngineKind.OPA, opa=url, deadline=deadline))
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


def http(
    body: bytes, status: str = "200 OK", media_type: str = "application/json", *more: str
) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {media_type}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *more, "", ""]).encode() + body


def reply(result: Any, provenance: Any = BUNDLES) -> bytes:
    return http(json.dumps({"result": result, "provenance": provenance}).encode())


async def refusal_of(peer: Peer, deadline: float = AMPLE) -> Unavailable:
    async with serving(peer), running(peer.url, deadline) as engine:
        with pytest.raises(Unavailable) as refusal:
            await engine.evaluate(QUESTION)
        return refusal.value


# --- what is sent -------------------------------------------------------------------------------


async def test_the_question_is_only_input_and_the_query_is_constant() -> None:
    async with serving(Peer(reply(1))) as peer, running(peer.url) as engine:
        evaluation = await engine.evaluate(QUESTION)
        assert (evaluation.raw, evaluation.revision) == (b"1", "r1")
        head, _, body = peer.requests[0].partition(b"\r\n\r\n")
        assert head.split(b"\r\n")[0] == (
            b"POST /v1/data/privacy/decision?strict-builtin-errors=true&provenance=true HTTP/1.1"
        )
        assert b"accept-encoding: identity" in head.lower()
        assert body == b'{"input":' + QUESTION + b"}"


async def test_connections_are_used_again() -> None:
    async with serving(Peer(reply(1))) as peer, running(peer.url) as engine:
        for _ in range(5):
            await engine.evaluate(QUESTION)
        assert (len(peer.requests), peer.connections) == (5, 1)


async def test_no_proxy_of_the_environment_reads_the_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(Peer(reply(2))) as proxy, serving(Peer(reply(1))) as peer:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with running(peer.url) as engine:
            assert (await engine.evaluate(QUESTION)).raw == b"1"
        assert proxy.connections == 0


# --- what comes back ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 T", "308 P"])
async def test_a_redirect_is_never_followed(status: str) -> None:
    async with serving(Peer(reply(1))) as elsewhere:
        moved = http(b"{}", status, "application/json", f"Location: {elsewhere.url}/v1/data")
        refusal = await refusal_of(Peer(moved))
        assert refusal.code is Code.POLICY_UNAVAILABLE
        assert refusal.note == f"OPA answered {status[:3]}"
        assert elsewhere.connections == 0


@pytest.mark.parametrize(
    "status", ["500 Error", "404 Not Found", "400 Bad", "204 None", "206 Part"]
)
async def test_another_status_is_no_answer_and_is_not_asked_again(status: str) -> None:
    peer = Peer(http(b"" if status.startswith("204") else b'{"result": "secret"}', status))
    refusal = await refusal_of(peer)
    assert refusal.code is Code.POLICY_UNAVAILABLE
    assert refusal.note == f"OPA answered {status[:3]}"
    assert len(peer.requests) == 1


ALLOW = json.loads(answer())
TWICE = b'{"result": {"effect": "block"}, "result": %b}' % answer()
NO_ANSWERS = {
    "HTML": http(b"<html>secret</html>", media_type="text/html"),
    "JSON that says it is HTML": http(b'{"result": 1}', media_type="text/html"),
    "HTML that says it is JSON": http(b"<html>secret</html>"),
    "nothing": http(b""),
    "cut JSON": http(b'{"result": {"effect": "all'),
    "a list": http(b"[]"),
    "a key twice": http(TWICE),
    "a key twice inside": http(b'{"result": {"effect": "block", "effect": "allow"}}'),
    "not UTF-8": http(b'{"result": "\xff"}'),
    "nested deeply": http(b'{"result": ' + b"[" * 100_000),
    "a number that is none": http(b'{"result": NaN}'),
    "gzip": http(
        gzip.compress(b'{"result": 1}'), "200 OK", "application/json", "Content-Encoding: gzip"
    ),
    "a gzip bomb": http(
        gzip.compress(b"[" * 50_000_000), "200 OK", "application/json", "Content-Encoding: gzip"
    ),
    "too much": http(b'{"result": "' + b"a" * opa_session._MOST + b'"}'),
    "a revision that is none": reply(ALLOW, {"bundles": {"b": {"revision": 7}}}),
    "a revision of two lines": reply(ALLOW, {"bundles": {"b": {"revision": "a\nb"}}}),
    "a revision without end": reply(ALLOW, {"bundles": {"b": {"revision": "a" * 300}}}),
}


@pytest.mark.parametrize("sent", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
async def test_what_is_no_answer_of_opa_is_refused(sent: bytes) -> None:
    refusal = await refusal_of(Peer(sent))
    assert refusal.code is Code.POLICY_UNAVAILABLE
    assert "secret" not in refusal.note
    assert refusal.__cause__ is None


UNFINISHED = {
    "closes without a byte": b"",
    "closes in the head": b"HTTP/1.1 200 OK\r\nContent-",
    "closes in the body": http(b'{"result": 1}')[:-3],
    "is no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "closes in a chunk": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nff\r\n{",
}


@pytest.mark.parametrize("sent", UNFINISHED.values(), ids=UNFINISHED.keys())
async def test_a_peer_that_breaks_off_is_refused(sent: bytes) -> None:
    peer = Peer(sent, closes=True)
    refusal = await refusal_of(peer)
    assert refusal.code is Code.POLICY_UNAVAILABLE
    assert len(peer.requests) == 1


@pytest.mark.parametrize("sent", UNFINISHED.values(), ids=UNFINISHED.keys())
async def test_a_peer_that_breaks_off_is_an_outage_and_one_that_answers_badly_is_none(
    sent: bytes,
) -> None:
    """What comes back after it may run another policy under the same revision."""
    async with serving(Peer(reply(ALLOW))) as peer, running(peer.url) as engine:
        await engine.evaluate(QUESTION)
        assert engine.facts().ready
        for outages, each in enumerate((http(b"[]"), sent)):
            peer.reply, peer.closes = each, True
            with pytest.raises(Unavailable):
                await engine.evaluate(QUESTION)
            assert (engine.outages, engine.facts().ready) == (outages, not outages)


@pytest.mark.parametrize("make", [lambda: Peer(b"", hang=True), lambda: Peer(http(b"{")[:-1])])
async def test_a_peer_that_is_slow_is_late(make: Callable[[], Peer]) -> None:
    refusal = await refusal_of(make(), deadline=0.1)
    assert refusal.code is Code.POLICY_TIMEOUT


async def test_nobody_there_is_refused_and_opa_is_found_when_it_comes_back() -> None:
    async with serving(Peer(reply(1))) as peer:
        url = peer.url
    async with running(url) as engine:
        assert not await engine.ready()
        with pytest.raises(Unavailable) as refusal:
            await engine.evaluate(QUESTION)
        assert refusal.value.code is Code.POLICY_UNAVAILABLE
        again = Peer(reply(1))
        server = await asyncio.start_server(again.serve, "127.0.0.1", int(url.rpartition(":")[2]))
        assert (await engine.evaluate(QUESTION)).raw == b"1"
        assert engine.facts().ready
        server.close()


@pytest.mark.parametrize(
    ("sent", "raw", "revision"),
    [
        (http(b"{}"), None, UNVERSIONED),
        (reply(None), b"null", "r1"),
        (reply(False), b"false", "r1"),
        (reply({}), b"{}", "r1"),
        (reply(1, {}), b"1", UNVERSIONED),
        (reply(1, {"bundles": {"b": {"revision": ""}}}), b"1", UNVERSIONED),
        (reply(1, {"bundles": {"b": {"revision": "2"}, "a": {}}}), b"1", "a=unversioned b=2"),
        (http(b'{"decision_id": "x", "metrics": {}, "result": 1}'), b"1", UNVERSIONED),
    ],
)
async def test_a_value_and_its_revision_are_read(
    sent: bytes, raw: bytes | None, revision: str
) -> None:
    async with serving(Peer(sent)) as peer, running(peer.url) as engine:
        evaluation = await engine.evaluate(QUESTION)
        assert (evaluation.raw, evaluation.revision) == (raw, revision)


@pytest.mark.parametrize(
    ("body", "ready"), [(http(b"{}"), True), (http(b"{}", "500 Error"), False)]
)
async def test_it_is_ready_when_opa_is_healthy_with_its_bundles(body: bytes, ready: bool) -> None:
    async with serving(Peer(body)) as peer, running(peer.url) as engine:
        assert await engine.ready() is ready
        assert engine.facts().ready is ready
        assert peer.requests[0].startswith(b"GET /health?bundles=")


# --- a real OPA ---------------------------------------------------------------------------------


@pytest.mark.opa
async def test_a_real_opa_that_dies_refuses_at_once(start_opa: StartOpa, echo_bundle: Path) -> None:
    server = start_opa(echo_bundle)
    about = question(ME, claims={"answer": answer().decode()})
    async with running(server.url) as engine:
        decisions = PolicyDecisions(engine)
        assert (await decisions.decide(about)).effect is Effect.ALLOW
        server.process.kill()
        server.process.wait()
        with pytest.raises(Unavailable) as refusal:
            await decisions.decide(about)
        assert refusal.value.code is Code.POLICY_UNAVAILABLE
        assert not await engine.ready()


@pytest.mark.opa
async def test_a_real_opa_without_the_policy_is_undefined(
    start_opa: StartOpa, tmp_path: Path
) -> None:
    modules = {"privacy/other.rego": "package privacy.other\n\nx := 1\n"}
    server = start_opa(write_bundle(tmp_path / "b", modules))
    async with running(server.url) as engine:
        with pytest.raises(Unavailable) as refusal:
            await PolicyDecisions(engine).decide(question(ME))
        assert refusal.value.code is Code.POLICY_UNDEFINED


@pytest.mark.opa
async def test_many_questions_go_over_few_connections_to_a_real_opa(
    start_opa: StartOpa, echo_bundle: Path
) -> None:
    server = start_opa(echo_bundle)
    about = question(ME, claims={"answer": answer().decode()})
    async with running(server.url) as engine:
        decisions = PolicyDecisions(engine)
        answered = await asyncio.gather(*(decisions.decide(about) for _ in range(300)))
        assert {each.effect for each in answered} == {Effect.ALLOW}
        assert {each.revision for each in answered} == {"echo-1"}


@pytest.mark.opa
@pytest.mark.parametrize("token", ["", "an operator's"])
async def test_an_opa_with_the_authz_example_decides_and_lets_nobody_change_it(
    start_opa: StartOpa, policies: Path, token: str
) -> None:
    flags = ("--authentication=token", "--authorization=basic", "--bundle", str(AUTHZ))
    server = start_opa(policies, *flags)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession(headers=headers) as session:
        for method, path in (
            ("PUT", "policies/privacy/decision.rego"),
            ("DELETE", "policies/privacy/decision.rego"),
            ("PUT", "data/privacy/deployment"),
            ("PATCH", "data/privacy/deployment"),
            ("GET", "data/privacy/deployment"),
            ("POST", "query"),
            ("GET", "config"),
        ):
            async with session.request(method, f"{server.url}/v1/{path}", data=b"{}") as answered:
                assert answered.status == 401, (method, path)
    async with running(server.url) as engine:
        assert await engine.ready()
        assert (await PolicyDecisions(engine).decide(question(ME))).effect is Effect.ALLOW
        assert module_fault(await engine.modules()) is None


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (http(b"{}", "401 Unauthorized"), Code.POLICY_UNAVAILABLE),
        (http(b"<html>", media_type="text/html"), Code.POLICY_UNAVAILABLE),
        (http(b"x" * 1001), Code.POLICY_UNAVAILABLE),
    ],
)
async def test_modules_that_cannot_be_read_are_unavailable(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, code: Code
) -> None:
    monkeypatch.setattr(opa, "_MAX_MODULES", 1000)
    async with serving(Peer(sent)) as peer, running(peer.url) as engine:
        with pytest.raises(Unavailable) as refusal:
            await engine.modules()
        assert refusal.value.code is code


async def test_outages_are_counted_and_slow_answers_are_none() -> None:
    async with serving(Peer(b"", hang=True)) as peer, running(peer.url, deadline=0.05) as engine:
        with pytest.raises(Unavailable):
            await engine.evaluate(QUESTION)
        assert engine.outages == 0
    async with running(peer.url) as engine:
        with pytest.raises(Unavailable):
            await engine.evaluate(QUESTION)
        assert engine.outages == 1
