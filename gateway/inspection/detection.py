"""Is a body what its endpoint expects? The declared type and the first bytes must both say so.

The configured format is what is read. A client believes the headers, and some believe the bytes:
where either names something else, the client would read another document than the one inspected.
Here is what the formats have in common; what is one's own is in its file (`detect`).
"""

from gateway.errors import BadUpstream, Code
from gateway.inspection import charset
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
MARK_OR_BLANK = b"\xef\xbb\xbf \t\r\n"


def check_type(payload: Payload, media_types: tuple[str, ...]) -> None:
    """The declared media type is one of these. Raises BadUpstream(FORMAT_MISMATCH), as all do."""
    if not payload.media_type or payload.media_type not in media_types:
        raise mismatch("the declared media type")


def check_utf_8(payload: Payload, head: bytes) -> None:
    """Text in UTF-8, declared as nothing else."""
    if payload.charset not in (None, "utf-8", "utf8") or head.startswith(_UTF_16_MARKS):
        raise mismatch("the charset")


def check_charset(payload: Payload, encoding: charset.Encoding) -> None:
    """A client decodes as declared, or (RFC 7111) as UTF-8 and by the byte order mark."""
    declared = payload.charset
    if declared is not None and encoding.charset not in charset.LABELS.get(declared, ()):
        raise mismatch("the declared charset")


def check_no_other(head: bytes) -> None:
    """The first bytes are no other format's, markup among them."""
    if is_file(head) or head.lstrip(MARK_OR_BLANK).startswith(b"<"):
        raise mismatch("the first bytes")


def is_file(head: bytes) -> bool:
    """Whether the first bytes are those of a known kind of file that is no plain text."""
    return head.startswith(_SIGNATURES)


def mismatch(what: str) -> BadUpstream:
    return BadUpstream(Code.FORMAT_MISMATCH, f"{what} is not the configured format's")
