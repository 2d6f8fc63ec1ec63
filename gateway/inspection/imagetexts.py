"""The texts that stand beside the pixels of PNG and JPEG. No pixel is decoded, and nothing unfolds
to more than a text may have, so that an image of any size costs its bytes.

PNG (ISO/IEC 15948): chunks with a length, a type and a CRC, from IHDR to IEND. Readers differ on
texts behind the pixels (Pillow finds them only with the pixels), on a keyword that stands twice (a
reader's dictionary has the last), and on bytes behind IEND. A text that is looked for must stand
once, before the pixels, and nothing behind the end.

The EXIF of a PNG is in one eXIf; tools of the time before that chunk wrote it into a text, `Raw
profile type exif`, which some readers list first. A PNG with such a text is refused.

JPEG (ITU-T T.81 annex B): segments up to the first scan; EXIF is in one APP1. Markers that have no
length, or none that is defined (RSTn, SOI, JPG, JPGn), are refused where a segment must stand.
"""

import struct
import zlib
from collections.abc import Collection, Iterator

from gateway.errors import BadUpstream, Code
from gateway.inspection import locators

_LONGEST = 4096
"""Bytes of a text, unfolded."""
_MOST = 100_000
"""Chunks or segments of an image."""

_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_PROFILE = b"raw profile type "
_SCAN, _APP1 = 0xDA, 0xE1
_SEGMENTS = {*range(0xC0, 0xD0), *range(0xDA, 0xE0), *range(0xE0, 0xF0), 0xFE} - {0xC8}
"""Markers that a length follows (T.81 table B.1). Behind others readers find one or don't."""
_EXIF = b"Exif\0\0"


def png(data: bytes, names: Collection[str]) -> dict[str, list[str]]:
    """The texts of a PNG, by their keywords."""
    found: dict[str, list[str]] = {}
    behind = False
    for kind, content in _chunks(data):
        behind = behind or kind == b"IDAT"
        if kind in _TEXTS:
            keyword, mark, rest = content.partition(b"\0")
            name = keyword.decode("latin-1")
            if not mark or any(name != each and locators.alike(name, each) for each in names):
                raise _ambiguous("a keyword that looks like a locator's")
            if name in names:
                if behind or name in found:
                    raise _ambiguous("a text that stands twice in a PNG, or behind its pixels")
                found[name] = [_text(kind, rest)]
    return found


def exif_of_png(data: bytes) -> bytes:
    """The EXIF of a PNG; nothing where it has none."""
    found = []
    for kind, content in _chunks(data):
        if kind in _TEXTS and content[: len(_PROFILE)].lower() == _PROFILE:
            raise _ambiguous("a PNG with a profile in a text")
        if kind == b"eXIf":
            found.append(content)
    return _only(found)


def exif_of_jpeg(data: bytes) -> bytes:
    """The EXIF of a JPEG; nothing where it has none."""
    segments = [content for marker, content in _segments(data) if marker == _APP1]
    return _only([each.removeprefix(_EXIF) for each in segments if each.startswith(b"Exif")])


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    for _ in range(_MOST):
        kind, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4])
        content, checksum = data[at + 8 : end - 4], data[end - 4 : end]
        if len(kind) < 4 or end > len(data) or (at == 8) != (kind == b"IHDR"):
            raise _malformed("PNG")
        if zlib.crc32(content, zlib.crc32(kind)) != int.from_bytes(checksum):
            raise _malformed("PNG")
        if kind == b"IEND":
            if content or end != len(data):
                raise _ambiguous("something behind the end of a PNG")
            return
        yield kind, content
        at = end
    raise BadUpstream(Code.BODY_TOO_COMPLEX, "an image of too many chunks")


def _text(kind: bytes, rest: bytes) -> str:
    """A text, which must be ASCII: Latin-1 and UTF-8 are mixed up by readers."""
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        # Flag and method of compression, language, and the keyword in that language.
        packed, fields = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
        if rest[:2] not in (b"\0\0", b"\1\0") or len(fields) < 3:
            raise _malformed("PNG")
        rest = b"\0" + fields[2] if packed else fields[2]
    if packed:
        if rest[:1] != b"\0":
            raise _malformed("PNG")
        rest = _unfolded(rest[1:])
    if len(rest) > _LONGEST or not rest.isascii():
        raise _ambiguous("a text in a PNG that isn't a short one in ASCII")
    return rest.decode("ascii")


def _unfolded(data: bytes) -> bytes:
    decoder = zlib.decompressobj()
    try:
        text = decoder.decompress(data, _LONGEST + 1)
    except zlib.error:
        raise _malformed("PNG") from None
    if len(text) > _LONGEST:
        raise BadUpstream(Code.BODY_TOO_LARGE, "a text in a PNG that unfolds to too much")
    if not decoder.eof or decoder.unused_data:
        raise _malformed("PNG")
    return text


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Those before the first scan."""
    at = 2
    for _ in range(_MOST):
        mark, marker = data[at : at + 1], data[at + 1 : at + 2]
        if mark != b"\xff" or not marker or marker[0] not in _SEGMENTS:
            raise _malformed("JPEG")
        if marker[0] == _SCAN:
            return
        try:
            (size,) = struct.unpack_from(">H", data, at + 2)
        except struct.error:
            raise _malformed("JPEG") from None
        if size < 2 or at + 2 + size > len(data):
            raise _malformed("JPEG")
        yield marker[0], data[at + 4 : at + 2 + size]
        at += 2 + size
    raise BadUpstream(Code.BODY_TOO_COMPLEX, "an image of too many segments")


def _only(found: list[bytes]) -> bytes:
    if len(found) > 1:
        raise _ambiguous("several EXIFs in an image")
    return found[0] if found else b""


def _malformed(what: str) -> BadUpstream:
    return BadUpstream(Code.BODY_MALFORMED, f"a {what} with a fault in it")


def _ambiguous(what: str) -> BadUpstream:
    return BadUpstream(Code.BODY_AMBIGUOUS, what)
