"""A `.tar.gz` → its files, bounded at every step, nothing ever written to a disk.

The size limit holds for the archive and for what comes out of it. A gzip bomb is stopped while it
is inflated: by the limit, or sooner by its ratio. The gzip stream must be one, whole (its own
checksum and length are checked) and followed by nothing.
"""

import zlib
from collections.abc import Mapping

from gateway.policy.bundles import tar
from gateway.policy.bundles.faults import BundleError

_CHUNK = 64 << 10
_MAX_RATIO = 200
_FREE = 1 << 20
"""Bytes that may come out before the ratio matters: a few zeros compress well."""

_GZIP = 16 + zlib.MAX_WBITS


def unpack(archive: bytes, origin: str, limit: int) -> Mapping[str, bytes]:
    """The files by their path inside the archive. Raises BundleError."""
    content = _inflated(archive, origin, limit)
    try:
        return tar.files(memoryview(content))
    except tar.TarError as error:
        raise BundleError(origin, str(error)) from None


def _inflated(archive: bytes, origin: str, limit: int) -> bytearray:
    if archive[:2] != b"\x1f\x8b":
        raise BundleError(origin, "not a .tar.gz")
    inflater = zlib.decompressobj(_GZIP)
    content = bytearray()
    for start in range(0, len(archive), _CHUNK):
        if inflater.eof:
            raise BundleError(origin, "something after the end of the gzip stream")
        chunk, came = archive[start : start + _CHUNK], _CHUNK
        # Where all that there was room for came out, more may wait inside.
        while chunk or came == _CHUNK:
            try:
                inflated = inflater.decompress(chunk, _CHUNK)
            except zlib.error:
                raise BundleError(origin, "the gzip stream is damaged") from None
            content += inflated
            chunk, came = inflater.unconsumed_tail, len(inflated)
            if len(content) > limit:
                raise BundleError(origin, f"more than {limit} bytes when inflated")
            consumed = min(start + _CHUNK, len(archive)) - len(chunk)
            if len(content) > max(_FREE, _MAX_RATIO * consumed):
                raise BundleError(origin, f"inflates more than {_MAX_RATIO} times: a bomb")
    if not inflater.eof:
        raise BundleError(origin, "the gzip stream ends early")
    if inflater.unused_data:
        raise BundleError(origin, "something after the end of the gzip stream")
    return content
