"""EML: one message (RFC 5322, RFC 2045), which is one record, in UTF-8 or fewer characters.

Whatever is in it belongs to it: parts, attachments, and messages that were forwarded with it, whose
own senders and receivers are mentions. Whose it is stands in its header; see `mailrecords`. All
lines end alike, and the parts are complete; see `mimetree`.
"""

import re

from gateway.errors import BadUpstream, Code
from gateway.inspection import detection
from gateway.inspection.mailrecords import Message, Messages, check_lines, line_end, masked
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Counts
from gateway.response import Payload

MEDIA_TYPES = ("message/rfc822", "message/global")

_FIELD = re.compile(rb"[A-Za-z][A-Za-z0-9_.-]*+:")


def detect(payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`."""
    detection.check_utf_8(payload, head)
    detection.check_no_other(head)
    if head and not _FIELD.match(head):
        raise detection.mismatch("the first bytes")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count the message. Raises BadUpstream; see `mailrecords.Messages.read`."""
    message = _read(source, Messages(spec, limits), limits)
    tally.add_fields(field.name for field in message.header.fields)
    tally.add(message.owners, Attribution.DIRECT, spec.category)


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write the message, its masked fields emptied.

    Raises BadUpstream(REDACTION_UNSUPPORTED) where it is withheld: it is the whole body.
    """
    messages = Messages(spec, limits)
    message = _read(source, messages, limits)
    if not verdict.keeps(message.owners, spec.category):
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, "the withheld record is the message")
    sink.write(masked(message, messages.masks(verdict.mask)))
    return Counts(seen=1, released=1)


def _read(source: Source, messages: Messages, limits: Limits) -> Message:
    chunks: list[bytes] = []
    size = 0
    for chunk in source.chunks():
        chunks.append(chunk)
        size += len(chunk)
        if size > limits.record:
            raise BadUpstream(Code.BODY_TOO_LARGE, "a message longer than limits.record")
    text = b"".join(chunks)
    check_lines(text, line_end(text))
    return messages.read(text)
