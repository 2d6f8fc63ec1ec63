"""Fetching and keeping keys: rotation, outages and misbehaving servers (B21 to B25)."""

import asyncio
import gzip
import json
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.errors import Code, Unauthenticated, Unavailable
from gateway.identity import keys as keys_module
from gateway.identity.jwks import KeyFault, KeyFlaw, KeySetUnusable
from gateway.identity.keys import IssuerKeys, read_file, read_url
from tests.identity.conftest import Clock, pins
from tests.support.issuer import JwksServer, TestIssuer, private_key

COOLDOWN, MAX_AGE = 30.0, 3600.0


@pytest.fixture
async def server(issuer: TestIssuer) -> AsyncIterator[JwksServer]:
    async with issuer.serve() as server:
        yield server


def make(issuer: TestIssuer, clock: Clock, jwks: str, **settings: object) -> IssuerKeys:
    return IssuerKeys(pins(issuer, jwks, **settings), lambda: clock.monotonic)


async def untrusted(keys: IssuerKeys, kid: str | None) -> bool:
    with pytest.raises(Unauthenticated) as caught:
        await keys.find(kid)
    return caught.value.code is Code.TOKEN_UNTRUSTED


async def unavailable(keys: IssuerKeys, kid: str | None = "key-1") -> bool:
    with pytest.raises(Unavailable) as caught:
        await keys.find(kid)
    return caught.value.code is Code.KEYS_UNAVAILABLE


# --- Rotation (B23) --------------------------------------------------------------------------


async def test_the_first_token_fetches_the_keys_and_the_next_do_not(
    issuer: TestIssuer, clock: Clock, server: JwksServer
) -> None:
    keys = make(issuer, clock, server.url)
    for _ in range(5):
        assert (await keys.find("key-1")).kid == "key-1"
    assert server.hits == 1


async def test_a_new_key_works_after_the_cool_down(
    issuer: TestIssuer, clock: Clock, server: JwksServer
) -> None:
    keys = make(issuer, clock, server.url)
    await keys.find("key-1")
    issuer.rotate("key-2")
    clock.advance(COOLDOWN - 0.001)
    assert await untrusted(keys, "key-2")
    assert server.hits == 1
    clock.advance(0.001)
    assert (await keys.find("key-2")).kid == "key-2"
    assert (await keys.find("key-1")).kid == "key-1"
    assert server.hits == 2


async def test_a_removed_key_is_refused_after_the_next_read(
    issuer: TestIssuer, clock: Clock, server: JwksServer
) -> None:
    keys = make(issuer, clock, server.url)
    await keys.find("key-1")
    issuer.rotate("key-2", keep=False)
    await keys.refresh()
    assert await untrusted(keys, "key-1")
    assert (await keys.find("key-2")).kid == "key-2"


async def test_the_background_reads_again_without_being_asked(
    issuer: TestIssuer, clock: Clock, server: JwksServer
) -> None:
    # Only the configuration has a lower bound of a second.
    settings = pins(issuer, server.url)
    object.__setattr__(settings, "jwks_refresh", 0.01)
    keys = IssuerKeys(settings, lambda: clock.monotonic)
    again, answer = asyncio.Event(), server.answer

    async def counted(request: web.Request) -> web.StreamResponse:
        if server.hits == 3:
            issuer.rotate("key-2", keep=False)
            again.set()
        return await answer(request)

    server.answer = counted
    await keys.refresh()
    background = asyncio.create_task(keys.keep_fresh())
    await again.wait()
    await keys.refresh()  # joins the read that is under way
    background.cancel()
    await keys.stop()
    assert (await keys.find("key-2")).kid == "key-2"
    assert await untrusted(keys, "key-1")


# --- Unknown names (B25) ---------------------------------------------------------------------


