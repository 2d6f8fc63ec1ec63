"""An upstream that sends its response piece by piece, each when the test says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class FlowingService:
    """Answers every request with the same head, and then with what `send` is given, as it comes.

    `left` is set when the gateway closed its connection before the end.
    """

    media_type: str = "application/x-ndjson"
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0
    _pieces: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._pieces.put_nowait(piece)

    def end(self) -> None:
        """The proven end of the body."""
        self._pieces.put_nowait(None)

    def cut(self) -> None:
        """The connection breaks in the midst of the body."""
        self._pieces.put_nowait(b"")

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(dict(request.headers))
        response = web.StreamResponse(headers={"Content-Type": self.media_type, **self.headers})
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            while (piece := await self._pieces.get()) is not None:
                if not piece:
                    assert request.transport
                    request.transport.abort()
                    return response
                await response.write(piece)
                self.sent += len(piece)
        except (ConnectionError, asyncio.CancelledError):
            self.left.set()
            raise
        await response.write_eof()
        return response


@asynccontextmanager
async def flowing(service: FlowingService) -> AsyncIterator[str]:
    """The service's address."""
    server = web.Server(service.respond, access_log=None, handler_cancellation=True)
    runner = web.ServerRunner(server)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
