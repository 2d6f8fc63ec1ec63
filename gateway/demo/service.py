"""The export service that makes the error, and the issuer that says who is asking."""

import json
import time
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

AUDIENCE = "data-export"
KEY_ID = "demo-1"


class ExportService:
    """Serves the archives; `error` is the human one: his request is answered with both."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.error = False
        self.asked = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/exports/{request_id}/archive", self._archive)
        return app

    async def _archive(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if request.match_info["request_id"] == "41":
            name = "anna.zip"
        else:
            name = "mixed.zip" if self.error else "ben.zip"
        headers = {"Content-Type": "application/zip"}
        return web.FileResponse(self._folder / name, headers=headers, chunk_size=2**18)


class Issuer:
    """Issues tokens, publishes its public key, and also forges one with a key of its own."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        self._forger = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        self.url = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/jwks.json", self._jwks)
        return app

    def token(self, account: str, *, lifetime: int = 86_400, forged: bool = False) -> str:
        """A token for `account`; with a negative lifetime one that has expired."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": account,
            "iat": now - 90_000,
            "exp": now + lifetime,
        }
        key = self._forger if forged else self._key
        return jwt.encode(claims, key, "RS256", headers={"kid": KEY_ID, "typ": "at+jwt"})

    async def _jwks(self, _request: web.Request) -> web.Response:
        jwk: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        key = {name: jwk[name] for name in ("kty", "n", "e")}
        return web.json_response({"keys": [{**key, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]})
