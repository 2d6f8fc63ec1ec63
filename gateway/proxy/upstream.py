"""The upstream client: one request, one complete response at rest in the spool.

Nothing of a response is handed on before its last byte is here and its framing is proven. Whatever
is refused closes its connection, so that no later request can read what this one left behind.

A stream release reads its response as it comes (`open`): chunk by chunk, the end only when it is
proven.
"""

import asyncio
from collections.abc import AsyncIterable, Mapping
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientPayloadError, EofStream
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader
from msgspec.structs import replace

from gateway.deadlines import Deadlines
from gateway.endpoints import Route
from gateway.errors import BadUpstream, Code, Late, Refusal
from gateway.inspection.formats import FORMATS
from gateway.log import Log
from gateway.model import Admitted, Format
from gateway.policy.contract import Question
from gateway.proxy import fields
from gateway.proxy.framing import Head, client_headers, read_head
from gateway.proxy.parser import require_strict_parsing
from gateway.proxy.settings import UpstreamSettings
from gateway.response import Payload, Response
from gateway.spool import Spool, Spooled, Writer
from gateway.stored import InMemory
from gateway.wire import READ, MalformedBodyError, Pool, ProtocolError, Wire

_FIRST = 16 * 1024
"""Bytes at the most of the first chunk of a response that is read as it comes: its records are
asked about and leave before the rest is read, of which half a megabyte may be here already."""

_LOG = Log(__name__)


class UpstreamClient:
    """Asks one service, at one address from the configuration; no request can name another."""

    def __init__(self, settings: UpstreamSettings, spool: Spool) -> None:
        self._settings, self._spool = settings, spool
        self._host = urlsplit(settings.url).netloc
        self._pool: Pool | None = None
        self._in_total = Deadlines(settings.total)

    async def start(self) -> None:
        """Raises UnfitParserError, or OSError or ssl.SSLError for an unusable `ca_file`."""
        require_strict_parsing()
        settings = self._settings
        self._pool = Pool(
            settings.url,
            connections=settings.connections,
            patience=settings.connect,
            ca_file=settings.ca_file,
        )

    async def stop(self) -> None:
        """Close every connection; fetches under way fail."""
        if self._pool:
            self._pool.close()

    async def fetch(self, request: Admitted, route: Route, question: Question) -> Response:
        """The whole 200 response, for the caller of `question`. Whoever asks closes its body.

        Raises BadUpstream, UpstreamError, Late(UPSTREAM_TIMEOUT), Unavailable(SPOOL_FULL or
        SPOOL_FAILED), and BadRequest where the caller's own body fails under way.
        """
        assert self._pool is not None
        endpoint, exchange_id, caller = route.endpoint, question.exchange_id, question.caller
        head = self._head(request, endpoint.body.format, exchange_id)
        try:
            with self._in_total():
                wire = await self._pool.take()
                try:
                    subject = endpoint.body.subject_header
                    claims, content = await self._ask(wire, head, request, subject)
                    owner = (caller.issuer, caller.id)
                    limit = endpoint.limits.body
                    body = await self._receive(wire, content, claims.length, limit, owner)
                except BaseException:
                    self._pool.drop(wire)
                    raise
                self._pool.give(wire)
        except TimeoutError:
            raise Late(Code.UPSTREAM_TIMEOUT, "upstream.connect, read or total") from None
        except (ClientError, EofStream, HttpProcessingError, OSError) as error:
            raise _unsound(error) from None
        _LOG.debug("the upstream answered", endpoint=endpoint.name, bytes=body.size)
        headers = client_headers(claims.payload, endpoint, exchange_id)
        return Response(headers, claims.payload, body)

    async def open(self, request: Admitted, route: Route, exchange_id: str) -> "Arriving":
        """A 200 response whose body is still coming. The caller closes it.

        Raises as `fetch` does. `upstream.total` is for the head; the body may take as long as it
        likes, unless it pauses for longer than `upstream.read`.
        """
        assert self._pool is not None
        endpoint = route.endpoint
        head = self._head(request, endpoint.body.format, exchange_id, plain=True)
        try:
            with self._in_total():
                wire = await self._pool.take()
                try:
                    subject = endpoint.body.subject_header
                    claims, content = await self._ask(wire, head, request, subject)
                    if (claims.length or 0) > endpoint.limits.body:
                        raise _too_large("Content-Length is over limits.body")
                except BaseException:
                    self._pool.drop(wire)
                    raise
        except TimeoutError:
            raise Late(Code.UPSTREAM_TIMEOUT, "upstream.connect, read or total") from None
        except (ClientError, EofStream, HttpProcessingError, OSError) as error:
            raise _unsound(error) from None
        # What is released as it comes leaves uncoded.
        spelled = replace(claims.payload, codings=())
        headers = client_headers(spelled, endpoint, exchange_id)
        limit = endpoint.limits.body
        return Arriving(headers, claims.payload, self._pool, wire, content, claims.length, limit)

    async def _ask(
        self, wire: Wire, head: bytes, request: Admitted, subject: Mapping[str, str]
    ) -> tuple[Head, StreamReader]:
        """Send a request; what the response's head claims, and its body as it comes."""
        wire.send(head, self._settings.read)
        answer, content, early = await _answered(wire, request)
        version = (answer.version.major, answer.version.minor)
        claims = read_head(version, answer.code, answer.reason, answer.raw_headers, subject)
        if early:
            raise _protocol("answered before the request was complete")
        return claims, content

    def _head(
        self, request: Admitted, wanted: Format, exchange_id: str, *, plain: bool = False
    ) -> bytes:
        headers = {"Host": self._host, "Accept": "*/*", "User-Agent": "privacy-gateway"}
        headers.update(request.headers)
        reader = FORMATS.get(wanted)
        if plain or (reader and reader.random_access):
            headers["Accept-Encoding"] = "identity"
        headers["X-Request-Id"] = exchange_id
        if request.method == "POST" and "Content-Length" not in headers:
            framing = ("Content-Length", "0") if not request.body else _CHUNKED
            headers.update([framing])
        return fields.spell(f"{request.method} {request.target} HTTP/1.1", headers)

    async def _receive(
        self,
        wire: Wire,
        content: StreamReader,
        length: int | None,
        limit: int,
        owner: tuple[str, str],
    ) -> Spooled:
        if (length or 0) > limit:
            raise _too_large("Content-Length is over limits.body")
        if length is None:
            writer = self._spool.writer(owner)
        elif self._spool.takes_in_memory(length):
            data = await _small(content, length)
            _check_end(wire, length, len(data))
            return self._spool.keep(InMemory(data))
        else:
            writer = await self._spool.writer_for(length, owner)
        try:
            if length is not None and length >= READ and writer.in_file:
                self._divert(wire, content, length, writer)
            while chunk := await content.readany():
                writer.write(chunk)
                if writer.size > limit:
                    raise _too_large("more bytes than limits.body")
            _check_end(wire, length, writer.size)
            return writer.finish()
        except BaseException:
            writer.discard()
            raise

    def _divert(self, wire: Wire, content: StreamReader, length: int, writer: Writer) -> None:
        """Have what is missing of a large body written as it is received."""
        assert self._pool is not None
        while chunk := content.read_nowait():
            writer.write(chunk)
        if length > writer.size:
            wire.divert(length - writer.size, writer.write_at_once, self._pool.buffer)


