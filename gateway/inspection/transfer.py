"""Content-Transfer-Encoding (RFC 2045 section 6): the content of a part, read in one way only.

RFC 2045 tells readers to skip what isn't base64, and to repair what isn't quoted-printable; they do
so in different ways. What they would have to skip or repair is refused.
"""

import binascii
import re

from gateway.errors import BadUpstream, Code

PLAIN = frozenset({"7bit", "8bit", "binary"})

_LINE_END = re.compile(rb"\r?\n")
_IRREGULAR = re.compile(rb"=(?![0-9A-F]{2}|\r?\n)|[ \t]\r?(?:\n|\Z)|=\Z|[\x80-\xff]")


def decoded(text: bytes, encoding: str | None) -> bytes:
    """The content of a text in memory.

    Raises BadUpstream: MEMBER_UNSUPPORTED for another encoding, BODY_MALFORMED for what isn't in
    this one, BODY_AMBIGUOUS for what readers repair.
    """
    named = "7bit" if encoding is None else encoding.lower()
    if named in PLAIN:
        return text
    if named == "base64":
        return decode_base64(_LINE_END.sub(b"", text))
    if named != "quoted-printable":
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, "a part under an encoding that is not read")
    if _IRREGULAR.search(text):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "quoted-printable that readers repair")
    return binascii.a2b_qp(text)


def decode_base64(text: bytes) -> bytes:
    """Base64 without line ends or anything else (RFC 4648 section 3.3)."""
    try:
        found = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise malformed_base64() from None
    if binascii.b2a_base64(found, newline=False) != text:
        raise malformed_base64()
    return found


def malformed_base64() -> BadUpstream:
    return BadUpstream(Code.BODY_MALFORMED, "a part that is not base64")
