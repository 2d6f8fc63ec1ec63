"""Content lines (RFC 5545 section 3.1, RFC 6350 section 3.2): vCard and iCalendar are made of them.

    item1.TEL;TYPE=home,"work":+49 30 1234      group, name, parameters, value
    NOTE:a line that begins with a space goes
      on where the one before it ended          a fold; it is a line end and one blank
    BEGIN:VEVENT .. END:VEVENT                  a component; it may hold others

Readers mend what isn't so, each in its own way: they skip blank lines, trim, take any line end, and
look for `BEGIN:` without unfolding. So do the libraries that there are, which is why none of them
reads here (they do in the tests). What readers could mend differently is refused: a second kind of
line end, blank lines, folds in a name or without text, a backslash before what parts parameters,
control characters and whatever else ends a line somewhere (U+0085, U+2028, U+2029), U+FEFF.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from gateway.errors import BadUpstream, Code
from gateway.inspection.jsonreader import WINDOW, Blocks
from gateway.inspection.settings import Limits
from gateway.inspection.source import Source

_CONTROLS = bytes({*range(0x20), 0x7F} - {*b"\t\r\n"})
_SPLITTERS = ("\x85", "\u2028", "\u2029", "\ufeff")
_MARKS = (b"BEGIN:", b"END:")
_MARK = re.compile(rb"(BEGIN|END):([A-Z][A-Z0-9-]*+)")

_NAME = rb"[A-Za-z0-9-]++"
_QUOTED = rb'"(?:[^"\\]|\\(?!"))*+"'
_PLAIN = rb'(?:[^";:,\\]|\\(?![";:,]))*+'
_TEXT = rb"(?:%b|%b)" % (_QUOTED, _PLAIN)
_PARAMETERS = rb"((?:;%b=%b(?:,%b)*+)*+)" % (_NAME, _TEXT, _TEXT)

CALENDAR = re.compile(rb"()(%b)%b:(.*)" % (_NAME, _PARAMETERS), re.DOTALL)
"""RFC 5545: no groups."""
CARD = re.compile(rb"(?:(%b)\.)?(%b)%b:(.*)" % (_NAME, _NAME, _PARAMETERS), re.DOTALL)
"""RFC 2426 and RFC 6350."""
CARD_2_1 = re.compile(
    rb"(?:(%b)\.)?(%b)((?:;%b(?:=[A-Za-z0-9_./+-]*+)?)*+):(.*)" % (_NAME, _NAME, _NAME), re.DOTALL
)
"""vCard 2.1: a parameter may be its bare value, and none is quoted."""

_MOST_LINES, _MOST_FOLDS = 1 << 16, 1 << 18
"""In one component, and in one line: each is a value of its own in memory."""


class Line(NamedTuple):
    """One line, unfolded: `whole` is how it stands in the body, with its line end."""

    number: int
    whole: bytes
    text: bytes


class Piece(NamedTuple):
    """A component with all that is in it, or without a name one line above the components."""

    name: str
    lines: list[Line]


class Property(NamedTuple):
    """A line taken apart; `name` in upper case, since case means nothing in it."""

    line: Line
    group: bytes
    name: str
    parameters: bytes
    value: bytes


def pieces(source: Source, limits: Limits, level: int, *, octets: bool) -> Iterator[Piece]:
    """The components at `level` (1 is the outermost), and each line above them.

    `octets` where a fold may stand inside a character, as RFC 5545 lets it and RFC 6350 doesn't.
    Raises BadUpstream: BODY_AMBIGUOUS for what readers mend differently, BODY_MALFORMED for bytes
    that are not UTF-8 and for ends that close nothing, BODY_INCOMPLETE where an end is missing.
    """
    stack: list[bytes] = []
    lines: list[Line] = []
    size = 0
    for line in _lines(source, limits, octets):
        mark = _MARK.fullmatch(line.text) if line.text.startswith(_MARKS) else None
        ends = mark is not None and mark[1] == b"END"
        if not line.whole.endswith(b"\n") and not (mark and ends and stack == [mark[2]]):
            raise BadUpstream(Code.BODY_INCOMPLETE, "the last line doesn't prove its own end")
        if mark is None:
            if not stack:
                raise malformed(line, "a line outside of all components")
        elif line.whole.rstrip(b"\r\n") != line.text:
            raise ambiguous(line, "a folded BEGIN or END")
        elif mark[1] == b"BEGIN":
            stack.append(mark[2])
            if len(stack) > limits.depth:
                raise BadUpstream(Code.BODY_TOO_COMPLEX, "nested deeper than limits.depth")
        elif not stack or stack.pop() != mark[2]:
            raise malformed(line, "an END that doesn't close what is open")
        depth = len(stack) + ends
        if depth < level:
            yield Piece("", [line])
            continue
        lines.append(line)
        size += len(line.whole)
        if size > limits.record:
            raise _too_large()
        if len(lines) > _MOST_LINES:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "a component of too many lines")
        if mark is not None and ends and depth == level:
            yield Piece(mark[2].decode(), lines)
            lines, size = [], 0
    if stack:
        raise BadUpstream(Code.BODY_INCOMPLETE, "a component without its END")


def parsed(line: Line, grammar: re.Pattern[bytes]) -> Property:
    """Take a line apart. Raises BadUpstream."""
    found = grammar.fullmatch(line.text)
    if found is None:
        raise malformed(line, "no content line")
    group, name, parameters, value = found.groups(b"")
    if not line.whole.startswith(line.text[: found.end(2) + 1]):  # with the sign behind it
        raise ambiguous(line, "a fold in a name")
    upper = name.upper().decode()
    if upper in ("BEGIN", "END") and (group or not _MARK.fullmatch(line.text)):
        raise ambiguous(line, "a BEGIN or END that not every reader knows")
    return Property(line, group, upper, parameters.upper(), value)


def ambiguous(line: Line, what: str) -> BadUpstream:
    return BadUpstream(Code.BODY_AMBIGUOUS, f"line {line.number}: {what}")


def malformed(line: Line, what: str) -> BadUpstream:
    return BadUpstream(Code.BODY_MALFORMED, f"line {line.number}: {what}")


def _lines(source: Source, limits: Limits, octets: bool) -> Iterator[Line]:
    """The lines, unfolded. An END is handed out before what follows it is looked at."""
    held: list[bytes] = []
    number, size, last = 0, 0, b""
    for end, physical in _physical(source, limits):
        for part in physical:
            number += 1
            folds = part[:1] in (b" ", b"\t")
            if not part.strip(b" \t") or (folds and not held):
                note = f"line {number}: a blank line, or one that goes on where nothing began"
                raise BadUpstream(Code.BODY_AMBIGUOUS, note)
            if held and not folds:
                yield _line(number - len(held), held, last, octets)
                held, size = [], 0
            held.append(part)
            last = end
            size += len(part)
            if size > limits.record:
                raise _too_large()
            if len(held) > _MOST_FOLDS:
                raise BadUpstream(Code.BODY_TOO_COMPLEX, "a line of too many folds")
            if not folds and part.startswith(b"END:"):
                yield _line(number, held, end, octets)
                held, size = [], 0
    if held:
        yield _line(number - len(held) + 1, held, last, octets)


def _line(number: int, parts: list[bytes], end: bytes, octets: bool) -> Line:
    whole = (end or b"\n").join(parts) + end
    text = b"".join([parts[0], *(part[1:] for part in parts[1:])]) if len(parts) > 1 else parts[0]
    line = Line(number, whole, text)
    if not whole.isascii():
        _check_characters(line, octets)
    return line


def _check_characters(line: Line, octets: bool) -> None:
    try:
        text = line.text.decode()
        if not octets:
            line.whole.decode()
    except UnicodeDecodeError:
        raise malformed(line, "bytes that are not UTF-8, or a character that is folded") from None
    if any(splitter in text for splitter in _SPLITTERS):
        raise ambiguous(line, "a character that ends a line for some readers, or U+FEFF")


def _physical(source: Source, limits: Limits) -> Iterator[tuple[bytes, list[bytes]]]:
    """Whole lines and the line end behind each of them; the last one may have none."""
    blocks, window = Blocks(source), min(WINDOW, limits.record)
    begun: list[bytes] = []
    size, end = 0, b""
    while block := blocks.read(window):
        if len(block.translate(None, _CONTROLS)) < len(block):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a control character")
        cut = block.rfind(b"\n") + 1
        if cut:
            text = b"".join((*begun, block[:cut]))
            end = end or (b"\r\n" if text[: text.index(b"\n") + 1].endswith(b"\r\n") else b"\n")
            _check_ends(text, end)
            yield end, text[: -len(end)].split(end)
            begun, size = [], 0
        begun.append(block[cut:])
        size += len(block) - cut
        if size > limits.record:
            raise _too_large()
    if size:
        text = b"".join(begun)
        if b"\r" in text:
            raise BadUpstream(Code.BODY_INCOMPLETE, "the last line end is cut, or a bare CR")
        yield b"", [text]


def _check_ends(text: bytes, end: bytes) -> None:
    returns = text.count(b"\r")
    expected = text.count(b"\n") if end == b"\r\n" else 0
    if not returns == expected == text.count(b"\r\n"):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "another line end than the first, or a bare CR")


def _too_large() -> BadUpstream:
    return BadUpstream(Code.BODY_TOO_LARGE, "a line or component longer than limits.record")
