"""The session that opa-python-client asks through: our connections, and only sound answers.

aiohttp's own session would follow a redirect with the whole question in it (307, 308), inflate an
answer without bound, and spends twice the time of the rest of a question.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp import ClientPayloadError, EofStream
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader

from gateway.wire import Pool, Wire

_CONNECTIONS = 64
_PATIENCE = 10.0
"""Seconds for a connection: whoever asks has a shorter deadline of its own."""
_MOST = 8 << 20
"""Bytes of an answer, unless somebody expects more."""


class NotAnAnswer(aiohttp.ClientError):
    """What came is no answer of OPA's data API; `note` says why, and quotes nothing."""

    def __init__(self, note: str) -> None:
        super().__init__(note)
        self.note = note


class BrokenOff(NotAnAnswer):
    """OPA went away before its answer ended, or something else is in its place."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A 200 with JSON, as far as opa-python-client looks at it. `json()` are its bytes: they are
    not decoded by a lax decoder."""

    body: bytes
    status: int = 200

    async def json(self) -> bytes:
        return self.body

    def raise_for_status(self) -> None:
        """Nothing: it is 200."""

    async def release(self) -> None:
        """Nothing: it was read to its end."""


class Session:
    """Asks one OPA. Raises NotAnAnswer, another aiohttp.ClientError, or OSError."""

    def __init__(self, url: str) -> None:
        """Raises OSError or ssl.SSLError where the system's trust anchors can't be used."""
        self._origin = url
        self._pool = Pool(url, connections=_CONNECTIONS, patience=_PATIENCE)
        self._fields = (
            f" HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nUser-Agent: privacy-gateway\r\n"
            "Accept: application/json\r\nAccept-Encoding: identity\r\n"
        ).encode("ascii")

    @property
    def closed(self) -> bool:
        return False

    async def close(self) -> None:
        self._pool.close()

    async def request(
        self, method: str, url: str, *, json: Any = None, most: int = _MOST
    ) -> Answer:
        """`json` is the body of a POST; msgspec.Raw in it stands for itself. At most `most` bytes
        are read."""
        head = f"{method} {url.removeprefix(self._origin)}".encode("ascii") + self._fields
        if json is None:
            return await self._ask(head + b"\r\n", most)
        body = msgspec.json.encode(json)
        framing = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        return await self._ask(head + framing + body, most)

    async def _ask(self, request: bytes, most: int) -> Answer:
        wire = await self._pool.take()
        try:
            wire.send(request, 0.0)  # whoever asks has a deadline: it needs no other
            answer, content = await wire.response()
            _check(answer)
            body = await _whole(wire, content, most)
        except (EofStream, HttpProcessingError, ClientPayloadError):
            self._pool.drop(wire)
            raise BrokenOff("OPA breaks off, or speaks no HTTP") from None
        except BaseException:
            self._pool.drop(wire)
            raise
        self._pool.give(wire)
        return Answer(body)


def _check(answer: RawResponseMessage) -> None:
    if answer.code != 200:
        raise NotAnAnswer(f"OPA answered {answer.code}")
    if not answer.chunked and "Content-Length" not in answer.headers:
        raise NotAnAnswer("nothing proves where OPA's answer ends")
    kinds = answer.headers.getall("Content-Type", ())
    plain = len(kinds) == 1 and kinds[0].partition(";")[0].strip().lower() == "application/json"
    if not plain or answer.headers.get("Content-Encoding"):
        raise NotAnAnswer("OPA's answer is not plain JSON")


async def _whole(wire: Wire, content: StreamReader, most: int) -> bytes:
    body = bytearray()
    while chunk := await content.readany():
        body += chunk
        if len(body) > most:
            raise NotAnAnswer("OPA's answer is too large")
    if wire.has_surplus:
        raise NotAnAnswer("OPA says more than it was asked")
    return bytes(body)
