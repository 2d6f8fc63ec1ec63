"""Texts that look like documents where none is declared (`undeclared: refuse`).

A net for what nobody configured: the beginning of a text says that a reader may take it for JSON,
XML or HTML, or it does so once its JSON string, percent signs, hexadecimal, base64 or signed token
(RFC 7515) is undone, up to `limits.embedding_depth` times. So do a data URI, base64 of a known
kind of file, and any long base64, whatever is in it. White space around all of these and between
their letters is nothing, as it is to lenient readers. Words with blanks between them are base64
then, too: what they make is looked at only where it begins like a text or a file. What it can't see
is a document in the midst of a text.
"""

import binascii
import re
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

from gateway.errors import BadUpstream, Code
from gateway.inspection import detection, jsontext
from gateway.inspection.jsonscan import Items, Mark, Piece, Role, Structure
from gateway.inspection.locators import Steps, Wildcard
from gateway.inspection.settings import Limits

_OPENS = re.compile(
    r"""[\s\ufeff]*+(?:\{\s*+(?:["']|[A-Za-z_$][\w$]*+\s*+:)|\[\s*+["'{\[]"""
    r"""|<(?:[?!]|/?[A-Za-z_][\w:.-]*+(?:\s|/?>)))"""
)
"""How JSON (also as JavaScript and Python write it), XML and HTML begin."""

_VALUES = re.compile(r"[\s\ufeff]*+\[\s*+(?:-?\d|true|false|null)")
_DATA = re.compile(
    r"""[\s\ufeff]*+data:(?:
        [^,;\s]{1,127}/[^,;\s]{1,256}\s*+(?:;[^,]{0,256})?
        | \s++(?:application|audio|font|image|message|model|multipart|text|video)/[^,]{1,256}
        | [^,]{0,256};\s*+base64\s*+
        | \s*+(?:;[^,]{0,256})?
    ),""",
    re.IGNORECASE | re.VERBOSE,
)
"""Also without a type (RFC 2397: it is text), and with the blanks that browsers drop."""

_PERCENT = re.compile(r"[\s\ufeff]*+%[0-9a-fA-F]{2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){6,}+")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}+={0,2}")
_TOKEN = re.compile(r"([A-Za-z0-9_-]{8,}+)(?:\.[A-Za-z0-9_-]*+){1,4}+")
_OTHER = re.compile(r"[^A-Za-z0-9+/=_.\s\ufeff-]")
"""What is in no base64, token or hexadecimal."""

_BLANKS = re.compile(r"\s++")
_DIVISION = re.compile(r"\s*+<div[\s/>]")
_LONG = 4096
"""Characters of base64 or hexadecimal that are an attachment, whatever is in them."""

_DIGIT = re.compile(r"[0-9]")
_WORD = 8
"""Bytes that are hardly ever text by chance."""

_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")

_MOST_PLAIN = 4096
_FILE = 24
"""Characters from which on the first bytes say what kind of file it is: words may begin alike."""


def check(value: Any, declared: Iterable[Steps], depth: int) -> None:
    """No text or name in a value looks like a document, but for texts at the declared places.

    Raises BadUpstream: MEMBER_UNSUPPORTED for one that does, BODY_TOO_COMPLEX for one that would
    have to be undone more than `depth` times.
    """
    _check(value, [*declared], depth)


def watched(pieces: Iterable[Piece], limits: Limits) -> Iterator[Piece]:
    """The pieces of a JSON document, all of it checked but the values of the first set's records,
    which are for whoever knows what is declared in them."""
    for piece in pieces:
        match piece:
            case Structure(Mark.NAMED, text):
                name = jsontext.parse(text[: text.rindex(b":")], 0)
                _check(name, [], limits.embedding_depth)
            case Items(Role.RECORD, names=names, number=0):
                _check(list(names or ()), [], limits.embedding_depth)
            case Items(text=text, container=container) if text:
                values = jsontext.parse_items(text, container, limits.depth)
                _check(values, [], limits.embedding_depth)
            case _:
                pass
        yield piece


