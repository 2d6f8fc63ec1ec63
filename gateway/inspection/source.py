"""A stored body as decoded chunks, every byte of the content coding accounted for.

A `Source` can be read any number of times (inspection first, then redaction), so it opens a fresh
decoder each time. A coding is decoded to its proven end: a missing trailer, bytes after the last
gzip member or a wrong checksum are a refusal (RFC 1952; aiohttp and most clients accept them).
"""

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from gateway.errors import BadUpstream, Code, Unavailable
from gateway.inspection.settings import Limits
from gateway.spool import InMemory, OnDisk, Stored

__all__ = [
    "CHUNK",
    "Body",
    "FileSink",
    "GzipSink",
    "InMemory",
    "Inflation",
    "MemorySink",
    "Meter",
    "OnDisk",
    "Sink",
    "Source",
    "Stored",
    "read",
]

CHUNK = 256 * 1024
"""Bytes read at once: 64 to 256 KiB measured best, 1 MiB a quarter slower."""

_MAX_GZIP_MEMBERS = 1_000
"""A million empty gzip members are 20 MB of pure overhead: no exporter writes them."""

_GZIP_HEADER, _MAX_GZIP_NAME = 10, 255
_GZIP_EXTRA, _GZIP_NAME, _GZIP_COMMENT = 0x04, 0x08, 0x10
_CONTROLS = bytes([*range(0x20), *range(0x7F, 0xA0)])


class Source(Protocol):
    """What a format reads."""

    def chunks(self) -> Iterator[bytes]:
        """The decoded bytes from the start, in non-empty chunks. Raises BadUpstream."""
        ...


@dataclass(slots=True)
class Meter:
    """Counts the received bytes that a reader has accounted for, and what they decoded to."""

    inspected: int = 0
    decoded: int = 0


