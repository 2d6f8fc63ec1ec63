"""One request to a bundle server: what is asked, and which answers are none (D08, D14)."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.policy.bundles.download import Served, fetch
from gateway.policy.bundles.faults import BundleError
from tests.policy.bundles.support import BundleServer, bundle_server, delivery

ARCHIVE = b"\x1f\x8b" + bytes(range(256)) * 40


@pytest.fixture
async def server() -> AsyncIterator[BundleServer]:
    async with bundle_server(ARCHIVE, '"7"') as server:
        yield server


async def said(url: str, etag: str = "", **settings: Any) -> str:
    with pytest.raises(BundleError) as refusal:
        await fetch(url, delivery(**settings), etag, None)
    assert "\n" not in str(refusal.value)
    return refusal.value.message


async def test_an_archive_comes_with_its_etag(server: BundleServer) -> None:
    served = await fetch(server.url, delivery(), "", None)
    assert served == Served(ARCHIVE, '"7"', waits=False)
    (asked,) = server.asked
    assert asked["Accept-Encoding"] == "identity"
    assert asked["Prefer"] == "modes=snapshot"
    assert not {"If-None-Match", "Authorization", "Cookie"} & asked.keys()


async def test_nothing_new_is_304(server: BundleServer) -> None:
    assert await fetch(server.url, delivery(), '"7"', None) == Served(None, '"7"', waits=False)
    assert server.asked[0]["If-None-Match"] == '"7"'
    assert (await fetch(server.url, delivery(), '"6"', None)).archive == ARCHIVE


async def test_a_server_that_can_wait_is_told_how_long(server: BundleServer) -> None:
    server.waits = True
    assert (await fetch(server.url, delivery(), "", 30.0)).waits
    assert server.asked[0]["Prefer"] == "modes=snapshot;wait=30"
    waiting = asyncio.create_task(fetch(server.url, delivery(), '"7"', 30.0))
    await server.until_asked(2)
    assert not waiting.done()
    server.serve(b"new", '"8"')
    assert await waiting == Served(b"new", '"8"', waits=True)


async def test_a_token_is_read_for_every_request(server: BundleServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    for text in ("first-Token._~+/=\n", "second"):
        token.write_text(text)
        await fetch(server.url, delivery(token_file=token), "", None)
        assert server.asked[-1]["Authorization"] == f"Bearer {text.strip()}"
    for wrong in ("two words", "a\r\nX: y", "", "é"):
        token.write_text(wrong)
        assert await said(server.url, token_file=token) == "not a bearer token"
    token.unlink()
    assert "No such file" in await said(server.url, token_file=token)


ANSWERS: list[tuple[int, Mapping[str, str], bytes, str]] = [
    (301, {"Location": "/other"}, b"", "answered 301 (redirects are not followed)"),
    (302, {"Location": "http://127.0.0.1:1/"}, b"", "answered 302 (redirects are not followed)"),
    (307, {"Location": "/other"}, b"", "answered 307 (redirects are not followed)"),
    (304, {}, b"", "answered 304, though it was not asked whether"),
    (204, {}, b"", "answered 204"),
    (206, {}, ARCHIVE, "answered 206"),
    (401, {}, b"", "answered 401"),
    (404, {}, b"no such bundle", "answered 404"),
    (500, {}, b"", "answered 500"),
    (503, {}, b"", "answered 503"),
    (200, {"Content-Encoding": "gzip"}, b"x", "answered with a Content-Encoding"),
    (200, {"ETag": "x" * 1025}, ARCHIVE, "an ETag that is too long"),
]


@pytest.mark.parametrize(("status", "headers", "body", "says"), ANSWERS)
async def test_any_other_answer_is_none(
    server: BundleServer, status: int, headers: Mapping[str, str], body: bytes, says: str
) -> None:
    server.fail(status, headers, body)
    told = await said(server.url)
    assert says in told
    assert "no such bundle" not in told
    assert len(server.asked) == 1


async def test_the_size_is_bounded_whether_it_is_announced_or_not(server: BundleServer) -> None:
    assert await said(server.url, max_size=len(ARCHIVE) - 1) == "more than 10241 bytes"
    chunks = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with raw(head + chunks * 3 + b"0\r\n\r\n") as url:
        assert await said(url, max_size=10_241) == "more than 10241 bytes"
    assert (await fetch(server.url, delivery(max_size=len(ARCHIVE)), "", None)).archive == ARCHIVE


@asynccontextmanager
async def raw(answer: bytes, *, hang: bool = False) -> AsyncIterator[str]:
    """A server that says exactly this, whatever it is asked."""
    speaking: list[asyncio.Task[None]] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        speaking.append(task)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if hang:
            await reader.read()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/b.tar.gz?secret=1"
        await asyncio.gather(*speaking)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        b"no HTTP\r\n\r\n",
    ],
    ids=["nothing", "a short body", "no last chunk", "no HTTP"],
)
async def test_an_answer_that_is_cut_is_none(answer: bytes) -> None:
    async with raw(answer) as url:
        with pytest.raises(BundleError) as refusal:
            await fetch(url, delivery(), "", None)
    assert refusal.value.message.startswith("unreachable (")
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nslow"])
async def test_a_server_that_stops_in_the_middle_is_given_up(answer: bytes) -> None:
    async with raw(answer, hang=True) as url:
        assert await said(url, timeout=0.05) == "no complete answer within the timeout"


async def test_nobody_there_is_a_fault() -> None:
    async with raw(b"") as url:
        pass
    assert (await said(url)).startswith("unreachable (")


async def test_no_proxy_of_the_environment_is_asked(
    server: BundleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert (await fetch(server.url, delivery(), "", None)).archive == ARCHIVE


async def test_a_server_must_prove_its_name(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path / "loopback.pem", "127.0.0.1")
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(certificate)
    async with bundle_server(ARCHIVE, '"7"', serving) as server:
        assert (await said(server.url)).startswith("unreachable (")
        trusting = delivery(ca_file=certificate)
        assert (await fetch(server.url, trusting, "", None)).archive == ARCHIVE
        # The certificate names the address only.
        told = await said(server.url.replace("127.0.0.1", "localhost"), ca_file=certificate)
        assert told.startswith("unreachable (")


def self_signed(file: Path, address: str) -> Path:
    """Writes a key and a certificate for an IP address."""
    key = ec.generate_private_key(ec.SECP256R1())
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


async def test_a_file_without_certificates_is_a_fault(tmp_path: Path) -> None:
    wrong = tmp_path / "ca.pem"
    for content in (None, b"no certificate"):
        if content:
            wrong.write_bytes(content)
        told = await said("https://127.0.0.1:1/b.tar.gz", ca_file=wrong)
        assert told == "no certificates that could be trusted"
