"""Strict parsing of responses, switched on for the whole program and proven before it serves.

aiohttp parses requests strictly, but responses leniently: bare LF, folded lines, spaces after a
chunk size, repeated fields. Each is a way to make two parsers see two responses. Its C parser reads
the module global `DEBUG` whenever a parser is made; nothing else hangs on that name there.
"""

import asyncio
import importlib
from typing import Any

from aiohttp import http
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError

_HEAD = b"HTTP/1.1 200 OK\r\n"
_SOUND = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
_LAX = (
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    _HEAD + b"A: b\r\n c\r\nContent-Length: 2\r\n\r\nhi",
    _HEAD + b"A: \x01\r\nContent-Length: 2\r\n\r\nhi",
    _HEAD + b"Content-Type: text/csv\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi",
    _HEAD + b"Transfer-Encoding: chunked\r\n\r\n2 \r\nhi\r\n0\r\n\r\n",
)


class UnfitParserError(RuntimeError):
    """HTTP can't be parsed strictly here; the gateway must not start."""


def require_strict_parsing() -> None:
    """Switch strict parsing on and prove it. Needs a running loop. Raises UnfitParserError."""
    try:
        compiled: Any = importlib.import_module("aiohttp._http_parser")
    except ImportError:
        raise UnfitParserError("aiohttp was built without its C parser") from None
    if (http.HttpRequestParser, http.HttpResponseParser) != (
        compiled.HttpRequestParser,
        compiled.HttpResponseParser,
    ):
        raise UnfitParserError("aiohttp runs without its C parser (AIOHTTP_NO_EXTENSIONS?)")
    compiled.DEBUG = True
    if not _parses(_SOUND):
        raise UnfitParserError("aiohttp's parser refuses a sound response")
    if any(_parses(response) for response in _LAX):
        raise UnfitParserError("aiohttp's parser can't be made strict")


def _parses(response: bytes) -> bool:
    loop = asyncio.get_running_loop()
    protocol = BaseProtocol(loop)
    parser = http.HttpResponseParser(protocol, loop, 2**16, auto_decompress=False)
    protocol._parser = parser
    try:
        messages, _, _ = parser.feed_data(response)
    except HttpProcessingError:
        return False
    return len(messages) == 1