async def test_ten_thousand_unknown_names_cause_one_read_in_a_cool_down(
    issuer: TestIssuer, clock: Clock, server: JwksServer
) -> None:
    keys = make(issuer, clock, server.url)
    await keys.find("key-1")
    clock.advance(COOLDOWN)
    outcomes = await asyncio.gather(
        *(keys.find(f"kid-{n}") for n in range(10_000)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {Unauthenticated}
    assert server.hits == 2
    for n in range(100):
        assert await untrusted(keys, f"kid-{n}")
    assert server.hits == 2


async def test_others_do_not_wait_for_the_read_that_an_unknown_name_causes(
    issuer: TestIssuer, clock: Clock, server: JwksServer
) -> None:
    keys = make(issuer, clock, server.url)
    await keys.find("key-1")
    clock.advance(COOLDOWN)
    asked, release, answer = asyncio.Event(), asyncio.Event(), server.answer

    async def held(request: web.Request) -> web.StreamResponse:
        asked.set()
        await release.wait()
        return await answer(request)

    server.answer = held
    stranger = asyncio.create_task(keys.find("unknown"))
    await asked.wait()
    known = keys.find("key-1")
    with pytest.raises(StopIteration) as done:  # it ends without waiting once
        known.send(None)
    assert done.value.value.kid == "key-1"
    release.set()
    with pytest.raises(Unauthenticated):
        await stranger


async def test_a_missing_name_causes_no_read(
    issuer: TestIssuer, clock: Clock, server: JwksServer
) -> None:
    keys = make(issuer, clock, server.url)
    issuer.rotate()
    await keys.find("key-1")
    clock.advance(COOLDOWN)
    assert await untrusted(keys, None)
    assert server.hits == 1


async def test_a_caller_that_gives_up_does_not_end_the_read_for_others(
    issuer: TestIssuer, clock: Clock, server: JwksServer
) -> None:
    keys = make(issuer, clock, server.url)
    asked, release, answer = asyncio.Event(), asyncio.Event(), server.answer

    async def held(request: web.Request) -> web.StreamResponse:
        asked.set()
        await release.wait()
        return await answer(request)

    server.answer = held
    first, second = (asyncio.create_task(keys.find("key-1")) for _ in range(2))
    await asked.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    release.set()
    assert (await second).kid == "key-1"
    assert server.hits == 1


async def test_who_comes_during_a_read_gets_its_outcome(
    issuer: TestIssuer, clock: Clock, server: JwksServer
) -> None:
    keys = make(issuer, clock, server.url)
    await keys.find("key-1")
    clock.advance(COOLDOWN)
    issuer.rotate("key-2")
    asked, release, answer = asyncio.Event(), asyncio.Event(), server.answer

    async def held(request: web.Request) -> web.StreamResponse:
        asked.set()
        await release.wait()
        return await answer(request)

    server.answer = held
    first = asyncio.create_task(keys.find("key-2"))
    await asked.wait()
    second = asyncio.create_task(keys.find("key-2"))
    await asyncio.sleep(0)  # lets it begin
    release.set()
    assert (await first).kid == (await second).kid == "key-2"
    assert server.hits == 2


# --- Outages (B21) ---------------------------------------------------------------------------


async def test_without_any_keys_nobody_is_authenticated(issuer: TestIssuer, clock: Clock) -> None:
    keys = make(issuer, clock, "http://127.0.0.1:1/jwks.json")
    assert await unavailable(keys)
    assert await unavailable(keys, None)
    facts = keys.facts()
    assert not keys.loaded
    assert (facts.keys, facts.age, facts.live) == (0, None, False)
    assert (facts.reads, facts.failures, facts.fault) == (1, 1, KeyFault.UNREACHABLE)


async def test_a_gateway_without_keys_asks_once_in_a_cool_down(
    issuer: TestIssuer, clock: Clock, server: JwksServer
) -> None:
    good, server.answer = server.answer, status(503)
    keys = make(issuer, clock, server.url)
    for _ in range(10):
        assert await unavailable(keys)
    assert server.hits == 1
    server.answer = good
    assert await unavailable(keys)
    clock.advance(COOLDOWN)
    assert (await keys.find("key-1")).kid == "key-1"


async def test_in_an_outage_the_last_keys_count_until_their_maximum_age(
    issuer: TestIssuer, clock: Clock, server: JwksServer
) -> None:
    keys = make(issuer, clock, server.url)
    await keys.find("key-1")
    good, server.answer = server.answer, status(500)
    await keys.refresh()
    clock.advance(MAX_AGE)
    assert (await keys.find("key-1")).kid == "key-1"
    assert keys.live
    clock.advance(0.001)
    assert not keys.live
    assert await unavailable(keys)
    assert keys.facts().age == pytest.approx(MAX_AGE + 0.001)
    clock.advance(COOLDOWN)
    server.answer = good
    assert (await keys.find("key-1")).kid == "key-1"
    assert keys.facts().age == 0
    assert keys.facts().fault is None


async def test_the_background_recovers_from_an_outage_at_the_start(
    issuer: TestIssuer, clock: Clock, server: JwksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "_FIRST_RETRY", 0.001)
    answer, recovered = server.answer, asyncio.Event()

    async def third_time_lucky(request: web.Request) -> web.StreamResponse:
        if server.hits < 3:
            return web.Response(status=503)
        recovered.set()
        return await answer(request)

    server.answer = third_time_lucky
    keys = make(issuer, clock, server.url)
    await keys.refresh()
    assert not keys.loaded
    background = asyncio.create_task(keys.keep_fresh())
    await recovered.wait()
    await keys.refresh()
    assert keys.loaded
    background.cancel()
    await keys.stop()


async def test_stopping_ends_a_read_that_is_under_way(
    issuer: TestIssuer, clock: Clock, server: JwksServer
) -> None:
    asked = asyncio.Event()

    async def never(request: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    server.answer = never
    keys = make(issuer, clock, server.url)
    reading = asyncio.create_task(keys.refresh())
    await asked.wait()
    await keys.stop()
    await reading
    assert not keys.loaded


# --- Misbehaving servers (B22, B24) ----------------------------------------------------------

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def status(code: int, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers=headers)

    return answer


def body(data: bytes, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=data, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


def chunks(data: bytes, *, length: int | None = None, forever: bool = False) -> Answer:
    """Writes `data` (again and again), and breaks the connection if it isn't done at the end."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = length
        await response.prepare(request)
        try:
            await response.write(data)
            while forever:
                await asyncio.sleep(0.005 if len(data) < 100 else 0)
                await response.write(data)
        except ConnectionError:
            pass
        if request.transport is not None:
            request.transport.abort()
        return response

    return answer


KEYS = TestIssuer().jwks_bytes()


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (status(500), KeyFault.STATUS),
        (status(404), KeyFault.STATUS),
        (status(204), KeyFault.STATUS),
        (status(302, Location="/elsewhere.json"), KeyFault.STATUS),
        (status(308, Location="/elsewhere.json"), KeyFault.STATUS),
        (body(b"<html>Sign in</html>", Content_Type="text/html"), KeyFault.MALFORMED),
        (body(b""), KeyFault.MALFORMED),
        (body(b'{"keys":[]}'), KeyFault.NO_USABLE_KEY),
        (body(KEYS[:-20]), KeyFault.MALFORMED),
        (body(gzip.compress(KEYS), Content_Encoding="gzip"), KeyFault.MALFORMED),
        (body(KEYS, Content_Encoding="br"), KeyFault.MALFORMED),
        (body(b" " * 2**18 + KEYS), KeyFault.TOO_LARGE),
        (chunks(KEYS, length=len(KEYS) + 1), KeyFault.UNREACHABLE),
        (chunks(KEYS), KeyFault.UNREACHABLE),  # no last chunk
        (chunks(b" " * 2**20, length=100 * 2**20, forever=True), KeyFault.TOO_LARGE),
        (chunks(b" " * 2**16, forever=True), KeyFault.TOO_LARGE),
        (chunks(b" ", forever=True), KeyFault.TIMEOUT),  # a drip
    ],
)
async def test_after_a_bad_answer_the_last_good_keys_stay(
    issuer: TestIssuer, clock: Clock, server: JwksServer, answer: Answer, fault: KeyFault
) -> None:
    keys = make(issuer, clock, server.url, jwks_timeout="200ms")
    await keys.refresh()
    good, server.answer = server.answer, answer
    clock.advance(COOLDOWN)
    await keys.refresh()
    assert server.hits == 2  # a redirect is not followed
    assert keys.facts().fault is fault
    assert (keys.facts().failures, keys.facts().age) == (1, COOLDOWN)
    assert (await keys.find("key-1")).kid == "key-1"
    server.answer = good
    await keys.refresh()
    assert (keys.facts().fault, keys.facts().age) == (None, 0)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0\0\0\0",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nxx\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"x" * 20_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 999 \r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
    ],
)
async def test_an_answer_that_is_no_http_is_a_fault_and_nothing_worse(answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(KeySetUnusable):
            await read_url(f"http://127.0.0.1:{port}/", 2.0, 1000)


async def test_keys_come_only_from_a_server_that_proves_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path / "loopback.pem", "127.0.0.1")
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(certificate)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(KEYS), KEYS))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0, ssl=serving) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(KeySetUnusable) as caught:
            await read_url(url, 2.0, 10_000)
        assert caught.value.fault is KeyFault.UNREACHABLE
        # The twin: the same server, once an operator's SSL_CERT_FILE names its certificate.
        trusting = ssl.create_default_context(cafile=str(certificate))
        monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)
        assert await read_url(url, 2.0, 10_000) == KEYS
        with pytest.raises(KeySetUnusable):  # the certificate names the address only
            await read_url(url.replace("127.0.0.1", "localhost"), 2.0, 10_000)


def self_signed(file: Path, address: str) -> Path:
    """Writes a key and a certificate for an IP address."""
    key = private_key("ES256")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return file


async def test_one_bad_key_does_not_take_the_good_ones_with_it(
    issuer: TestIssuer, clock: Clock, server: JwksServer
) -> None:
    bad = {"kty": "oct", "kid": "poison", "k": "c2VjcmV0"}
    server.answer = body(json.dumps(issuer.jwks(bad)).encode())
    keys = make(issuer, clock, server.url)
    assert (await keys.find("key-1")).kid == "key-1"
    assert await untrusted(keys, "poison")
    assert keys.facts().ignored == {KeyFlaw.SECRET: 1}
    assert keys.facts().keys == 1


async def test_the_request_for_keys_says_nothing_about_us(server: JwksServer) -> None:
    seen: dict[str, str] = {}

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.update(request.headers)
        return web.Response(body=KEYS)

    server.answer = answer
    assert await read_url(server.url, 2.0, 10_000) == KEYS
    assert seen.keys() == {"Host", "Accept", "Accept-Encoding", "User-Agent"} | (
        seen.keys() & {"Connection"}
    )
    assert seen["Accept-Encoding"] == "identity"
    assert seen["User-Agent"] == "privacy-gateway"


async def test_the_size_limit_is_exact(server: JwksServer) -> None:
    server.answer = body(b"x" * 1000)
    assert len(await read_url(server.url, 2.0, 1000)) == 1000
    with pytest.raises(KeySetUnusable) as caught:
        await read_url(server.url, 2.0, 999)
    assert caught.value.fault is KeyFault.TOO_LARGE


# --- Files -----------------------------------------------------------------------------------


async def test_keys_come_from_a_file_and_follow_it(
    issuer: TestIssuer, clock: Clock, tmp_path: Path
) -> None:
    file = issuer.write_jwks(tmp_path / "jwks.json")
    keys = make(issuer, clock, str(file))
    await keys.find("key-1")
    issuer.rotate("key-2", keep=False)
    issuer.write_jwks(file)
    clock.advance(COOLDOWN)
    assert (await keys.find("key-2")).kid == "key-2"
    file.write_bytes(b'{"keys": [')
    await keys.refresh()
    assert keys.facts().fault is KeyFault.MALFORMED
    assert (await keys.find("key-2")).kid == "key-2"


async def test_what_is_no_readable_file_is_a_fault(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path / "absent", tmp_path, pipe, Path("/dev/zero")):
        with pytest.raises(KeySetUnusable) as caught:
            await read_file(str(path), 2.0, 1000)
        assert caught.value.fault is KeyFault.UNREACHABLE


async def test_the_size_limit_of_a_file_is_exact(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(b"x" * 1000)
    assert len(await read_file(str(file), 2.0, 1000)) == 1000
    with pytest.raises(KeySetUnusable) as caught:
        await read_file(str(file), 2.0, 999)
    assert caught.value.fault is KeyFault.TOO_LARGE
