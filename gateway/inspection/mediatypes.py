"""What a part says that it is: Content-Type and Content-Transfer-Encoding (RFC 2045).

What consists of parts or is a message is read further: how it says so must be beyond doubt. Of all
others only the type itself counts, because nobody splits them, whatever their parameters are.
"""

import re
from typing import NamedTuple

from gateway.errors import BadUpstream, Code
from gateway.inspection.mailheader import Header
from gateway.inspection.transfer import PLAIN

_WORD = r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]+"
_TYPE = re.compile(rf"({_WORD}/{_WORD})[ \t]*+(?=;|\Z)")
_PARAMETER = re.compile(
    rf"""[ \t]*;[ \t]*({_WORD})=(?:({_WORD})(?=[ \t;]|\Z)|"([^"\\]*)")""",
)
_REST = re.compile(r"[ \t]*;?[ \t]*")
BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")

MESSAGES = frozenset({"message/rfc822", "message/global"})
_ELSEWHERE = frozenset({"message/partial", "message/external-body"})
_COULD_BE_SPLIT = ("multipart", "message", "boundary")


class MediaType(NamedTuple):
    """`name` is in lower case; `boundary` is there for what consists of parts."""

    name: str
    boundary: bytes | None = None


def media_type(header: Header, default: str = "text/plain") -> MediaType:
    """What the header says that the part is.

    Raises BadUpstream: BODY_AMBIGUOUS for a type that readers take differently, and
    MEMBER_UNSUPPORTED for a message whose content is somewhere else.
    """
    text = header.one("content-type")
    encoding = header.one("content-transfer-encoding")
    header.one("content-disposition")
    text = default if text is None else text
    found = _TYPE.match(text)
    name = found[1].lower() if found else ""
    if name in _ELSEWHERE:
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, "a message whose content is elsewhere")
    boundary = None
    if found and name.startswith("multipart/"):
        boundary = boundary_of(parameters(text, found.end()))
    elif name not in MESSAGES:
        if not name and any(word in text.lower() for word in _COULD_BE_SPLIT):
            raise _ambiguous("a media type that can't be read")
        return MediaType(name or "text/plain")
    if encoding is not None and encoding.lower() not in PLAIN:
        raise _ambiguous("parts or a message under a transfer encoding")
    return MediaType(name, boundary)


def is_one(text: str | None) -> bool:
    """Whether a Content-Type names its type in the one way that all readers understand, or isn't
    there."""
    return text is None or _TYPE.match(text) is not None


def parameters(text: str, at: int) -> dict[str, str]:
    """The parameters that stand from `at` to the end; names in lower case, none of them twice."""
    found: dict[str, str] = {}
    while parameter := _PARAMETER.match(text, at):
        name = parameter[1].lower()
        if name in found:
            raise _ambiguous("a parameter twice")
        found[name] = parameter[3] if parameter[2] is None else parameter[2]
        at = parameter.end()
    if not _REST.fullmatch(text, at):
        raise _ambiguous("parameters that readers take differently")
    return found


def boundary_of(given: dict[str, str]) -> bytes:
    """The boundary among some parameters (RFC 2046 section 5.1.1).

    One in pieces or with a charset (RFC 2231) is one to some readers only.
    """
    boundary = given.get("boundary")
    if boundary is None or any(name.startswith("boundary*") for name in given):
        raise _ambiguous("parts without one plain boundary")
    if not BOUNDARY.fullmatch(boundary):
        raise _ambiguous("a boundary that is none")
    return boundary.encode("ascii")


def _ambiguous(note: str) -> BadUpstream:
    return BadUpstream(Code.BODY_AMBIGUOUS, note)
