"""SWIFT MT940: each message is one record, of the account in `:25:`. The messages are in `swift`.

A statement of several pages is as many messages, each with its account. An empty body has none. The
encoding is UTF-8, or what the configuration says: banks use ISO-8859-1 and windows-1252, too.

The locator is `:25:`, all of its line: what a bank puts in it (`bank code/account`, an IBAN with or
without a currency) is the identifier. A mask of `$['86']` takes these fields out, which may be
missing; any other field can neither be missing nor be empty.
"""

from collections.abc import Iterator

from gateway.errors import BadUpstream, Code
from gateway.inspection import charset, detection, locators, masking, swift
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Owners, Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Counts, SubjectRef
from gateway.response import Payload

MEDIA_TYPES = ("application/x-mt940", "text/x-mt940")
"""Nobody registered one."""

_OPTIONAL = frozenset({"86"})


def detect(payload: Payload, head: bytes, spec: BodySpec) -> None:
    """See `reader`."""
    detection.check_charset(payload, charset.settle(spec.encoding, head))
    if head and not head.startswith(swift.HEADS):
        raise detection.mismatch("the first bytes")


def locator(text: str) -> str:
    """The account's tag, which is all that names an owner. Raises LocatorError."""
    if text == ":25:" or (text.startswith("$") and locators.compile(text) == ("25",)):
        return "25"
    raise locators.LocatorError(f"{text!r}: the owner of a statement is its account, :25:")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count every message. Raises BadUpstream; see `swift.messages`."""
    _, messages = _open(source, spec, limits)
    for message in messages:
        tally.add(_owners(spec, message), Attribution.DIRECT, spec.category)
        tally.add_fields({field.tag for field in message.fields})


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write the messages that the verdict keeps, byte for byte but for masked fields."""
    masked = _masked(verdict)
    encoding, messages = _open(source, spec, limits)
    seen = released = 0
    for message in messages:
        seen += 1
        if verdict.keeps(_owners(spec, message), spec.category):
            released += 1
            kept = [b"" if field.tag in masked else field.text for field in message.fields]
            sink.write(encoding.encode(b"".join((message.begin, *kept, message.end))))
    return Counts(seen=seen, released=released, redacted=seen - released)


def _open(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits
) -> tuple[charset.Encoding, Iterator[swift.Message]]:
    encoding, text = charset.read_text(source.chunks(), spec.encoding)
    if encoding.mark:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a byte order mark, which hides the first field")
    return encoding, swift.messages(text, limits)


def _owners(spec: BodySpec | MemberSpec, message: swift.Message) -> Owners:
    kinds = dict.fromkeys(kind for owner in spec.subject for kind in owner)
    return tuple(SubjectRef(kind, message.account) for kind in kinds)


def _masked(verdict: Verdict) -> frozenset[str]:
    """The tags of the fields to take out."""
    try:
        steps = [locators.compile(mask) for mask in masking.erased(verdict.mask)]
    except locators.LocatorError:
        steps = [()]
    if not all(len(each) == 1 and each[0] in _OPTIONAL for each in steps):
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a mask that isn't $['86']")
    return frozenset(str(each[0]) for each in steps)
