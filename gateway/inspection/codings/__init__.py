"""Content codings (RFC 9110 section 8.4.1), and what files are compressed with: tables to read."""

from typing import NamedTuple

from gateway.inspection.codings import brotli, bzip2, deflate, gzip, xz, zstd
from gateway.inspection.codings.coding import Coding, Decoded, Encoder

__all__ = ["CODINGS", "COMPRESSIONS", "MOST", "Compressed", "Decoded", "Encoder"]

CODINGS: dict[str, Coding] = {
    "gzip": Coding(gzip.decode, gzip.encoder),
    "deflate": Coding(deflate.decode, deflate.encoder),
    "br": Coding(brotli.decode, brotli.encoder),
    "zstd": Coding(zstd.decode, zstd.encoder),
}
"""By the name in Content-Encoding, lower case."""

MOST = 3
"""How many may be stacked: a fourth is a bomb or a mistake."""


class Compressed(NamedTuple):
    """A kind of compressed file: its media types, and what its name ends with."""

    coding: Coding
    media_types: tuple[str, ...]
    suffix: str


COMPRESSIONS: dict[str, Compressed] = {
    "gzip": Compressed(CODINGS["gzip"], ("application/gzip", "application/x-gzip"), "gz"),
    "bzip2": Compressed(
        Coding(bzip2.decode, bzip2.encoder), ("application/x-bzip2", "application/x-bzip"), "bz2"
    ),
    "xz": Compressed(Coding(xz.decode, xz.encoder), ("application/x-xz",), "xz"),
    "zstd": Compressed(CODINGS["zstd"], ("application/zstd", "application/x-zstd"), "zst"),
}
"""By the name that `compression` has in the configuration."""
