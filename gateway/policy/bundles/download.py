"""A bundle server over HTTP, as OPA asks it: the only file here that touches the network.

    If-None-Match: "…"                  304 where there is nothing new
    Prefer: modes=snapshot;wait=30      answer when there is something new, at most 30 s later

Deltas aren't asked for: they can't be signed. A server says that it can wait with the content type
`application/vnd.openpolicyagent.bundles`. Redirects are not followed: the configuration names the
server. Content codings are refused: nothing is inflated before it is bounded.

Source: https://www.openpolicyagent.org/docs/management-bundles#http-long-polling
"""

import asyncio
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from gateway.locations import shown
from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.files import MAX_SECRET, read
from gateway.policy.bundles.settings import DeliverySettings

_WAITS = "application/vnd.openpolicyagent.bundles"
_MAX_ETAG = 1024
_WHY: Mapping[int, str] = {
    304: ", though it was not asked whether anything is new",
    401: " (delivery.token_file?)",
    403: " (delivery.token_file?)",
    **dict.fromkeys((301, 302, 303, 307, 308), " (redirects are not followed)"),
}
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750 section 2.1."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server's answer. `archive` is None where it answered 304, which says nothing of `waits`:
    that it can hold a request back until there is something new."""

    archive: bytes | None
    etag: str
    waits: bool


async def fetch(url: str, settings: DeliverySettings, etag: str, wait: float | None) -> Served:
    """Ask once; `wait` is how many seconds the server may hold the answer back.

    Raises BundleError.
    """
    headers = _headers(settings, etag, wait)
    # Loading the system's certificates takes some 30 ms.
    context = await asyncio.to_thread(_context, settings) if url.startswith("https:") else True
    try:
        async with (
            asyncio.timeout(settings.timeout + (wait or 0.0)),
            aiohttp.ClientSession(
                headers=headers,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(force_close=True, ssl=context),
                timeout=aiohttp.ClientTimeout(),  # none: the whole has its deadline
                trust_env=False,
            ) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            return await _read(response, shown(url), settings.max_size, etag)
    except TimeoutError:
        raise BundleError(shown(url), "no complete answer within the timeout") from None
    except (aiohttp.ClientError, OSError) as error:
        raise BundleError(shown(url), f"unreachable ({type(error).__name__})") from None


def _headers(settings: DeliverySettings, etag: str, wait: float | None) -> Mapping[str, str]:
    preferences = ["modes=snapshot"] + ([f"wait={round(wait)}"] if wait else [])
    headers = {
        "Accept-Encoding": "identity",
        "Prefer": ";".join(preferences),
        "User-Agent": "privacy-gateway",
    }
    if etag:
        headers["If-None-Match"] = etag
    if settings.token_file:
        content, _ = read(settings.token_file, MAX_SECRET)
        token = content.decode("ascii", "replace").strip()
        if not _TOKEN.fullmatch(token):
            raise BundleError(settings.token_file, "not a bearer token")
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _context(settings: DeliverySettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except OSError:  # ssl.SSLError is one
        raise BundleError(str(settings.ca_file), "no certificates that could be trusted") from None


async def _read(response: aiohttp.ClientResponse, url: str, limit: int, etag: str) -> Served:
    if response.status == 304 and etag:
        # Under our ETag, whatever it names: another one would be of an archive that we don't have.
        return Served(None, etag, waits=False)
    if response.status != 200:
        raise BundleError(url, f"answered {response.status}{_WHY.get(response.status, '')}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise BundleError(url, "answered with a Content-Encoding, though none was asked for")
    if (response.content_length or 0) > limit:
        raise BundleError(url, f"more than {limit} bytes")
    archive = bytearray()
    async for chunk in response.content.iter_any():
        archive += chunk
        if len(archive) > limit:
            raise BundleError(url, f"more than {limit} bytes")
    return Served(bytes(archive), _etag(response, url), response.content_type == _WAITS)


def _etag(response: aiohttp.ClientResponse, url: str) -> str:
    etag = response.headers.get("ETag", "")
    if len(etag) > _MAX_ETAG or not (etag.isascii() and etag.isprintable()):
        raise BundleError(url, "an ETag that is too long, or not printable ASCII")
    return etag
