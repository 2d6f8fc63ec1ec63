"""Content codings (RFC 9110 section 8.4.1), as a table one can read."""

from gateway.inspection.codings import brotli, deflate, gzip, zstd
from gateway.inspection.codings.coding import Coding, Decoded, Encoder

__all__ = ["CODINGS", "MOST", "Decoded", "Encoder"]

CODINGS: dict[str, Coding] = {
    "gzip": Coding(gzip.decode, gzip.encoder),
    "deflate": Coding(deflate.decode, deflate.encoder),
    "br": Coding(brotli.decode, brotli.encoder),
    "zstd": Coding(zstd.decode, zstd.encoder),
}
"""By the name in Content-Encoding, lower case."""

MOST = 3
"""How many may be stacked: a fourth is a bomb or a mistake."""
