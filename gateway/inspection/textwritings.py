"""How a document is written in a text: base64 and base64url (RFC 4648), hexadecimal, or a data URI
(RFC 2397) in base64; or the text is the document.

Each is read in one way only: what readers skip, repair or ignore is refused. Line ends may stand in
base64, as in MIME.
"""

import re

from gateway.errors import BadUpstream, Code
from gateway.inspection.transfer import decode_base64
from gateway.inspection.writable import Transfer

_LINE_END = re.compile(rb"\r?\n")
_URL_SAFE = re.compile(rb"[A-Za-z0-9_-]*+(={0,2})")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2})*+")
_DATA = re.compile(rb"data:([a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64})(?:;charset=(?i:utf-8))?;base64,")


def decoded(text: str, transfer: Transfer | None, media_types: tuple[str, ...] = ()) -> bytes:
    """The document in a text. A data URI must declare one of `media_types`, if there are any.

    Raises BadUpstream: BODY_MALFORMED for what isn't written like this, FORMAT_MISMATCH for the
    type of a data URI.
    """
    written = text.encode()
    match transfer:
        case None:
            return written
        case "base64":
            return decode_base64(_LINE_END.sub(b"", written))
        case "base64url":
            return _url_safe(written)
        case "hex":
            if not _HEX.fullmatch(written):
                raise _malformed("hexadecimal")
            return bytes.fromhex(text)
        case "data":
            head = _DATA.match(written)
            if head is None:
                raise _malformed("a data URI in base64")
            if media_types and head[1].decode() not in media_types:
                raise BadUpstream(Code.FORMAT_MISMATCH, "the type of a data URI")
            return decode_base64(written[head.end() :])


def _url_safe(written: bytes) -> bytes:
    """Padding may be left out (RFC 4648 section 3.2), but not in part."""
    found = _URL_SAFE.fullmatch(written)
    if found is None:
        raise _malformed("base64url")
    missing = b"" if found[1] else b"=" * (-len(written) % 4)
    return decode_base64(written.replace(b"-", b"+").replace(b"_", b"/") + missing)


def _malformed(what: str) -> BadUpstream:
    return BadUpstream(Code.BODY_MALFORMED, f"a text that is not {what}")
