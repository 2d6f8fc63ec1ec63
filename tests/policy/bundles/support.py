"""Bundles in every form, keys to sign them with, and a bundle server on a real socket."""

import asyncio
import gzip
import io
import json
import ssl
import subprocess
import tarfile
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from gateway.policy.bundles.contents import Bundle
from gateway.policy.bundles.pauses import Clocks
from gateway.policy.bundles.settings import DeliverySettings, PollingSettings

RULE = "package privacy.decision\n\neffect := 1\n"
SECRET = b"a secret of thirty-two bytes or more, for HS256\n"


def files(revision: str = "", rule: str = RULE, **more: bytes) -> dict[str, bytes]:
    """The files of a small bundle."""
    manifest: dict[str, Any] = {"roots": ["privacy"]}
    if revision:
        manifest["revision"] = revision
    return {
        ".manifest": json.dumps(manifest).encode(),
        "privacy/p.rego": rule.encode(),
        **more,
    }


def folder(path: Path, contents: Mapping[str, bytes]) -> Path:
    for name, content in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def tarball(contents: Mapping[str, bytes], prefix: str = "/") -> bytes:
    """A `.tar.gz` with names as `opa build` writes them."""
    return gzip.compress(tar(contents, prefix), mtime=0)


def tar(
    contents: Mapping[str, bytes], prefix: str = "/", form: int = tarfile.USTAR_FORMAT
) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(prefix + name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


# --- signing ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SigningKey:
    """A private key in a file, its public half beside it. For HMAC both are the same file."""

    algorithm: str
    private: Path
    public: Path


def signing_key(directory: Path, algorithm: str, name: str = "key") -> SigningKey:
    directory.mkdir(parents=True, exist_ok=True)
    private = directory / f"{name}.{algorithm}.private"
    public = directory / f"{name}.{algorithm}.public"
    if algorithm.startswith("HS"):
        private.touch(0o600)
        private.write_bytes(SECRET + name.encode() * 8)
        return SigningKey(algorithm, private, private)
    key: Any
    if algorithm.startswith("ES"):
        curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
        key = ec.generate_private_key(curves[algorithm])
        form = PrivateFormat.TraditionalOpenSSL
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(Encoding.PEM, form, NoEncryption()))
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return SigningKey(algorithm, private, public)


def jws(payload: Any, key: SigningKey, *, header: Mapping[str, Any] | None = None) -> str:
    """A compact JWS over any payload, signed by a library of its own."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    headers = {"typ": "JWT", "kid": "prod"} | dict(header or {})
    headers = {name: value for name, value in headers.items() if value is not None}
    secret = key.private.read_bytes()
    return jwt.api_jws.encode(content, secret, key.algorithm, headers=headers)


def opa_build(opa: str, source: Path, out: Path, *arguments: str, revision: str = "") -> bytes:
    """A bundle made by the real `opa build -b`; the bytes of its archive."""
    command = [opa, "build", "-b", ".", "-o", str(out), *arguments]
    if revision:
        command += ["--revision", revision]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return out.read_bytes()


def signed_by(key: SigningKey, key_id: str = "prod") -> tuple[str, ...]:
    """The arguments of `opa build` that sign."""
    return (
        "--signing-key", str(key.private), "--signing-alg", key.algorithm,
        "--verification-key-id", key_id,
    )  # fmt: skip


# --- a bundle server ----------------------------------------------------------------------------


@dataclass
class BundleServer:
    """Serves one archive by its ETag. `asked` are the headers of every request, in order.

    `waits` makes it a server that holds a request back until something changes. `answer` takes the
    place of everything: a status, headers and a body.
    """

    archive: bytes = b""
    etag: str = ""
    waits: bool = False
    answer: tuple[int, Mapping[str, str], bytes] | None = None
    url: str = ""
    asked: list[Mapping[str, str]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _arrival: asyncio.Condition = field(default_factory=asyncio.Condition)

    def serve(self, archive: bytes, etag: str) -> None:
        self.archive, self.etag, self.answer = archive, etag, None
        self._changed.set()

    def fail(
        self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> None:
        self.answer = status, headers or {}, body
        self._changed.set()

    async def until_asked(self, times: int) -> None:
        async with self._arrival:
            await self._arrival.wait_for(lambda: len(self.asked) >= times)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.headers))
        async with self._arrival:
            self._arrival.notify_all()
        known = request.headers.get("If-None-Match", "")
        if self.waits and "wait=" in request.headers.get("Prefer", "") and known == self.etag:
            self._changed.clear()
            await self._changed.wait()
        if self.answer is not None:
            status, headers, body = self.answer
            return web.Response(status=status, headers=headers, body=body)
        if known and known == self.etag:
            return web.Response(status=304, headers={"ETag": self.etag})
        kind = "application/vnd.openpolicyagent.bundles" if self.waits else "application/gzip"
        headers = {"Content-Type": kind} | ({"ETag": self.etag} if self.etag else {})
        return web.Response(body=self.archive, headers=headers)


@asynccontextmanager
async def bundle_server(
    archive: bytes = b"", etag: str = '"1"', tls: ssl.SSLContext | None = None
) -> AsyncIterator[BundleServer]:
    server = BundleServer(archive, etag)
    app = web.Application()
    app.router.add_get("/{name:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = runner.addresses[0][1]
        server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/bundle.tar.gz"
        yield server
    finally:
        await runner.cleanup()


QUICK = PollingSettings(min=0.001, max=0.002, files=0.001)
"""Polls at once: tests wait for what happens, never for time to pass."""


def delivery(**changes: Any) -> DeliverySettings:
    settings: dict[str, Any] = {"polling": QUICK, "max_age": 60.0, "timeout": 20.0}
    return DeliverySettings(**settings | changes)


@dataclass
class Time:
    """Both clocks, moved by hand; `clocks` hands them in."""

    now: float = 1_780_000_000.0

    def __call__(self) -> float:
        return self.now

    @property
    def clocks(self) -> Clocks:
        return Clocks(wall=self, monotonic=self, chance=lambda: 0.5)


async def soon(waiting: Awaitable[Bundle]) -> Bundle:
    """What comes, or a failure of the test where nothing does."""
    async with asyncio.timeout(20):
        return await waiting
