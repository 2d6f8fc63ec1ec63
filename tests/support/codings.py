"""Content codings by other people's code: name → encode, decode."""

import gzip
import zlib
from collections.abc import Callable
from functools import partial

import brotli
from backports import zstd

from gateway.inspection.codings import CODINGS

_Function = Callable[[bytes], bytes]

CODED: dict[str, tuple[_Function, _Function]] = {
    "gzip": (partial(gzip.compress, mtime=0), gzip.decompress),
    "deflate": (zlib.compress, zlib.decompress),
    "br": (brotli.compress, brotli.decompress),
    "zstd": (zstd.compress, zstd.decompress),
}


def is_sealed(coding: str, received: bytes, size: int = 64) -> bool:
    """Whether every received byte stands for content, by our own decoder."""
    decoder = CODINGS[coding].decode(
        received[at : at + size] for at in range(0, len(received), size)
    )
    while True:
        try:
            next(decoder)
        except StopIteration as end:
            return bool(end.value)
