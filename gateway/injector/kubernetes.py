"""The Kubernetes API, as much of it as the injector needs: one object read, one object replaced.

A replacement names the version that it was made from, so that of two replicas one gets a conflict
(https://kubernetes.io/docs/reference/using-api/api-concepts/#updates-to-existing-resources). The
token is read again for each request: the kubelet replaces it.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import aiohttp
import jiter
import msgspec

_MAX_OBJECT = 4 * 2**20
_MAX_TOKEN = 64 * 2**10
_TIMEOUT = 10.0

Object = dict[str, Any]


class Fault(StrEnum):
    """Why a request failed, as an operator would act on it."""

    ACCOUNT = "account"
    UNREACHABLE = "unreachable"
    UNTRUSTED = "untrusted"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    CONFLICT = "conflict"
    STATUS = "status"
    MALFORMED = "malformed"
    INTERNAL = "internal"


class ApiError(Exception):
    """The API server could not be asked, or refused."""

    def __init__(self, fault: Fault, path: str) -> None:
        super().__init__(fault, path)
        self.fault = fault
        self.path = path


_FAULTS: Mapping[int, Fault] = {
    401: Fault.FORBIDDEN,
    403: Fault.FORBIDDEN,
    404: Fault.MISSING,
    409: Fault.CONFLICT,
}


@dataclass(frozen=True, slots=True)
class Api:
    """`account` is the folder that a service account is mounted at: `token` and `ca.crt`."""

    url: str
    account: Path

    async def get(self, path: str) -> Object:
        """Raises ApiError."""
        return await self._ask("GET", path, None)

    async def replace(self, path: str, value: Mapping[str, Any]) -> Object:
        """PUT an object of the version that it holds. Raises ApiError, CONFLICT among them."""
        return await self._ask("PUT", path, msgspec.json.encode(value))

    async def _ask(self, method: str, path: str, body: bytes | None) -> Object:
        headers, context = await asyncio.to_thread(self._credentials, path)
        try:
            async with (
                asyncio.timeout(_TIMEOUT),
                aiohttp.ClientSession(
                    headers=headers,
                    auto_decompress=False,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    connector=aiohttp.TCPConnector(force_close=True, ssl=context),
                    timeout=aiohttp.ClientTimeout(),
                    trust_env=False,
                ) as session,
                session.request(
                    method, self.url + path, data=body, allow_redirects=False
                ) as response,
            ):
                return await _read(response, path)
        except aiohttp.ClientSSLError:
            raise ApiError(Fault.UNTRUSTED, path) from None
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise ApiError(Fault.UNREACHABLE, path) from None

    def _credentials(self, path: str) -> tuple[Mapping[str, str], ssl.SSLContext]:
        try:
            with (self.account / "token").open("rb") as file:
                token = file.read(_MAX_TOKEN).decode("ascii").strip()
            context = ssl.create_default_context(cafile=self.account / "ca.crt")
        except (OSError, ValueError):
            raise ApiError(Fault.ACCOUNT, path) from None
        if not token or not token.isprintable():
            raise ApiError(Fault.ACCOUNT, path)
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "User-Agent": "privacy-gateway-injector",
        }
        return headers, context


async def _read(response: aiohttp.ClientResponse, path: str) -> Object:
    if response.status not in (200, 201):
        raise ApiError(_FAULTS.get(response.status, Fault.STATUS), path)
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_OBJECT:
            raise ApiError(Fault.MALFORMED, path)
    try:
        value = jiter.from_json(bytes(body), allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError:
        raise ApiError(Fault.MALFORMED, path) from None
    if not isinstance(value, dict):
        raise ApiError(Fault.MALFORMED, path)
    return value
