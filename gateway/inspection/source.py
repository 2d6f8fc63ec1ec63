"""A stored body as decoded chunks, every byte of its content codings accounted for.

A `Source` can be read any number of times (inspection first, then redaction), so it opens fresh
decoders each time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from gateway.errors import BadUpstream, Code, Unavailable
from gateway.inspection.codings import CODINGS, COMPRESSIONS, Decoded
from gateway.inspection.inflation import Inflation, Unfolding
from gateway.inspection.scratch import Scratch
from gateway.inspection.settings import Limits
from gateway.inspection.tally import Owners
from gateway.spool import InMemory, OnDisk, Stored

__all__ = ["CHUNK", "Body", "InMemory", "Meter", "OnDisk", "Source", "Stored", "read"]

CHUNK = 256 * 1024
"""Bytes read at once: 64 to 256 KiB measured best, 1 MiB a quarter slower."""


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


@dataclass(frozen=True, slots=True)
class Body:
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
    meter: Meter = field(default_factory=Meter)
    compression: str | None = None
    scratch: Scratch | None = None
    unfolding: Unfolding | None = None
    owners: Owners = ()

    def chunks(self) -> Iterator[bytes]:
        self.meter.inspected = self.meter.decoded = 0
        self.meter.unsealed = len(self.codings) + (self.compression is not None)
        chunks = self._received()
        for coding in reversed(self.codings):
            if coding not in CODINGS:
                raise BadUpstream(Code.CODING_UNSUPPORTED, "a content coding that can't be read")
            chunks = self._bounded(CODINGS[coding].decode(chunks))
        if self.compression:
            chunks = self._bounded(COMPRESSIONS[self.compression].coding.decode(chunks))
        return self._decoded(chunks)

    def _received(self) -> Iterator[bytes]:
        for chunk in read(self.stored):
            self.meter.inspected += len(chunk)
            yield chunk

    def _bounded(self, pieces: Decoded) -> Iterator[bytes]:
        """Each coding by itself is held against the bytes received: none may inflate a bomb that
        the next one makes small again."""
        inflation = Inflation(self.limits)
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                self.meter.unsealed -= end.value
                return
            inflation.count(len(piece), self.meter.inspected)
            yield piece

    def _decoded(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.meter.decoded += len(chunk)
            yield chunk

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


def read(stored: Stored, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The stored bytes from `start` to `end`, in chunks."""
    offset, end = start, stored.size if end is None else end
    while offset < end:
        chunk = stored.pread(min(CHUNK, end - offset), offset)
        if not chunk:
            raise Unavailable(Code.SPOOL_FAILED, "a stored body is shorter than it was")
        offset += len(chunk)
        yield chunk
