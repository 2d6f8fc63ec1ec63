"""A token issuer for tests: keys, JWKS documents, tokens good and bad, and a JWKS server.

    issuer = TestIssuer()
    issuer.write_jwks(tmp_path / "jwks.json")             # or: async with issuer.serve() as server
    headers = {"Authorization": issuer.bearer(sub="A1")}  # claims override the default ones

Keys are made once per test run and shared by all issuers that ask for the same `serial`.
"""

import base64
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ABSENT: Any = object()
"""As a claim or header value: leave it out."""

_CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


def private_key(algorithm: str, serial: int = 0, bits: int = 2048) -> Any:
    """A private key for the JWS algorithm; all RSA algorithms share one key for each serial."""
    return _generate("RSA" if algorithm[:2] in ("RS", "PS") else algorithm, serial, bits)


@cache
def _generate(family: str, serial: int, bits: int) -> Any:
    if family == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=bits)
    if family == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(_CURVES[family])


def b64(data: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encoded(part: Mapping[str, Any] | bytes) -> str:
    """One segment: a mapping is written as JSON, bytes are taken as they are."""
    return b64(part if isinstance(part, bytes) else json.dumps(part).encode())


@dataclass(frozen=True)
class SigningKey:
    """A private key with the name and the algorithm that its issuer gives it."""

    kid: str = "key-1"
    algorithm: str = "RS256"
    serial: int = 0

    @property
    def private(self) -> Any:
        return private_key(self.algorithm, self.serial)

    def sign(self, data: bytes) -> bytes:
        return jwt.get_algorithm_by_name(self.algorithm).sign(data, self.private)

    def jwk(self, **members: Any) -> dict[str, Any]:
        """The public key as a JWK; `members` are added, or left out if ABSENT."""
        public = self.private.public_key()
        numbers = jwt.get_algorithm_by_name(self.algorithm).to_jwk(public, as_dict=True)
        numbers.pop("key_ops", None)
        jwk = numbers | {"kid": self.kid, "alg": self.algorithm, "use": "sig"} | members
        return {name: value for name, value in jwk.items() if value is not ABSENT}


def compact(
    header: Mapping[str, Any] | bytes, payload: Mapping[str, Any] | bytes, key: SigningKey
) -> str:
    """A compact JWS of any header and payload, however wrong, with a right signature."""
    signing_input = f"{encoded(header)}.{encoded(payload)}"
    return f"{signing_input}.{b64(key.sign(signing_input.encode()))}"


class TestIssuer:
    """Issues tokens that the gateway accepts, unless a test asks for something else."""

    __test__ = False

    def __init__(
        self,
        issuer: str = "https://id.example.org",
        audience: str = "data-export",
        *,
        key: SigningKey | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self.keys = [key or SigningKey()]
        self._clock = clock

    @property
    def key(self) -> SigningKey:
        """The key that signs: the newest."""
        return self.keys[-1]

    def rotate(self, kid: str = "key-2", *, keep: bool = True) -> SigningKey:
        """Sign with a new key from now on; the old one stays in the set, or leaves it."""
        new = SigningKey(kid, self.key.algorithm, self.key.serial + 1)
        self.keys = [*self.keys, new] if keep else [new]
        return new

    def claims(self, **claims: Any) -> dict[str, Any]:
        """The claims of a good access token, five minutes long, for the subject A1."""
        now = int(self._clock())
        good = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": "A1",
            "iat": now,
            "exp": now + 300,
        }
        return {name: value for name, value in (good | claims).items() if value is not ABSENT}

    def header(self, **header: Any) -> dict[str, Any]:
        good = {"alg": self.key.algorithm, "kid": self.key.kid, "typ": "at+jwt"}
        return {name: value for name, value in (good | header).items() if value is not ABSENT}

    def token(
        self,
        *,
        header: Mapping[str, Any] | None = None,
        signed_by: SigningKey | None = None,
        **claims: Any,
    ) -> str:
        """A signed token; `header` and `claims` override single members of a good one."""
        return compact(self.header(**(header or {})), self.claims(**claims), signed_by or self.key)

    def bearer(self, **token: Any) -> str:
        """An Authorization header value with such a token."""
        return f"Bearer {self.token(**token)}"

    def expired(self, **claims: Any) -> str:
        """A token that was good an hour ago."""
        now = int(self._clock())
        return self.token(**{"iat": now - 7200, "exp": now - 3600} | claims)

    def forged(self, **claims: Any) -> str:
        """A token under this issuer's `kid`, signed with somebody else's key."""
        stranger = SigningKey(self.key.kid, self.key.algorithm, serial=99)
        return self.token(signed_by=stranger, **claims)

    def jwks(self, *more: Any) -> dict[str, Any]:
        """The JWK set, with further members (good or bad) at its end."""
        return {"keys": [*(key.jwk() for key in self.keys), *more]}

    def jwks_bytes(self) -> bytes:
        return json.dumps(self.jwks()).encode()

    def write_jwks(self, path: Path) -> Path:
        path.write_bytes(self.jwks_bytes())
        return path

    def config(self, jwks: str, **settings: Any) -> dict[str, Any]:
        """This issuer as an entry of `identity.issuers` in the configuration."""
        return {
            "issuer": self.issuer,
            "audience": self.audience,
            "jwks": jwks,
            "algorithms": [self.key.algorithm],
            "identifiers": {"account": "sub", "email": "email"},
        } | settings

    def serve(self) -> "JwksServer":
        """A loopback server for the JWK set as it is at each request."""

        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(body=self.jwks_bytes(), content_type="application/json")

        return JwksServer(answer)


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class JwksServer:
    """An HTTP server on loopback with one resource; set `answer` to make it misbehave."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.hits = 0
        self.url = ""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.hits += 1
        return await self.answer(request)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/jwks.json"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
