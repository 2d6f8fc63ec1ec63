"""Fixed-width text as a format of its own: one line, one record.

    0000A001  2024-05-01  12.50
    0000A001  2024-05-03   7.00

A locator is a range of columns, counted from 1: `1-8`. Printable ASCII only, each line as long as
the first and ended by LF, so that no two readers can take it for two things.
"""

import re
from collections.abc import Iterator

from gateway.errors import BadUpstream, Code
from gateway.inspection import detection
from gateway.inspection.formats import Reader
from gateway.inspection.locators import LocatorError, identifier
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Owners, Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Counts, SubjectRef
from gateway.response import Payload

_RANGE = re.compile(r"([1-9][0-9]{0,3})-([1-9][0-9]{0,3})")
_LINE = re.compile(rb"[ -~]+")


def columns(locator: str) -> slice:
    """The columns that a locator names. Raises LocatorError where it names none."""
    found = _RANGE.fullmatch(locator)
    if not found or int(found[1]) > int(found[2]):
        raise LocatorError(f"{locator!r}: columns are a range such as 1-8")
    return slice(int(found[1]) - 1, int(found[2]))


def detect(payload: Payload, head: bytes, _spec: BodySpec) -> None:
    detection.check_utf_8(payload, head)
    detection.check_no_other(head)


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    for line in _scan(source, limits):
        tally.add(_owners(line, spec), Attribution.DIRECT, spec.category)


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    if verdict.mask:
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a mask of fixed-width text")
    seen = released = 0
    for line in _scan(source, limits):
        seen += 1
        if verdict.keeps(_owners(line, spec), spec.category):
            released += 1
            sink.write(line + b"\n")
    return Counts(seen=seen, released=released, redacted=seen - released)


def _owners(line: bytes, spec: BodySpec | MemberSpec) -> Owners:
    """Whose a line is; nobody's where one of the configured ranges is blank."""
    owners: dict[SubjectRef, None] = {}
    for owner in spec.subject:
        for kind, locators in owner.items():
            values = {line[columns(locator)].decode().strip(" ") for locator in locators}
            if "" in values:
                return ()
            if len(values) > 1:
                raise BadUpstream(Code.BODY_AMBIGUOUS, f"the ranges of {kind} disagree")
            owners[SubjectRef(kind, identifier(values.pop(), locators[0]))] = None
    return tuple(owners)


def _scan(source: Source, limits: Limits) -> Iterator[bytes]:
    """Lines without their LF, each proven."""
    begun, width = b"", 0
    for chunk in source.chunks():
        *lines, begun = (begun + chunk).split(b"\n")
        if len(begun) > limits.record:
            raise BadUpstream(Code.BODY_TOO_LARGE, "a line longer than limits.record")
        for line in lines:
            width = width or len(line)
            if len(line) != width or not _LINE.fullmatch(line):
                raise BadUpstream(Code.BODY_MALFORMED, "a line that isn't like the first one")
            yield line
    if begun:
        raise BadUpstream(Code.BODY_INCOMPLETE, "the last line is not ended by LF")


READER = Reader(
    ("text/vnd.acme.fixed-width",),
    "txt",
    frozenset({"subject", "category"}),
    detect,
    inspect,
    rewrite,
    locator=columns,
)
