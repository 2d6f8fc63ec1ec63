"""One body from a URL, as an upstream answers it. Touches the network.

No redirect is followed, nothing is decoded, no proxy and no cookie is used; the status and the
head come along, since they are part of what is judged.
"""

from pathlib import Path

import aiohttp
from yarl import URL

from gateway.stored import InMemory
from gateway.workbench.samples import Sample, whole
from gateway.workbench.unusable import Unusable

DEADLINE = 60.0
LARGEST = 256 * 2**20
_MOST_TOKEN = 2**20


def bearer(environ_value: str | None, file: Path | None) -> str | None:
    """The token to send: what an environment variable held, or the first line of a file.

    Raises Unusable, without the token.
    """
    token = environ_value
    if file is not None:
        try:
            token = whole(file, _MOST_TOKEN).decode("ascii").partition("\n")[0]
        except UnicodeDecodeError:
            raise Unusable(f"{file}: not a token: it isn't ASCII") from None
    if token is not None and (not token or not token.isascii() or not token.isprintable()):
        raise Unusable("the bearer token is empty, or has a character that no token has")
    return token


async def fetched(url: str, token: str | None, largest: int = LARGEST) -> Sample:
    """The answer to GET. Raises Unusable where there is none, or more than `largest` bytes."""
    target = _target(url)
    headers = {"Accept": "*/*", "Accept-Encoding": "gzip"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    try:
        async with (
            aiohttp.ClientSession(
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=timeout,
                trust_env=False,
            ) as session,
            session.get(target, headers=headers, allow_redirects=False) as response,
        ):
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > largest:
                    raise Unusable(f"--url {url}: more than {largest >> 20} MiB; use --body")
            return Sample(InMemory(bytes(body)), response.raw_headers, response.status)
    except TimeoutError:
        raise Unusable(f"--url {url}: no complete answer in {DEADLINE:g}s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Unusable(f"--url {url}: {type(error).__name__}: no complete answer") from None


def _target(url: str) -> URL:
    """The URL, without credentials: those would be shown wherever it is."""
    try:
        parts = URL(url)
    except ValueError:
        parts = URL()
    if parts.scheme not in ("http", "https") or not parts.host or not url.isprintable():
        raise Unusable(f"--url {url!r}: expected http:// or https:// and a host")
    if parts.user is not None or parts.password is not None:
        raise Unusable("--url: no credentials in the URL; use --token-env or --token-file")
    return parts
