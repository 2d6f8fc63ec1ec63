"""MT940, the customer statement message of SWIFT: text → messages with exact bytes.

    {1:F01BANKDEFFXXXX0000000000}{2:I940BANKDEFFXXXXN}{4:      blocks around it, or without them:
    :20:reference
    :25:DE89370400440532013000      the account; `:25P:` has the bank's BIC in a second line
    :28C:5/1                        statement and page; each page is a message of its own
    :60F:C260630EUR1000,00
    :61:..                          lines of the statement, with
    :86:..                          what the bank says about them, in several lines
    :62F:C260731EUR900,00
    -}                              without blocks `-`, or nothing before the next message

Banks put lines of their own around messages, leave out or repeat fields, and readers have learned
to mend that, each in its own way. Here a message has the fields of the standard in its order (and
`:NS:`, which some banks add), each line belongs to one, and the account is one plain line. Blank
lines, mixed line ends and lines that begin like a field or an end without being one are refused.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits

HEADS = (b":20:", b"{1:")
"""What the first line of a message begins with."""

_HEADER = re.compile(
    rb"\{1:[A-Z0-9]{1,64}\}(?:\{2:[IO]940[A-Z0-9]{0,64}\})?"
    rb"(?:\{3:(?:\{[0-9]{3}:[A-Za-z0-9/ .-]{0,64}\})*+\})?\{4:"
)
_TRAILER = re.compile(rb"-\}(?:\{5:(?:\{[A-Z]{3}:[A-Z0-9]{0,64}\})*+\})?")
_FIELD = re.compile(rb":([0-9]{2}[A-Z]?|NS):.*", re.DOTALL)
_ORDER = re.compile(
    r"20,(?:21,)?25P?,28C?,(?:NS,)*+60[FM],(?:(?:61|86|NS),)*+62[FM],(?:64,)?(?:65,)*+(?:(?:86|NS),)*+"
)
_ACCOUNTS = ("25", "25P")
_ACCOUNT = re.compile(rb"(?! )[A-Za-z0-9/ .:,'()?+-]{1,35}(?<! )")
_BIC = re.compile(rb"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_SPLITTERS = ("\x85", "\u2028", "\u2029")
_MOST_LINES = 1 << 16
"""In one message: each is a value of its own in memory."""


class Field(NamedTuple):
    """`text` are its lines, with their ends."""

    tag: str
    text: bytes


class Message(NamedTuple):
    """The line of the header blocks (if any), the fields, and the line that closes it (if any)."""

    begin: bytes
    fields: list[Field]
    end: bytes
    account: str


def messages(text: Iterator[bytes], limits: Limits) -> Iterator[Message]:
    """The messages of a text in clean UTF-8 (see `charset.read_text`).

    Raises BadUpstream: BODY_AMBIGUOUS for what readers mend differently, BODY_MALFORMED for a
    message that isn't one, BODY_INCOMPLETE where the last one ends too early.
    """
    message = _Open()
    for number, line in enumerate(_lines(text, limits), 1):
        try:
            if message.begun and message.over(line):
                yield message.closed()
                message = _Open()
            message.add(line)
        except BadUpstream as refusal:
            raise BadUpstream(refusal.code, f"line {number}: {refusal.note}") from None
        if message.size > limits.record:
            raise BadUpstream(Code.BODY_TOO_LARGE, "a message longer than limits.record")
        if message.lines > _MOST_LINES:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "a message of too many lines")
        if message.ended:
            yield message.closed()
            message = _Open()
    if message.begun:
        yield message.closed(last=True)


class _Open:
    """A message as its lines come."""

    def __init__(self) -> None:
        self._begin = self._end = b""
        self._tags: list[str] = []
        self._texts: list[list[bytes]] = []
        self.size = self.lines = 0

    @property
    def begun(self) -> bool:
        return self.lines > 0

    @property
    def ended(self) -> bool:
        """By a line that closes it. Without one it goes on until the next one begins."""
        return bool(self._end)

    def over(self, line: bytes) -> bool:
        """Whether a line is the first one of the next message."""
        return line.startswith(HEADS) and not (line.startswith(b":20:") and not self._tags)

    def add(self, line: bytes) -> None:
        """Raises BadUpstream for a line that belongs to nothing."""
        text = line.rstrip(b"\r\n")
        if text == line and not text.startswith(b"-"):
            raise BadUpstream(Code.BODY_INCOMPLETE, "the last line doesn't prove its own end")
        if not text.strip(b" \t"):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a blank line")
        if not self.begun and not line.startswith(HEADS):
            raise BadUpstream(Code.BODY_MALFORMED, "text outside of all messages")
        self.size += len(line)
        self.lines += 1
        if text.startswith(b"-"):
            if not (_TRAILER.fullmatch(text) if self._begin else text == b"-"):
                raise BadUpstream(Code.BODY_AMBIGUOUS, "a line that only some take for an end")
            self._end = line
        elif found := _FIELD.fullmatch(text):
            self._tags.append(found[1].decode())
            self._texts.append([line])
        elif text.startswith(b"{") and not self._tags:
            if not _HEADER.fullmatch(text):
                raise BadUpstream(Code.BODY_MALFORMED, "blocks that are no MT940's")
            self._begin = line
        elif text.startswith(b":") or not self._texts:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a line that only some take for a field")
        else:
            self._texts[-1].append(line)

    def closed(self, *, last: bool = False) -> Message:
        """The message. Raises BadUpstream; where it is the `last` one, it may have been cut."""
        if self._begin and not self._end:
            code = Code.BODY_INCOMPLETE if last else Code.BODY_MALFORMED
            raise BadUpstream(code, "a message that isn't closed")
        if sum(map(self._tags.count, _ACCOUNTS)) > 1:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a message with two accounts")
        if not _ORDER.fullmatch("".join(f"{tag}," for tag in self._tags)):
            cut = last and not self._end and {"62F", "62M"}.isdisjoint(self._tags)
            code = Code.BODY_INCOMPLETE if cut else Code.BODY_MALFORMED
            raise BadUpstream(code, "a message without the fields of an MT940 in their order")
        fields = zip(self._tags, map(b"".join, self._texts), strict=True)
        return Message(self._begin, [*map(Field._make, fields)], self._end, self._account())

    def _account(self) -> str:
        place = next(at for at, tag in enumerate(self._tags) if tag in _ACCOUNTS)
        tag = self._tags[place]
        account, *more = (line.rstrip(b"\r\n") for line in self._texts[place])
        account = account.removeprefix(f":{tag}:".encode())
        bank = all(map(_BIC.fullmatch, more)) and len(more) == (tag == "25P")
        if not _ACCOUNT.fullmatch(account) or not bank:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "an account that is not one plain line")
        return account.decode()


def _lines(text: Iterator[bytes], limits: Limits) -> Iterator[bytes]:
    """The lines with their ends, which are all alike; the last one may have none."""
    begun: list[bytes] = []
    size, end = 0, b""
    for piece in text:
        cut = piece.rfind(b"\n") + 1
        if cut:
            whole = b"".join((*begun, piece[:cut]))
            end = end or (b"\r\n" if whole[: whole.index(b"\n") + 1].endswith(b"\r\n") else b"\n")
            for line in whole.splitlines(keepends=True):
                yield _checked(line, end)
            begun, size = [], 0
        begun.append(piece[cut:])
        size += len(piece) - cut
        if size > limits.record:
            raise BadUpstream(Code.BODY_TOO_LARGE, "a line longer than limits.record")
    if size:
        yield _checked(b"".join(begun), b"")


def _checked(line: bytes, end: bytes) -> bytes:
    text = line[: len(line) - len(end)]
    if not line.endswith(end) or b"\r" in text or b"\n" in text:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "another line end than the first, or a bare CR")
    if not text.isascii() and any(each in text.decode() for each in _SPLITTERS):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a character that ends a line for some readers")
    return line
