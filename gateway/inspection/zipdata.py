"""What is inside one ZIP member, read to its proven end.

The header's size and CRC-32 must be those of the bytes, and a deflate stream (RFC 1951) must end
exactly where the compressed bytes end: what follows its last block is a hiding place that most
readers skip.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from isal import isal_zlib

from gateway.errors import BadUpstream, Code
from gateway.inspection.source import CHUNK, Stored, read
from gateway.inspection.zipdirectory import Entry
from gateway.inspection.zipfields import DESCRIPTOR, STORED

_DESCRIPTOR_MARK = b"PK\x07\x08"


@dataclass(slots=True)
class Contents:
    """The inflated bytes of one member, as a `Source` that can be read again.

    `proven` is set once a reader has come to the end and everything was right.
    """

    stored: Stored
    entry: Entry
    proven: bool = False

    def chunks(self) -> Iterator[bytes]:
        """The inflated bytes. Raises BadUpstream(BODY_MALFORMED, BODY_AMBIGUOUS)."""
        entry = self.entry
        raw = read(self.stored, entry.data, entry.data + entry.compressed)
        if entry.method != STORED:
            raw = _inflate(raw, entry)
        elif entry.flags & DESCRIPTOR:
            raw = _without_descriptor(raw, entry)
        crc = size = 0
        for chunk in raw:
            crc = isal_zlib.crc32(chunk, crc)
            size += len(chunk)
            yield chunk
        if (crc, size) != (entry.crc, entry.size):
            raise _malformed(entry, "its CRC or size is wrong")
        self.proven = True

    def prove(self) -> None:
        """Read to the end. Raises BadUpstream."""
        deque(self.chunks(), maxlen=0)


def _inflate(chunks: Iterator[bytes], entry: Entry) -> Iterator[bytes]:
    """Inflate at most the declared size.

    ISA-L refuses what zlib refuses, but for code sets that leave some codes unused; these decode
    to nothing else anywhere, a strict reader just stops.
    """
    decoder = isal_zlib.decompressobj(-15)
    left = entry.size
    for chunk in chunks:
        if decoder.eof:
            raise _malformed(entry, "bytes behind its deflate stream")
        pending = chunk
        while True:
            try:
                decoded = decoder.decompress(pending, CHUNK)
            except isal_zlib.error:  # type: ignore[misc]  # the stub declares an instance
                raise _malformed(entry, "not valid deflate") from None
            left -= len(decoded)
            if left < 0:
                raise _malformed(entry, "it inflates to more than its size")
            if decoded:
                yield decoded
            pending = decoder.unconsumed_tail
            # The decoder may hold output back although it took all input.
            if decoder.eof or not (pending or decoded):
                break
    if not decoder.eof or decoder.unused_data:
        raise _malformed(entry, "its deflate stream ends elsewhere")


def _without_descriptor(chunks: Iterator[bytes], entry: Entry) -> Iterator[bytes]:
    """A reader that can't seek looks for the descriptor of a stored member in its data: refuse
    data that contains one (mark, any CRC, and the size up to there)."""
    tail, tail_at = b"", 0
    for chunk in chunks:
        window = tail + chunk
        found = window.find(_DESCRIPTOR_MARK)
        while found >= 0:
            size = window[found + 8 : found + 12]
            if size == ((tail_at + found) & 0xFFFFFFFF).to_bytes(4, "little"):
                raise BadUpstream(
                    Code.BODY_AMBIGUOUS, f"member {entry.number}: a data descriptor in its data"
                )
            found = window.find(_DESCRIPTOR_MARK, found + 1)
        tail = window[-11:]
        tail_at += len(window) - len(tail)
        yield chunk


def _malformed(entry: Entry, what: str) -> BadUpstream:
    return BadUpstream(Code.BODY_MALFORMED, f"member {entry.number}: {what}")