@dataclass(frozen=True, slots=True)
class Body:
    """A response body: stored bytes under content codings (RFC 9110 section 8.4).

    `meter` counts what was read: `chunks` by itself; a reader with random access counts the
    pieces that it has tiled the file with.
    """

    stored: Stored
    codings: tuple[str, ...]
    limits: Limits
    meter: Meter = field(default_factory=Meter)

    def chunks(self) -> Iterator[bytes]:
        self.meter.inspected = self.meter.decoded = 0
        match self.codings:
            case ():
                return self._decoded(self._received())
            case ("gzip",):
                return self._decoded(_gunzip(self._received(), self.limits))
            case _:
                raise BadUpstream(Code.CODING_UNSUPPORTED, "content coding other than one gzip")

    def _received(self) -> Iterator[bytes]:
        for chunk in read(self.stored):
            self.meter.inspected += len(chunk)
            yield chunk

    def _decoded(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.meter.decoded += len(chunk)
            yield chunk

    def plain(self) -> Stored:
        """The bytes for random access. Raises BadUpstream where they are coded.

        Endpoints with archives ask their upstream for the identity coding, so that a coded
        archive is an upstream that ignored the request.
        """
        if self.codings:
            raise BadUpstream(Code.CODING_UNSUPPORTED, "an archive under a content coding")
        return self.stored


def read(stored: Stored, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The stored bytes from `start` to `end`, in chunks."""
    offset, end = start, stored.size if end is None else end
    while offset < end:
        chunk = stored.pread(min(CHUNK, end - offset), offset)
        if not chunk:
            raise Unavailable(Code.SPOOL_FAILED, "a stored body is shorter than it was")
        offset += len(chunk)
        yield chunk


class Inflation:
    """Counts inflated against received bytes, so that a bomb is refused while it is small."""

    _FREE = 1 << 20
    """Below this an unlucky but honest ratio (a megabyte of zeros) is no danger."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.decoded = 0

    def count(self, decoded: int, received: int) -> None:
        """Note `decoded` more bytes, `received` being all that was read so far."""
        self.decoded += decoded
        if self.decoded > self._limits.decoded:
            raise BadUpstream(Code.BODY_TOO_LARGE, "more decoded bytes than limits.decoded")
        if self.decoded > self._FREE and self.decoded > received * self._limits.ratio:
            raise BadUpstream(Code.BODY_TOO_LARGE, "inflates beyond limits.ratio")


def _gunzip(chunks: Iterator[bytes], limits: Limits) -> Iterator[bytes]:
    """Decode gzip members to their proven end (RFC 1952 section 2.2: members may follow)."""
    inflation, received, members = Inflation(limits), 0, 0
    header: bytes | None = b""
    decoder: zlib._Decompress | None = None
    for chunk in chunks:
        received += len(chunk)
        pending = chunk
        while pending:
            if decoder is None or decoder.eof:
                members += 1
                if members > _MAX_GZIP_MEMBERS:
                    raise BadUpstream(Code.CODING_MALFORMED, "too many gzip members")
                decoder, header = zlib.decompressobj(wbits=31), b""
            if header is not None:
                header = _unread_header(header + pending[: _GZIP_HEADER + _MAX_GZIP_NAME + 1])
            try:
                decoded = decoder.decompress(pending, CHUNK)
            except zlib.error:
                raise BadUpstream(Code.CODING_MALFORMED, "not valid gzip") from None
            inflation.count(len(decoded), received)
            if decoded:
                yield decoded
            # Output that the decoder holds back at the end of a chunk comes with the next one: the
            # trailer is never taken before the last byte is out.
            pending = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    if decoder is None or not decoder.eof:
        raise BadUpstream(Code.CODING_MALFORMED, "gzip ends before its trailer")


def _unread_header(header: bytes) -> bytes | None:
    """The header of a gzip member so far, or None once it is known to hold no hiding place.

    What its optional fields say is no content, and nobody inspects it (RFC 1952 section 2.3.1):
    a comment or an extra field is refused, and so is a file name that is more than a name.
    """
    if len(header) < _GZIP_HEADER:
        return header
    flags, name = header[3], header[_GZIP_HEADER:]
    if flags & (_GZIP_EXTRA | _GZIP_COMMENT):
        raise BadUpstream(Code.CODING_MALFORMED, "a comment or extra field in a gzip header")
    if not flags & _GZIP_NAME:
        return None
    name, end, _ = name.partition(b"\0")
    if len(name) > _MAX_GZIP_NAME or name.translate(None, _CONTROLS) != name:
        raise BadUpstream(Code.CODING_MALFORMED, "a file name in a gzip header that is no name")
    return None if end else header


class Sink(Protocol):
    """Where a rewritten body goes."""

    def write(self, data: bytes) -> None: ...

    def tell(self) -> int:
        """Bytes written so far."""
        ...


class FileSink:
    """Writes to a descriptor, buffered to chunks, up to `limit` bytes.

    Raises Unavailable(SPOOL_FULL) past the limit or where the disk is full.
    """

    def __init__(self, fd: int, limit: int) -> None:
        self._fd, self._limit = fd, limit
        self._buffer: list[bytes] = []
        self._buffered = self._written = 0

    def write(self, data: bytes) -> None:
        self._buffer.append(data)
        self._buffered += len(data)
        if self._buffered >= CHUNK:
            self.flush()

    def tell(self) -> int:
        return self._written + self._buffered

    def flush(self) -> None:
        """Hand everything to the kernel."""
        data = b"".join(self._buffer)
        self._buffer, self._buffered = [], 0
        if self._written + len(data) > self._limit:
            raise Unavailable(Code.SPOOL_FULL, "the redacted body outgrew its reservation")
        view = memoryview(data)
        while view:
            try:
                done = os.write(self._fd, view)
            except OSError as error:
                raise Unavailable(Code.SPOOL_FULL, f"spool write: errno {error.errno}") from None
            self._written += done
            view = view[done:]


class MemorySink:
    """Gathers a small rewritten body."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)

    def tell(self) -> int:
        return self._size

    def getvalue(self) -> bytes:
        return b"".join(self._pieces)


class GzipSink:
    """Compresses into another sink, so that a body keeps its content coding."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._encoder = zlib.compressobj(level=6, wbits=31)
        self._taken = 0

    def write(self, data: bytes) -> None:
        self._taken += len(data)
        self._sink.write(self._encoder.compress(data))

    def tell(self) -> int:
        return self._taken

    def finish(self) -> None:
        self._sink.write(self._encoder.flush())
