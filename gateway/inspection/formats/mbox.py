"""Mailboxes (RFC 4155): messages behind one another, each of them one record.

    From jane@example.org Sat Nov 28 08:57:42 2026
    Delivered-To: me@example.org
    Subject: ...

    >From the first day on ...
                                    (an empty line, before the next message or the end)

There are four dialects of this format and nothing says which one a mailbox has. Here is what all of
them read alike. A line that begins with `From ` begins a message, and only that: it stands behind
an empty line and has a date, so that readers that look for less, or for more, find the same. In a
body it is quoted, `>From ` (mboxo and mboxrd). A Content-Length (mboxcl) is the length of the body,
so that who counts comes to the same end. Gmail's dates, with the zone before the year, are dates.

What is in a message belongs to it; see `mailrecords`. A message that is dropped goes with its
`From ` line and its empty line. Where a mask empties the field of the sender, the `From ` line
names none either.
"""

import re
from collections.abc import Iterator

from gateway.errors import BadUpstream, Code
from gateway.inspection import detection
from gateway.inspection.jsonreader import WINDOW, Blocks
from gateway.inspection.mailrecords import Message, Messages, check_lines, line_end, masked
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Counts
from gateway.response import Payload

MEDIA_TYPES = ("application/mbox",)

_FROM = b"From "
_DELIMITER = re.compile(
    rb"From (?:-|[!-~]++|[!-~]++ at [!-~]++) {1,2}"
    rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    rb" (?: [1-9]|[0-3][0-9]) [0-2][0-9]:[0-5][0-9]:[0-6][0-9]"
    rb"(?: [+-][0-9]{4})? (?:19[7-9][0-9]|2[0-9]{3})\r?\n"
)
_SENDER = re.compile(rb"\A(From )(?:[!-~]++ at )?[!-~]++")
_SENDERS = frozenset({"from", "sender", "return-path"})
_LENGTH = re.compile(r"[0-9]{1,15}")


def detect(payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`. An empty body is a mailbox without messages."""
    detection.check_utf_8(payload, head)
    if head and not head.startswith(_FROM):
        raise detection.mismatch("the first bytes")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count every message. Raises BadUpstream; see `mailrecords.Messages.read`.

    BODY_AMBIGUOUS also for a `From ` line that begins a message for some readers only,
    BODY_INCOMPLETE for a last line that is cut, BODY_TOO_LARGE for a message longer than
    limits.record.
    """
    for message in _scan(source, Messages(spec, limits), limits):
        tally.add_fields(field.name for field in message.header.fields)
        tally.add(message.owners, Attribution.DIRECT, spec.category)


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write the messages that the verdict keeps, their masked fields emptied."""
    messages = Messages(spec, limits)
    masks = messages.masks(verdict.mask)
    seen = released = 0
    for message in _scan(source, messages, limits):
        seen += 1
        if verdict.keeps(message.owners, spec.category):
            released += 1
            text = masked(message, masks)
            sink.write(_SENDER.sub(rb"\1-", text, 1) if _SENDERS & masks else text)
    return Counts(seen=seen, released=released, redacted=seen - released)


def _scan(source: Source, messages: Messages, limits: Limits) -> Iterator[Message]:
    end = b""
    for number, (text, last) in enumerate(_cut(source, limits), 1):
        end = end or line_end(text)
        try:
            yield _read(text, end, last, messages)
        except BadUpstream as refusal:
            raise BadUpstream(refusal.code, f"message {number}: {refusal.note}") from None


def _read(text: bytes, end: bytes, last: bool, messages: Messages) -> Message:
    check_lines(text, end)
    delimiter = _DELIMITER.match(text)
    if delimiter is None or not (last or text.endswith(end + end)):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a line that begins a message for some readers only")
    if not text.endswith(end):
        raise BadUpstream(Code.BODY_INCOMPLETE, "the last line is cut")
    message = messages.read(text, delimiter.end())
    length = message.header.one("content-length")
    if length is not None:
        body = len(text) - message.header.end
        lengths = {max(0, body - len(end)), *((body,) if last else ())}
        if not _LENGTH.fullmatch(length) or int(length) not in lengths:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a Content-Length that is not the body's")
    return message


def _cut(source: Source, limits: Limits) -> Iterator[tuple[bytes, bool]]:
    """The texts between the `From ` lines, each with its own, and whether it is the last one."""
    blocks, window = Blocks(source), min(WINDOW, limits.record)
    mark = b"\n" + _FROM
    begun: list[bytes] = []
    size, seam = 0, b""
    while block := blocks.read(window):
        seam += block
        *whole, seam = seam.split(mark)
        for piece in whole:
            text = b"".join((*begun, piece, b"\n"))
            if len(text) > limits.record:
                raise _too_large()
            yield text, False
            begun, size = [_FROM], len(_FROM)
        kept = max(0, len(seam) - len(mark) + 1)
        begun.append(seam[:kept])
        size += kept
        seam = seam[kept:]
        if size > limits.record:
            raise _too_large()
    if size + len(seam) > limits.record:
        raise _too_large()
    if size or seam:
        yield b"".join((*begun, seam)), True


def _too_large() -> BadUpstream:
    return BadUpstream(Code.BODY_TOO_LARGE, "a message longer than limits.record")