class Arriving:
    """A 200 response that is still coming: its head, and its body chunk by chunk.

    `complete` once the body came to its proven end; its connection may be used again then.
    """

    def __init__(
        self,
        headers: tuple[tuple[str, str], ...],
        payload: Payload,
        pool: Pool,
        wire: Wire,
        content: StreamReader,
        length: int | None,
        limit: int,
    ) -> None:
        self.headers, self.payload = headers, payload
        self._pool, self._wire, self._content = pool, wire, content
        self._length, self._limit = length, limit
        self.received = 0
        self.complete = self._over = False

    async def read(self) -> bytes:
        """The next bytes, none at the proven end. Raises BadUpstream, or Late for a long pause."""
        if self.complete:
            return b""
        try:
            begun = self.received > 0
            chunk = await (self._content.readany() if begun else self._content.read(_FIRST))
        except TimeoutError:
            raise Late(Code.UPSTREAM_TIMEOUT, "upstream.read") from None
        except (ClientError, EofStream, HttpProcessingError, OSError) as error:
            raise _unsound(error) from None
        self.received += len(chunk)
        if self.received > self._limit:
            raise _too_large("more bytes than limits.body")
        if not chunk:
            _check_end(self._wire, self._length, self.received)
            self.complete = True
        return chunk

    def close(self) -> None:
        """Give up what is still to come."""
        if self._over:
            return
        self._over = True
        if self.complete:
            self._pool.give(self._wire)
        else:
            self._pool.drop(self._wire)


async def _small(content: StreamReader, length: int) -> bytes:
    """The bytes of a body, and no more of them than can show that there are too many."""
    data = bytearray()  # it may come byte by byte
    while len(data) <= length and (chunk := await content.readany()):
        data += chunk
    return bytes(data)


def _check_end(wire: Wire, length: int | None, size: int) -> None:
    if length not in (None, size):
        raise BadUpstream(Code.BODY_INCOMPLETE, "not as long as its Content-Length")
    if wire.has_surplus:
        raise _protocol("bytes after the end of the response")


_CHUNKED = ("Transfer-Encoding", "chunked")


async def _answered(wire: Wire, request: Admitted) -> tuple[RawResponseMessage, StreamReader, bool]:
    """The response's head and body, and whether it came before the request was complete."""
    if request.body is None:
        wire.start_timeout()
        return *await wire.response(), False
    chunked = not any(name == "Content-Length" for name, _ in request.headers)
    sending = asyncio.create_task(_upload(wire, request.body, chunked))
    try:
        answer, content = await wire.response()
        return answer, content, not sending.done()
    finally:
        sending.cancel()
        await asyncio.wait([sending])


async def _upload(wire: Wire, body: AsyncIterable[bytes], chunked: bool) -> None:
    """Pass the caller's body on. What stops it stops the wait for the response too."""
    try:
        async for chunk in body:
            wire.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
            await wire.drained()
        if chunked:
            wire.write(b"0\r\n\r\n")
        wire.start_timeout()
    except (Refusal, OSError) as error:
        wire.set_exception(error)


def _unsound(error: Exception) -> BadUpstream:
    """What is wrong, by the kind of error only: aiohttp's texts quote what they choke on."""
    match error:
        case ProtocolError():
            return _protocol(str(error))
        case MalformedBodyError() | HttpProcessingError():
            return _protocol("malformed HTTP")
        case ClientPayloadError():
            return BadUpstream(Code.BODY_INCOMPLETE, "the connection ended before the body did")
        case _:
            return BadUpstream(Code.UPSTREAM_UNREACHABLE, type(error).__name__)


def _too_large(note: str) -> BadUpstream:
    return BadUpstream(Code.BODY_TOO_LARGE, note)


def _protocol(note: str) -> BadUpstream:
    return BadUpstream(Code.UPSTREAM_PROTOCOL, note)
