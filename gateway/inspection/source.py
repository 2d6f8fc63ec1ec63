"""A body as decoded chunks, every byte of its content codings accounted for.

A stored one can be read any number of times (inspection first, then redaction), so it opens fresh
decoders each time; one that is still coming (`Flow`) is read once.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from gateway.errors import BadUpstream, Code, InternalError, Unavailable
from gateway.inspection.codings import CODINGS, COMPRESSIONS, Decoded
from gateway.inspection.inflation import Inflation, Unfolding
from gateway.inspection.scratch import Scratch
from gateway.inspection.settings import Limits
from gateway.inspection.tally import Owners
from gateway.stored import InMemory, OnDisk, Stored

__all__ = [
    "CHUNK",
    "HEAD",
    "Body",
    "Flow",
    "InMemory",
    "Meter",
    "OnDisk",
    "Source",
    "Stored",
    "read",
]

CHUNK = 256 * 1024
"""Bytes read at once: 64 to 256 KiB measured best, 1 MiB a quarter slower."""


HEAD = 4096
"""Decoded bytes that a body's format is told by."""

_MARK = 4
"""Decoded bytes from which on a head can be looked at: a byte order mark is one or isn't."""


class Source(Protocol):
    """What a format reads."""

    def chunks(self) -> Iterator[bytes]:
        """The decoded bytes from the start, in non-empty chunks. Raises BadUpstream."""
        ...


@dataclass(slots=True)
class Meter:
    """Counts the received bytes that a reader has accounted for, and what they decoded to;
    `unsealed` are the codings of which it is not known (or known not) that they are sealed."""

    inspected: int = 0
    decoded: int = 0
    unsealed: int = 0


class Body(msgspec.Struct, frozen=True):
    """A response body: stored bytes under content codings (RFC 9110 section 8.4), and under the
    `compression` of a file; or an archive inside another.

    `meter` counts what was read: `chunks` by itself; a reader with random access counts the
    pieces that it has tiled the file with. `scratch` is there for what must be decoded before it
    can be read at random. `owners` are those of all of it, as a header says, or of the member that
    an archive inside another is; there, `unfolding` counts what comes out of all of them.
    """

    stored: Stored
    codings: tuple[str, ...]
    limits: Limits
    meter: Meter = msgspec.field(default_factory=Meter)
    compression: str | None = None
    scratch: Scratch | None = None
    unfolding: Unfolding | None = None
    owners: Owners = ()

    def chunks(self) -> Iterator[bytes]:
        received = read(self.stored)
        return _decoded(received, self.codings, self.compression, self.limits, self.meter)

    def head(self) -> bytes:
        """The first decoded bytes; one chunk may be a single byte of them."""
        if not (self.codings or self.compression):
            return self.stored.pread(HEAD, 0)
        head = b""
        for chunk in self.chunks():
            head += chunk
            if len(head) >= HEAD:
                break
        return head[:HEAD]

    def plain(self) -> Stored:
        """The bytes for random access. Raises BadUpstream where they are coded.

        Endpoints with archives ask their upstream for the identity coding, so that a coded
        archive is an upstream that ignored the request.
        """
        if self.codings or self.compression:
            raise BadUpstream(Code.CODING_UNSUPPORTED, "an archive under a content coding")
        return self.stored

    @contextmanager
    def laid_out(self) -> Iterator[Stored]:
        """The decoded bytes for random access, as long as the context lasts. Raises BadUpstream,
        and Unavailable as `scratch` does."""
        if not (self.codings or self.compression):
            self.meter.inspected = self.meter.decoded = self.stored.size
            yield self.stored
            return
        if self.scratch is None:
            raise Unavailable(Code.SPOOL_FAILED, "an archive without a scratch file")
        with self.scratch.holding(self.chunks()) as stored:
            yield stored


@dataclass(slots=True)
class Flow:
    """A response body as it comes, read once: `received` waits for each of its chunks.

    A format hands on what is there before it waits for more (`jsonreader.Blocks`). `detect` looks
    at the beginning before anything of it is handed out, and again while there is more of it to
    see, up to `HEAD`: whatever it refuses is refused by the first bytes that show it. `owners` are
    those of `Body`.
    """

    received: Iterator[bytes]
    codings: tuple[str, ...]
    limits: Limits
    detect: Callable[[bytes], None]
    meter: Meter = field(default_factory=Meter)
    owners: Owners = ()
    _begun: bool = False

    def chunks(self) -> Iterator[bytes]:
        if self._begun:
            raise InternalError(Code.INTERNAL_ERROR, "a body that is read twice as it comes")
        self._begun = True
        return self._detected(_decoded(self.received, self.codings, None, self.limits, self.meter))

    def _detected(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        head = b""
        for chunk in chunks:
            head += chunk
            if len(head) >= _MARK:
                self.detect(head[:HEAD])
                yield head
                break
        else:
            self.detect(head)
            if head:
                yield head
            return
        for chunk in chunks:
            if len(head) < HEAD:
                head += chunk
                self.detect(head[:HEAD])
            yield chunk


def _decoded(
    received: Iterator[bytes],
    codings: tuple[str, ...],
    compression: str | None,
    limits: Limits,
    meter: Meter,
) -> Iterator[bytes]:
    """The content of received chunks, counted by `meter`."""
    meter.inspected = meter.decoded = 0
    meter.unsealed = len(codings) + (compression is not None)
    if not (codings or compression):
        return _uncoded(received, meter)
    chunks = _counted(received, meter)
    for coding in reversed(codings):
        if coding not in CODINGS:
            raise BadUpstream(Code.CODING_UNSUPPORTED, "a content coding that can't be read")
        chunks = _bounded(CODINGS[coding].decode(chunks), limits, meter)
    if compression:
        chunks = _bounded(COMPRESSIONS[compression].coding.decode(chunks), limits, meter)
    return _measured(chunks, meter)


def _uncoded(received: Iterator[bytes], meter: Meter) -> Iterator[bytes]:
    for chunk in received:
        meter.inspected += len(chunk)
        meter.decoded += len(chunk)
        yield chunk


def _counted(received: Iterator[bytes], meter: Meter) -> Iterator[bytes]:
    for chunk in received:
        meter.inspected += len(chunk)
        yield chunk


def _bounded(pieces: Decoded, limits: Limits, meter: Meter) -> Iterator[bytes]:
    """Each coding by itself is held against the bytes received: none may inflate a bomb that
    the next one makes small again."""
    inflation = Inflation(limits)
    while True:
        try:
            piece = next(pieces)
        except StopIteration as end:
            meter.unsealed -= end.value
            return
        inflation.count(len(piece), meter.inspected)
        yield piece


def _measured(chunks: Iterator[bytes], meter: Meter) -> Iterator[bytes]:
    for chunk in chunks:
        meter.decoded += len(chunk)
        yield chunk


def read(stored: Stored, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The stored bytes from `start` to `end`, in chunks."""
    offset, end = start, stored.size if end is None else end
    while offset < end:
        chunk = stored.pread(min(CHUNK, end - offset), offset)
        if not chunk:
            raise Unavailable(Code.SPOOL_FAILED, "a stored body is shorter than it was")
        offset += len(chunk)
        yield chunk
