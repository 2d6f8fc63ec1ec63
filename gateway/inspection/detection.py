"""Is a body what its endpoint expects? The declared type and the first bytes must both say so.

The configured format is what is read. A client believes the headers, and some believe the bytes:
where either names something else, the client would read another document than the one inspected.
"""

from typing import assert_never

from gateway.errors import BadUpstream, Code
from gateway.inspection import charset
from gateway.model import Format
from gateway.response import Payload

_SIGNATURES = (
    b"PK\x03\x04",  # ZIP, and everything made of it
    b"PK\x05\x06",
    b"PK\x07\x08",
    b"\x1f\x8b",  # gzip
    b"\x1f\x9d",  # compress
    b"\x1f\xa0",
    b"\x28\xb5\x2f\xfd",  # zstd
    b"\x04\x22\x4d\x18",  # lz4
    b"BZh",
    b"\xfd7zXZ\x00",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"%PDF",
    b"%!PS",
    b"{\\rtf",
    b"\x89PNG",
    b"\xff\xd8\xff",  # JPEG
    b"GIF8",
    b"RIFF",
    b"OggS",
    b"ID3\x03",
    b"ID3\x04",
    b"PAR1\x15",  # Parquet
    b"Obj\x01",  # Avro
    b"SQLite format 3\x00",
    b"\xd0\xcf\x11\xe0",  # OLE
    b"\x7fELF",
    b"\x00\x00\xfe\xff",  # UTF-32, either byte order
    b"\xff\xfe\x00\x00",
    b"+/v8",  # UTF-7's byte order mark
    b"+/v9",
    b"+/v+",
    b"+/v/",
)
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_MARK_OR_BLANK = b"\xef\xbb\xbf \t\r\n"
_JSON_IN_CSV = (b'{"', b"[{", b"[[", b'["')


def check(
    payload: Payload,
    spec_format: Format,
    head: bytes,
    media_types: frozenset[str],
    *,
    encoding: str | None = None,
) -> None:
    """Raises BadUpstream(FORMAT_MISMATCH) where the declared media type, the declared charset or
    the first bytes are not those of `spec_format`.

    `head` is the beginning of the body after content decoding, `media_types` are the format's own
    or the configured one, `encoding` is the one configured.
    """
    if not payload.media_type or payload.media_type not in media_types:
        raise _mismatch("the declared media type")
    match spec_format:
        case Format.JSON | Format.NDJSON:
            if payload.charset not in (None, "utf-8", "utf8"):
                raise _mismatch("the declared charset")
            if head.startswith((*_SIGNATURES, *_UTF_16_MARKS)) or _is_markup(head):
                raise _mismatch("the first bytes")
        case Format.CSV:
            _check_charset(payload.charset, charset.settle(encoding, head))
            if head.startswith(_SIGNATURES) or _is_markup(head):
                raise _mismatch("the first bytes")
            if head.lstrip(_MARK_OR_BLANK).startswith(_JSON_IN_CSV):
                raise _mismatch("the first bytes")
        case Format.ZIP:
            if not head.startswith(_ZIP_STARTS):
                raise _mismatch("the first bytes")
        case Format.OPAQUE:
            raise BadUpstream(Code.FORMAT_UNKNOWN, "a whole body can't be opaque")
        case other:
            assert_never(other)


def _check_charset(declared: str | None, encoding: charset.Encoding) -> None:
    """A client decodes as declared, or (RFC 7111) as UTF-8 and by the byte order mark."""
    if declared is not None and encoding.charset not in charset.LABELS.get(declared, ()):
        raise _mismatch("the declared charset")


def _is_markup(head: bytes) -> bool:
    return head.lstrip(_MARK_OR_BLANK).startswith(b"<")


def _mismatch(what: str) -> BadUpstream:
    return BadUpstream(Code.FORMAT_MISMATCH, f"{what} is not the configured format's")
