"""The header of a message or of a part in one: its fields, read strictly (RFC 5322 section 2.2).

Readers disagree about nearly everything that the RFC doesn't allow, and about much that its
obsolete syntax does: blanks before a colon, a continuation line of nothing but blanks (is it the
end of the header?), a line without a colon, control characters. A header that has one is refused.
Characters beyond ASCII are UTF-8 (RFC 6532).
"""

import re
from typing import NamedTuple

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits

_FIELD = re.compile(rb"(?!--)([!-9;-~]++):([^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+)(?:\r?\n|\Z)")
_END = re.compile(rb"\r?\n")
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SPLITTERS = re.compile("[\x80-\x9f\u2028\u2029\ufeff]")
_BLANK_LINE = re.compile(rb"\n[ \t]++(?:\r?\n|\Z)")
_FOLD = re.compile(rb"\r?\n")


class Field(NamedTuple):
    """One field. `name` is in lower case, since names have none; the value stands from `begin` to
    `end` in the text, its line end left out."""

    name: str
    begin: int
    end: int
    raw: bytes

    @property
    def text(self) -> str:
        """The value, unfolded, without the blanks around it."""
        return _FOLD.sub(b"", self.raw).decode().strip(" \t")

    @property
    def is_folded(self) -> bool:
        return b"\n" in self.raw


class Header(NamedTuple):
    """The fields in their order, and where what they describe begins."""

    fields: list[Field]
    end: int

    def all(self, name: str) -> list[Field]:
        """The fields of a name, which is in lower case."""
        return [field for field in self.fields if field.name == name]

    def one(self, name: str) -> str | None:
        """The text of the field that may be there once.

        Raises BadUpstream(BODY_AMBIGUOUS) for two: some readers take the first, others the last.
        """
        found = self.all(name)
        if len(found) > 1:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a header field twice that may be there once")
        return found[0].text if found else None


def read_header(text: bytes, begin: int, limits: Limits) -> Header:
    """The header that begins at `begin`, up to its blank line. All line ends are of one kind.

    Raises BadUpstream: BODY_MALFORMED for what is no header, BODY_AMBIGUOUS for what readers take
    differently, BODY_INCOMPLETE where the text ends in it, BODY_TOO_COMPLEX for more fields than
    limits.fields.
    """
    fields: list[Field] = []
    at = begin
    while not (end := _END.match(text, at)):
        found = _FIELD.match(text, at)
        if found is None:
            raise _no_field(text, at)
        if len(fields) >= limits.fields:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "more header fields than limits.fields")
        name, value = found[1].decode("ascii").lower(), found[2]
        fields.append(Field(name, found.start(2), found.end(2), value))
        at = found.end()
    _check_characters(text[begin:at])
    return Header(fields, end.end())


def _no_field(text: bytes, at: int) -> BadUpstream:
    if text.find(b"\n", at) < 0:
        return BadUpstream(Code.BODY_INCOMPLETE, "the text ends in a header")
    return BadUpstream(Code.BODY_MALFORMED, "a line of a header that is no field")


def _check_characters(block: bytes) -> None:
    if _CONTROLS.search(block):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a control character in a header")
    if _BLANK_LINE.search(block):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a line of blanks in a header")
    if block.isascii():
        return
    try:
        decoded = block.decode()
    except UnicodeDecodeError:
        raise BadUpstream(Code.BODY_MALFORMED, "a header that is not UTF-8") from None
    if _SPLITTERS.search(decoded):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a character in a header that ends lines")
