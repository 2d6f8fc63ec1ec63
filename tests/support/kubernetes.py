"""A small API server for the injector's two objects: HTTPS, bearer tokens, versions, conflicts.

It stands in for what a test can't have; the real one is asked in the cluster's tests.
"""

import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from gateway.injector import generations
from gateway.injector.upkeep import Places

PLACES = Places("gateway-system", "injector-certificate", "injector")
TOKEN = "token-of-the-service-account"


def webhooks(*names: str) -> dict[str, Any]:
    return {
        "metadata": {"name": PLACES.webhook, "resourceVersion": "1", "uid": "w"},
        "webhooks": [
            {"name": name, "clientConfig": {"service": {"name": "injector"}}} for name in names
        ],
    }


@dataclass
class FakeApi:
    """`before` is called with method and path before each request; what it returns is the status.

    `trusted` has the caBundle after every change of it, oldest first.
    """

    folder: Path
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    before: Callable[[str, str], int] | None = None
    trusted: list[bytes] = field(default_factory=list)
    on_trusted: Callable[[bytes], None] | None = None
    url: str = ""
    _version: int = 1

    def __post_init__(self) -> None:
        secret = {"metadata": {"name": PLACES.secret, "resourceVersion": "1"}, "type": "Opaque"}
        self.objects[PLACES.secret_path] = secret
        self.objects[PLACES.webhook_path] = webhooks("annotated", "enabled")
        self.account = self.folder / "account"
        self.account.mkdir()
        (self.account / "token").write_text(TOKEN + "\n")
        self._own = generations.issue(["127.0.0.1"], generations.now(), timedelta(days=1))
        (self.account / "ca.crt").write_bytes(self._own.ca)

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        path = self.folder / "api.pem"
        path.write_bytes(self._own.serving)
        context.load_cert_chain(path)
        return context

    def secret_data(self) -> dict[str, bytes]:
        data = self.objects[PLACES.secret_path].get("data") or {}
        return {name: base64.b64decode(text) for name, text in data.items()}

    def generations(self) -> list[generations.Generation]:
        found = [generations.parse(text) for text in self.secret_data().values()]
        return sorted(found, key=lambda each: (each.not_after, each.id))

    def ca_bundles(self) -> list[bytes]:
        """Of each webhook."""
        return [
            base64.b64decode(each["clientConfig"].get("caBundle", ""))
            for each in self.objects[PLACES.webhook_path]["webhooks"]
        ]

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((request.method, request.path))
        body = await request.read()
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _status(401)
        if self.before and (status := self.before(request.method, request.path)):
            return _status(status)
        there = self.objects.get(request.path)
        if there is None:
            return _status(404)
        if request.method == "GET":
            return web.json_response(there)
        if request.method != "PUT":
            return _status(405)
        value = json.loads(body)
        if value["metadata"]["resourceVersion"] != there["metadata"]["resourceVersion"]:
            return _status(409)
        self._version += 1
        value["metadata"]["resourceVersion"] = str(self._version)
        self.objects[request.path] = value
        if request.path == PLACES.webhook_path:
            self.trusted.append(self.ca_bundles()[0])
            if self.on_trusted:
                self.on_trusted(self.trusted[-1])
        return web.json_response(value)


def _status(code: int) -> web.Response:
    return web.json_response({"kind": "Status", "status": "Failure", "code": code}, status=code)


@asynccontextmanager
async def serving(api: FakeApi, port: int = 0) -> AsyncIterator[FakeApi]:
    runner = web.ServerRunner(web.Server(api.serve, access_log=None))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=api.context()).start()
        api.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        yield api
    finally:
        await runner.cleanup()
