"""The certificate of the next handshake."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.injector.generations import Generation, issue
from gateway.injector.tls import Certificate, Handshakes, certificate_of


def made() -> Generation:
    return issue(["localhost", "127.0.0.1"], datetime.now(UTC), timedelta(hours=1))


def as_certificate(generation: Generation) -> Certificate:
    return Certificate(generation.serving, generation.not_after)


@asynccontextmanager
async def listening(handshakes: Handshakes) -> AsyncIterator[int]:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=handshakes.context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def greeted(port: int, trusted: bytes, **client: object) -> str:
    """The TLS version, after a verified handshake and a greeting."""
    context = ssl.create_default_context(cadata=trusted.decode())
    for name, value in client.items():
        setattr(context, name, value)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    assert await reader.read() == b"hello"
    version: str = writer.get_extra_info("ssl_object").version()
    writer.close()
    return version


async def test_every_handshake_fails_until_there_is_a_certificate() -> None:
    handshakes, one = Handshakes(), made()
    async with listening(handshakes) as port:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await greeted(port, one.ca)
        handshakes.use(as_certificate(one))
        assert await greeted(port, one.ca) == "TLSv1.3"


async def test_the_next_handshake_has_the_new_certificate() -> None:
    handshakes, one, two = Handshakes(), made(), made()
    handshakes.use(as_certificate(one))
    async with listening(handshakes) as port:
        await greeted(port, one.ca)
        handshakes.use(as_certificate(two))
        await greeted(port, two.ca)
        with pytest.raises(ssl.SSLCertVerificationError):
            await greeted(port, one.ca)


async def test_tls_1_2_is_served_and_nothing_older() -> None:
    handshakes, one = Handshakes(), made()
    handshakes.use(as_certificate(one))
    async with listening(handshakes) as port:
        oldest = ssl.TLSVersion.TLSv1_2
        assert await greeted(port, one.ca, maximum_version=oldest) == "TLSv1.2"
    assert handshakes.context.minimum_version is oldest


async def test_a_certificate_of_another_kind_leaves_none_behind() -> None:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "rsa")])
    now = datetime.now(UTC).replace(microsecond=0)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(1)
        .not_valid_before(now).not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    chain = certificate.public_bytes(serialization.Encoding.PEM)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    handshakes, one = Handshakes(), made()
    handshakes.use(certificate_of(text, chain))
    handshakes.use(as_certificate(one))
    async with listening(handshakes) as port:
        await greeted(port, one.ca, maximum_version=ssl.TLSVersion.TLSv1_2)


def test_a_mounted_key_and_chain_are_one_certificate() -> None:
    one = made()
    key, begin, rest = one.serving.partition(b"-----BEGIN CERTIFICATE-----")
    found = certificate_of(key.rstrip(), begin + rest + one.ca)
    assert found.not_after == one.not_after
    assert "PRIVATE" not in repr(found)
    handshakes = Handshakes()
    handshakes.use(found)
    assert handshakes.valid(datetime.now(UTC))
    assert not handshakes.valid(one.not_after)
    assert not Handshakes().valid(datetime.now(UTC))


def test_what_does_not_fit_together_is_refused_and_changes_nothing() -> None:
    one, two = made(), made()
    key = two.serving.partition(b"-----BEGIN CERTIFICATE-----")[0]
    for text, chain in ((key, one.ca), (b"", one.ca), (key, b""), (b"x", b"x")):
        with pytest.raises(ValueError):
            certificate_of(text, chain)
    handshakes = Handshakes()
    handshakes.use(as_certificate(one))
    with pytest.raises(ValueError):
        handshakes.use(Certificate(key + one.ca, two.not_after))
    assert handshakes.certificate == as_certificate(one)
