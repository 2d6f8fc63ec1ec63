"""A caller's request body, read as the upstream takes it, and no faster."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import StreamReader
from aiohttp.web_protocol import RequestPayloadError

from gateway.errors import BadRequest, Code
from gateway.proxy.settings import ClientSettings

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Upload:
    """Chunks of a body; each within `client.body`, all within `client.limits.body`.

    A caller that expects `100 Continue` gets it with the first read: when the request is
    authenticated and the upstream is ready to take the body, not before.
    """

    def __init__(
        self, content: StreamReader, settings: ClientSettings, asks: asyncio.Transport | None
    ) -> None:
        self._content, self._settings, self._asks = content, settings, asks
        self._received = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """Raises BadRequest for a body that stalls, breaks off or is too large."""
        if self._asks:
            self._asks.write(_CONTINUE)
            self._asks = None
        try:
            async with asyncio.timeout(self._settings.body):
                chunk = await self._content.readany()
        except TimeoutError:
            raise BadRequest(Code.REQUEST_INCOMPLETE, "client.body") from None
        except RequestPayloadError:
            raise BadRequest(Code.REQUEST_MALFORMED, "the body's framing is malformed") from None
        except Exception:  # noqa: BLE001 - what aiohttp stores in a stream has no common base
            raise BadRequest(Code.REQUEST_INCOMPLETE, "the body broke off") from None
        if not chunk:
            raise StopAsyncIteration
        self._received += len(chunk)
        if self._received > self._settings.limits.body:
            raise BadRequest(Code.REQUEST_TOO_LARGE, "client.limits.body")
        return chunk
