"""What the header of one part says (RFC 2046, RFC 7578): its name, its type, its encoding.

Readers take a part's name from several fields; where two of these disagree, or one is written in a
way that only some decode (RFC 2231, backslashes), the part is refused. The name is the file's, or
else the form field's, or the Content-ID; a part without any has its number, which changes when a
part before it goes. A form field (RFC 7578 section 4.2) and a Content-ID (RFC 2392) may stand
beside the file's name, and some readers name the part by them: they must be names, too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import BadUpstream, Code
from gateway.inspection import names
from gateway.inspection.mailheader import Header
from gateway.inspection.mediatypes import media_type, parameters
from gateway.inspection.transfer import PLAIN

_KIND = re.compile(r"[A-Za-z0-9!#$&^_.+-]+(?:/[A-Za-z0-9!#$&^_.+-]+)?")
_ID = re.compile(r"<([!-;=?-~]+)>")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_LENGTH = re.compile(r"[0-9]{1,18}")
_IDENTIFIER = re.compile(r"(?!.*=\?)[!#-+\--\[\]-~]{1,1024}")
"""Visible ASCII without quotes, backslashes and commas, which would be syntax, and without words
that only some readers decode (RFC 2047)."""

_LONGEST_TYPE = 255
"""RFC 6838 section 4.2 has 127 letters on either side of the slash."""

_DIGESTS = frozenset({"content-md5", "digest", "content-digest", "repr-digest"})
"""Nobody here holds them against the content."""

READ = _DIGESTS | {
    "content-type", "content-disposition", "content-transfer-encoding", "content-encoding",
    "content-id", "content-length", "content-range",
}  # fmt: skip
"""The fields of a part that say what it is, in lower case."""

_DISPOSITIONS = frozenset({None, "attachment", "form-data", "inline"})

_PARAMETERS = frozenset({"charset", "name", "filename"})


@dataclass(frozen=True, slots=True)
class Said:
    """`kind` is the declared media type in lower case, None where none is, and `charset` its
    parameter; `is_base64` is how the content is written. `length` is its Content-Length, and `at`
    where that stands in the header. `range` are the first and the last byte and the complete
    length, of a part that is a range. `has_more` and `has_parameters` where there are fields (a
    digest, an unknown disposition) or parameters that nobody reads here. `field` is a form field's
    name and `identity` a Content-ID, where they are another than the `name`. `told` are the fields
    that the endpoint asks for, by their names in lower case; None for one that isn't one
    identifier.
    """

    name: str
    kind: str | None
    charset: str | None
    is_base64: bool
    length: int | None
    at: tuple[int, int] | None
    range: tuple[int, int, int] | None
    has_more: bool
    has_parameters: bool
    field: str | None
    identity: str | None
    told: Mapping[str, str | None]

    @property
    def others(self) -> tuple[str, ...]:
        """What some readers call the part by."""
        return tuple(name for name in (self.field, self.identity) if name is not None)

    @property
    def distinct(self) -> tuple[str, ...]:
        """The names that no other part may have; fields of a form come many times."""
        return (self.name,) if self.identity is None else (self.name, self.identity)

    @property
    def letters(self) -> int:
        """How many of them are held for each part."""
        told = sum(len(name) + len(text or "") for name, text in self.told.items())
        return len(self.name) + sum(map(len, self.others)) + told


def read_said(header: Header, number: int, wanted: frozenset[str] = frozenset()) -> Said:
    """What a header says, of it the `wanted` fields.

    Raises BadUpstream: BODY_AMBIGUOUS for what readers take differently, MEMBER_UNSUPPORTED for
    parts in a part and for encodings that aren't read.
    """
    content_type, disposition = header.one("content-type"), header.one("content-disposition")
    kind, given = _read(content_type)
    placing, placed = _read(disposition)
    if kind is not None and media_type(header).boundary is not None:
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, "parts in a part")
    if any("*" in name for name in (*given, *placed)):
        raise _ambiguous("a parameter that only some readers decode")
    length, span = header.one("content-length"), header.one("content-range")
    identity = _identity(header.one("content-id"))
    name = _name(placed.get("filename"), placed.get("name"), given.get("name"))
    if name is None:
        name = str(number) if identity is None else identity
    field = placed.get("name")
    for each in (name, field, identity):
        if each is not None:
            _check_name(each, number)
    charset = given["charset"].lower() if "charset" in given else None
    if max(len(kind or ""), len(charset or "")) > _LONGEST_TYPE:
        raise _ambiguous("a type that is none")
    lengths = [(field.begin, field.end) for field in header.all("content-length")]
    return Said(
        name,
        kind,
        charset,
        _is_base64(header),
        _length(length),
        lengths[0] if lengths else None,
        _range(span),
        has_more=placing not in _DISPOSITIONS
        or not {field.name for field in header.fields} <= (READ - _DIGESTS) | wanted,
        has_parameters=not {*given, *placed} <= _PARAMETERS,
        field=None if field == name else field,
        identity=None if identity == name else identity,
        told=_told(header, wanted),
    )


def _check_name(name: str, number: int) -> None:
    if not name or name.endswith("/"):
        raise _ambiguous("a name that is none")
    if len(name) > names.LONGEST:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, f"a name over {names.LONGEST} letters")
    names.check(name, number)


def _told(header: Header, wanted: frozenset[str]) -> Mapping[str, str | None]:
    """A field that comes twice, in two lines, or as a list that somebody may have joined, names no
    one."""
    found: dict[str, str | None] = {}
    for field in header.fields:
        if field.name in wanted:
            plain = field.name not in found and not field.is_folded
            found[field.name] = field.text if plain and _IDENTIFIER.fullmatch(field.text) else None
    return found


def _name(file: str | None, field: str | None, typed: str | None) -> str | None:
    """What Content-Disposition names, and the name that is a parameter of Content-Type.

    A field `_charset_` would say how clients decode all others (RFC 7578 section 4.6).
    """
    if field == "_charset_":
        raise _ambiguous("a field that changes how others are decoded")
    name = field if file is None else file
    if None not in (name, typed) and name != typed:
        raise _ambiguous("two names")
    return typed if name is None else name


def _identity(text: str | None) -> str | None:
    if text is None:
        return None
    found = _ID.fullmatch(text)
    if found is None:
        raise _ambiguous("a Content-ID that is none")
    return found[1]


def _read(text: str | None) -> tuple[str | None, dict[str, str]]:
    """What a field says, and its parameters."""
    if text is None:
        return None, {}
    found = _KIND.match(text)
    if found is None:
        raise _ambiguous("a field that readers take differently")
    return found[0].lower(), parameters(text, found.end())


def _is_base64(header: Header) -> bool:
    text = header.one("content-transfer-encoding")
    encoding = "binary" if text is None else text.lower()
    if header.one("content-encoding") is not None or encoding not in PLAIN | {"base64"}:
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, "a part under an encoding that is not read")
    return encoding == "base64"


def _length(text: str | None) -> int | None:
    if text is None:
        return None
    if not _LENGTH.fullmatch(text):
        raise _ambiguous("a Content-Length that is none")
    return int(text)


def _range(text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    found = _RANGE.fullmatch(text)
    if found is None:
        raise _ambiguous("a Content-Range that is not of bytes")
    first, last, complete = map(int, found.groups())
    if not first <= last < complete:
        raise _ambiguous("a Content-Range that is none")
    return first, last, complete


def _ambiguous(note: str) -> BadUpstream:
    return BadUpstream(Code.BODY_AMBIGUOUS, note)
