"""zstd (RFC 8878): frames, each decoded to its proven end.

A skippable frame is refused: it holds whatever somebody put there, and no reader of the content
sees it. The window is at most 8 MiB, as RFC 9659 has it for this coding.
"""

from collections.abc import Iterator

from backports import zstd

from gateway.errors import BadUpstream, Code
from gateway.inspection.codings.coding import PIECE, Encoder

_MAGIC = b"\x28\xb5\x2f\xfd"
_MOST_FRAMES = 1_000
_OPTIONS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}


def encoder() -> Encoder:
    return zstd.ZstdCompressor(level=3)


def decode(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Decode the frames to their proven end (RFC 8878 section 3.1: several may follow)."""
    frames, head = 0, b""
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
                decoder, pending, head = zstd.ZstdDecompressor(options=_OPTIONS), head, b""
            yield from _decompress(decoder, pending)
            pending = decoder.unused_data if decoder.eof else b""
    if decoder is None or not decoder.eof or head:
        raise BadUpstream(Code.CODING_MALFORMED, "zstd ends before its frame")


def _decompress(decoder: zstd.ZstdDecompressor, data: bytes) -> Iterator[bytes]:
    while True:
        try:
            decoded = decoder.decompress(data, PIECE)
        except zstd.ZstdError:
            raise BadUpstream(Code.CODING_MALFORMED, "not valid zstd") from None
        if decoded:
            yield decoded
        if decoder.eof or decoder.needs_input:
            return
        data = b""
