"""OFX 1 (SGML), read strictly: the header, and the elements of one document, piece by piece.

    OFXHEADER:100
    DATA:OFXSGML            nine lines, in this order, and a blank one
    ..
    <OFX>                   an aggregate: a tag follows its own, and it must be closed
    <BANKMSGSRSV1>            a message set
    <STMTTRNRS>                 a response: one of our units
    <STMTRS><CURDEF>EUR           an element: text follows its tag; closing it is left to banks
    ..

Readers mend unclosed aggregates, lower-case names, stray text and empty elements by what they know
of the document type, or by guessing. All of that is refused here, with attributes, comments,
declarations, and a name that is an element's inside an aggregate of that name.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain
from typing import NamedTuple

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits

_HEADER = re.compile(
    rb"OFXHEADER:100(\r?\n)DATA:OFXSGML\1VERSION:1[0-9]{2}\1SECURITY:NONE\1"
    rb"ENCODING:([A-Z0-9-]{1,16})\1CHARSET:([A-Z0-9-]{1,16})\1COMPRESSION:NONE\1"
    rb"OLDFILEUID:[A-Za-z0-9-]{1,36}\1NEWFILEUID:[A-Za-z0-9-]{1,36}\1\1?(?=<)"
)
LONGEST_HEADER = 512
_ENCODINGS = {
    (b"USASCII", b"NONE"): "us-ascii",
    (b"USASCII", b"1252"): "windows-1252",
    (b"USASCII", b"ISO-8859-1"): "iso-8859-1",
    (b"UTF-8", b"NONE"): "utf-8",
    (b"UTF-8", b"CSUNICODE"): "utf-8",
    (b"UTF-8", b"UTF-8"): "utf-8",
}
_TOKEN = re.compile(rb"<(/?)([A-Z][A-Z0-9.]{0,31})>([^<]*+)")
_BLANK = b" \t\r\n"
_RESPONSES = 3
_MOST = 1 << 18
"""Elements kept of one unit."""

Path = tuple[str, ...]


class Place(Enum):
    """What a piece is."""

    ABOVE = "the header, and the document's own tags"
    OPENS = "the tag that opens a message set"
    CLOSES = "the tag that closes it"
    UNIT = "what stands in a message set"


class Element(NamedTuple):
    """An element of a unit: `path` are the aggregates from the unit down, and its own name; the
    text from `begin` to `end` is all of it, with its tags and the white space behind them."""

    path: Path
    value: bytes
    begin: int
    end: int


@dataclass(slots=True)
class Piece:
    """A part of the document, with the white space behind it. Of a unit: the aggregate that it is,
    how many statements are in it, its wanted elements, and the names of all of them."""

    place: Place
    text: bytes
    name: str = ""
    message_set: str = ""
    statements: int = 0
    elements: list[Element] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


def encoding(head: bytes) -> str:
    """The encoding that the header at the start of a body names. Raises BadUpstream."""
    header = _HEADER.match(head)
    if header is None:
        raise BadUpstream(Code.BODY_MALFORMED, "no header of an OFX 1 that is readable")
    named = _ENCODINGS.get((header[2], header[3]))
    if named is None:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "an encoding and a charset that don't fit")
    return named


def pieces(
    text: Iterator[bytes], limits: Limits, wanted: Callable[[str, str], bool]
) -> Iterator[Piece]:
    """The pieces of a document in clean UTF-8 (see `charset.read_text`), header included.

    `wanted` says of a message set and an element's name whether such elements are kept. Raises
    BadUpstream: BODY_MALFORMED, BODY_AMBIGUOUS, BODY_INCOMPLETE where it ends too early,
    BODY_TOO_LARGE and BODY_TOO_COMPLEX for what is over the limits.
    """
    document = _Document(limits, wanted)
    for tokens in _tokens(text, limits):
        if isinstance(tokens, bytes):
            yield Piece(Place.ABOVE, tokens)
            continue
        for token in tokens:
            if piece := document.read(token):
                yield piece
    document.end()


class _Document:
    """The aggregates that are open, and the unit that they belong to."""

    def __init__(self, limits: Limits, wanted: Callable[[str, str], bool]) -> None:
        self._limits, self._wanted = limits, wanted
        self._stack: list[str] = []
        self._unit = Piece(Place.UNIT, b"")
        self._text = bytearray()
        self._element: tuple[str, bool] | None = None  # the last one: may be closed, was kept
        self._over = False

    def read(self, token: re.Match[bytes]) -> Piece | None:
        """The piece that a tag, with the text behind it, completes."""
        closes, name, value = bool(token[1]), token[2].decode(), token[3].strip(_BLANK)
        if self._over:
            raise BadUpstream(Code.BODY_MALFORMED, "something behind the document")
        if closes:
            if value:
                raise BadUpstream(Code.BODY_AMBIGUOUS, "text behind an end tag")
            return self._close(name, token[0])
        if name in self._stack:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a name inside an aggregate of that name")
        if value:
            self._read_element(name, value, token[0])
            return None
        return self._open(name, token[0])

    def end(self) -> None:
        """Raises BadUpstream unless the document has ended."""
        if not self._over:
            raise BadUpstream(Code.BODY_INCOMPLETE, "the document ends too early")

    def _open(self, name: str, text: bytes) -> Piece | None:
        self._element = None
        self._stack.append(name)
        depth = len(self._stack)
        if depth > self._limits.depth:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "nested deeper than limits.depth")
        if depth == 1:
            if name != "OFX":
                raise BadUpstream(Code.BODY_MALFORMED, "a document that is no OFX")
            return Piece(Place.ABOVE, text)
        if depth < _RESPONSES:
            return Piece(Place.OPENS, text, name)
        if depth == _RESPONSES:
            self._unit = Piece(Place.UNIT, b"", name, self._stack[-2])
            self._text.clear()
        elif depth == _RESPONSES + 1:
            self._unit.statements += name.endswith("STMTRS")
        self._append(text)
        return None

    def _close(self, name: str, text: bytes) -> Piece | None:
        element, self._element = self._element, None
        if element and element[0] == name:
            self._append(text)
            if element[1]:
                self._unit.elements[-1] = self._unit.elements[-1]._replace(end=len(self._text))
            return None
        if not self._stack or self._stack.pop() != name:
            raise BadUpstream(Code.BODY_MALFORMED, "an end tag that doesn't close what is open")
        depth = len(self._stack) + 1
        if depth < _RESPONSES:
            self._over = depth == 1
            return Piece(Place.ABOVE if self._over else Place.CLOSES, text, name)
        self._append(text)
        if depth > _RESPONSES:
            return None
        self._unit.text = bytes(self._text)
        return self._unit

    def _read_element(self, name: str, value: bytes, text: bytes) -> None:
        if len(self._stack) < _RESPONSES:
            raise BadUpstream(Code.BODY_MALFORMED, "an element outside of all responses")
        begin = len(self._text)
        self._append(text)
        kept = self._wanted(self._unit.message_set, name)
        if kept:
            path = (*self._stack[_RESPONSES:], name)
            self._unit.elements.append(Element(path, value, begin, len(self._text)))
            if len(self._unit.elements) > _MOST:
                raise BadUpstream(Code.BODY_TOO_COMPLEX, "too many elements of one name")
        if name not in self._unit.names:
            self._unit.names.add(name)
            if len(self._unit.names) > self._limits.fields:
                raise BadUpstream(Code.BODY_TOO_COMPLEX, "more distinct names than limits.fields")
        self._element = (name, kept)

    def _append(self, text: bytes) -> None:
        self._text += text
        if len(self._text) > self._limits.record:
            raise BadUpstream(Code.BODY_TOO_LARGE, "a response longer than limits.record")


def _tokens(text: Iterator[bytes], limits: Limits) -> Iterator[bytes | list[re.Match[bytes]]]:
    """The header; then tags with the text behind each, complete when the next tag begins."""
    head = b""
    for piece in text:
        head += piece
        if len(head) >= LONGEST_HEADER:
            break
    header = _HEADER.match(head)
    if header is None:
        raise BadUpstream(Code.BODY_MALFORMED, "no header of an OFX 1 that is readable")
    yield header[0]
    begun: list[bytes] = []
    size = 0
    for piece in chain((head[header.end() :],), text):
        cut = piece.rfind(b"<")
        if cut >= 0:
            yield _matched(b"".join((*begun, piece[:cut])))
            begun, size = [], 0
        begun.append(piece[max(cut, 0) :])
        size += len(begun[-1])
        if size > limits.record:
            raise BadUpstream(Code.BODY_TOO_LARGE, "text longer than limits.record")
    yield _matched(b"".join(begun))


def _matched(text: bytes) -> list[re.Match[bytes]]:
    tokens = list(_TOKEN.finditer(text))
    if sum(len(token[0]) for token in tokens) != len(text):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "markup that is no plain tag in upper case")
    return tokens
