"""Content codings by other people's code: name → encode, decode."""

import gzip
import zlib
from collections.abc import Callable
from functools import partial

import brotli
from backports import zstd

_Function = Callable[[bytes], bytes]

CODED: dict[str, tuple[_Function, _Function]] = {
    "gzip": (partial(gzip.compress, mtime=0), gzip.decompress),
    "deflate": (zlib.compress, zlib.decompress),
    "br": (brotli.compress, brotli.decompress),
    "zstd": (zstd.compress, zstd.decompress),
}
