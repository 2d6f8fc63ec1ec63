"""zstd (RFC 8878): frames, each decoded to its proven end.

A skippable frame is refused: it holds whatever somebody put there, and no reader of the content
sees it. The window is at most 8 MiB, as RFC 9659 has it for this coding.
"""

from collections.abc import Generator, Iterator

from backports import zstd

from gateway.errors import BadUpstream, Code
from gateway.inspection.codings.coding import Decoded, Encoder, decompressed

_MAGIC = b"\x28\xb5\x2f\xfd"
_MOST_FRAMES = 1_000
_RLE, _COMPRESSED = 1, 2
_OPTIONS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}


def encoder() -> Encoder:
    return zstd.ZstdCompressor(level=3)


def decode(chunks: Iterator[bytes]) -> Decoded:
    """Decode the frames to their proven end (RFC 8878 section 3.1: several may follow)."""
    frames, head, frame = 0, b"", _Frame()
    decoder: zstd.ZstdDecompressor | None = None
    for chunk in chunks:
        pending = chunk
        while pending:
            if decoder is None or decoder.eof:
                head += pending
                if len(head) < len(_MAGIC):
                    break
                frames += 1
                if not head.startswith(_MAGIC) or frames > _MOST_FRAMES:
                    raise BadUpstream(Code.CODING_MALFORMED, "not a zstd frame, or too many")
                decoder, frame = zstd.ZstdDecompressor(options=_OPTIONS), _Frame()
                # libzstd has another decoder, with other checks, for a frame that comes at once.
                first, pending, head = head[:1], head[1:], b""
                decoder.decompress(first)
                frame.pass_by(first)
            frame.pass_by(pending)
            for piece in decompressed(decoder, pending, zstd.ZstdError, "not valid zstd"):
                frame.decoded += len(piece)
                yield piece
            if decoder.eof and frame.size not in (None, frame.decoded):
                # libzstd looks only where the last block isn't empty.
                raise BadUpstream(Code.CODING_MALFORMED, "a zstd frame of another size")
            pending = decoder.unused_data if decoder.eof else b""
    if decoder is None or not decoder.eof or head:
        raise BadUpstream(Code.CODING_MALFORMED, "zstd ends before its frame")
    return frames == 1 and frame.sealed


class _Frame:
    """Walks from block to block beside the decoder, which doesn't tell of bytes that decode to
    nothing. `sealed` once the frame is known to have none; `size` is what it says of its content,
    in bytes, and `decoded` what came out of it.
    """

    def __init__(self) -> None:
        self.sealed = False
        self.size: int | None = None
        self.decoded = 0
        self._steps = self._walk()
        self._step = next(self._steps)
        self._held = b""

    def pass_by(self, data: bytes) -> None:
        """Go on; `data` is the next of the frame, and perhaps what follows it."""
        at = 0
        while self._step and at < len(data):
            taken = data[at : at + abs(self._step)] if self._step > 0 else b""
            moved = len(taken) or min(-self._step, len(data) - at)
            at += moved
            self._held += taken
            self._step -= moved if self._step > 0 else -moved
            if not self._step:
                try:
                    self._step = self._steps.send(self._held)
                except StopIteration as end:
                    self.sealed = end.value
                self._held = b""

    def _walk(self) -> Generator[int, bytes, bool]:
        """Asks for the next bytes, by their number, or steps over them, by its negative; returns
        whether each byte stands for content, or says how it is coded (RFC 8878 section 3.1.1).
        """
        descriptor = (yield len(_MAGIC) + 1)[-1]
        single = descriptor >> 5 & 1
        if skipped := (not single) + (0, 1, 2, 4)[descriptor & 3]:  # window, dictionary
            yield -skipped
        if width := (single, 2, 4, 8)[descriptor >> 6]:
            self.size = int.from_bytes((yield width), "little") + 256 * (width == 2)
        if descriptor & 0x1B:  # a dictionary, or bits without a meaning
            return False
        last = 0
        while not last:
            header = int.from_bytes((yield 3), "little")
            last, kind, size = header & 1, header >> 1 & 3, header >> 3
            if kind == _RLE:
                if not size:
                    return False
                size = 1
            elif kind == _COMPRESSED and size:
                literals = yield 1
                widths = (0, 1, 0, 2) if literals[0] & 2 == 0 else (2, 2, 3, 4)
                if width := widths[literals[0] >> 2 & 3]:
                    literals += yield width
                if literals[0] & 3 and not _regenerated(literals):
                    return False
                size -= len(literals)
            if size > 0:
                yield -size
        return True


def _regenerated(literals: bytes) -> int:
    """How many bytes the literals of a block stand for, by their header (section 3.1.1.3.1.1)."""
    header, form = int.from_bytes(literals, "little"), literals[0] >> 2 & 3
    if literals[0] & 2 == 0:  # as they are, or one of them repeated
        return header >> (4 if form & 1 else 3)
    return header >> 4 & ((1 << (10, 10, 14, 18)[form]) - 1)