def _check(value: Any, declared: list[Steps], depth: int) -> None:
    if isinstance(value, str):
        if () not in declared and _looks(value, depth):
            raise BadUpstream(
                Code.MEMBER_UNSUPPORTED, "a text that looks like a document where none is declared"
            )
    elif isinstance(value, dict):
        for name, child in value.items():
            if (name, depth) not in _plain:
                _check_name(name, depth)
            _check(child, _below(declared, (name, Wildcard.MEMBERS)), depth)
    elif isinstance(value, list):
        below = _below(declared, (Wildcard.ELEMENTS,))
        for child in value:
            _check(child, below, depth)


def _below(declared: list[Steps], steps: Steps) -> list[Steps]:
    """What is declared below one of these steps."""
    if not declared:
        return declared
    return [each[1:] for each in declared if each and each[0] in steps]


_plain: set[tuple[str, int]] = set()
"""Short names that were looked at, to this depth, and are like no document."""


def _check_name(name: str, depth: int) -> None:
    _check(name, [], depth)
    if len(name) < _FILE and len(_plain) < _MOST_PLAIN:
        _plain.add((name, depth))


def is_document(content: bytes) -> bool:
    """Whether bytes begin like JSON, XML or HTML, whatever their encoding."""
    ends = content if len(content) <= _LONG else content[:_LONG] + content[-_FILE:]
    plain = ends.replace(b"\0", b"").lstrip(b"\xff\xfe")  # as UTF-16 and UTF-32 have them
    return _opens(plain.decode("utf-8", "replace"))


def is_division(text: str) -> bool:
    """Whether a text is an XHTML division, as a narrative is, and no other document."""
    return _DIVISION.match(text) is not None


def _opens(text: str) -> bool:
    if _OPENS.match(text):
        return True
    return text.rstrip().endswith("]") and _VALUES.match(text) is not None


def _looks(text: str, depth: int) -> bool:
    if text[:1].isalnum() and _OTHER.search(text) and text[:5].lower() != "data:":
        return False  # nearly always, and what follows would say so, too
    if _opens(text) or _DATA.match(text):
        return True
    lines = "".join(map(str.strip, text.replace("\ufeff", "").splitlines()))
    compact = _BLANKS.sub("", lines)
    spaced = len(compact) < len(lines)
    if len(compact) >= _LONG and _BASE64.fullmatch(compact) and not (spaced and _worded(compact)):
        return True
    for content in _undone(lines, compact, spaced):
        if depth == 0:
            if len(text) < _FILE:
                return False
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "a text written beyond limits.embedding_depth")
        if len(text) >= _FILE and detection.is_file(content):
            return True
        if is_document(content):
            return True
        try:
            inner = content.decode()
        except UnicodeDecodeError:
            continue
        if _looks(inner, depth - 1):
            return True
    return False


def _worded(compact: str) -> bool:
    """Whether letters are those of words or of numbers: long base64 has all kinds of them."""
    digits = len(_DIGIT.findall(compact))
    return digits < len(compact) / 32 or compact.upper() == compact or compact.lower() == compact


def _undone(text: str, compact: str, spaced: bool) -> Iterator[bytes]:
    """What a text may have been before it was written like this. `compact` is without blanks, of
    which it had some within a line if it is `spaced`."""
    if text[:1] == text[-1:] == '"' and len(text) > 1:
        yield from _json_text(text)
    if _PERCENT.match(text):
        yield unquote_to_bytes(text)
    for content in _encoded(compact):
        if not spaced or _is_telling(content):
            yield content


def _encoded(compact: str) -> Iterator[bytes]:
    if token := _TOKEN.fullmatch(compact):
        yield _base64(token[1])
    if _HEX.fullmatch(compact):
        yield bytes.fromhex(compact)
    if _BASE64.fullmatch(compact):
        yield _base64(compact)


def _is_telling(content: bytes) -> bool:
    """Whether bytes begin like a file or a text: what is made of words seldom does."""
    if detection.is_file(content):
        return True
    head = content.lstrip(b"\xff\xfe")[:_WORD]  # without a byte order mark
    try:
        return not _CONTROL.search(getincrementaldecoder("utf-8")().decode(head))
    except UnicodeDecodeError:
        return False


def _json_text(text: str) -> Iterator[bytes]:
    try:
        found = jsontext.parse(text.encode(), 0)
    except BadUpstream:  # quoted, but not as JSON does it
        return
    yield found.encode()


def _base64(text: str) -> bytes:
    """As a lenient reader has it."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    return binascii.a2b_base64(plain + "=" * (-len(plain) % 4))
