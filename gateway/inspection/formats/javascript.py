"""JSON in a JavaScript assignment, as in archives of Twitter: `window.YTD.tweets.part0 = [ … ]`.

What is assigned is read as JSON (see there); what stands around it stays. JavaScript reads one name
of an object in another way than JSON: `__proto__` sets what the object inherits from, so that a
reader finds members in it that are not there. It is refused, however it is spelled.

A page reads a script without a charset in its own, in which a backslash can be half a character
(GBK, Shift_JIS), so that a text ends where JSON goes on: a release always declares one.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import detection
from gateway.inspection.formats import json
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Counts
from gateway.response import Payload

MEDIA_TYPES = ("text/javascript", "application/javascript", "application/x-javascript")

_NAME = rb"[A-Za-z_$][A-Za-z0-9_$]{0,63}"
_BEFORE = re.compile(
    rb"(?:(?:var|let|const) )?%b(?:\.%b){0,7}[ \t\r\n]{0,8}=[ \t\r\n]{0,8}(?=[\[{])"
    % (_NAME, _NAME)
)
_LONGEST = 1024
_AFTER = re.compile(rb"[ \t\r\n]*;?[ \t\r\n]*")
_ENDING = b" \t\r\n;"
_MOST_ENDING = 64
_INHERITED = re.compile(
    b'"%b"' % b"".join(rb"(?:%c|(?i:\\u00%x))" % (letter, letter) for letter in b"__proto__")
)
_OVERLAP = 64
"""The name, and how long it is where each letter is an escape, at most."""


def detect(payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`."""
    detection.check_utf_8(payload, head)
    if not _BEFORE.match(head):
        raise detection.mismatch("the first bytes")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count the records of what is assigned; see `formats.json`.

    BODY_MALFORMED for anything but one assignment, BODY_AMBIGUOUS for `__proto__`.
    """
    json.inspect(_Assigned(source), spec, limits, tally)


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write the assignment with what the verdict keeps; see `formats.json`."""
    assigned = _Assigned(source)
    sink.write(assigned.read_before())
    counts = json.rewrite(assigned, spec, limits, verdict, sink)
    sink.write(assigned.after)
    return counts


def vouching(source: Source, spec: MemberSpec, limits: Limits) -> tuple[MemberSpec, Iterable[Any]]:
    """See `reader`."""
    return json.vouching(_Assigned(source), spec, limits)


@dataclass(slots=True)
class _Assigned:
    """The value alone, as a `Source`. `after` is what stands behind it, once that was read."""

    source: Source
    after: bytes = field(default=b"", init=False)

    def read_before(self) -> bytes:
        """What stands before the value. Raises BadUpstream(BODY_MALFORMED)."""
        head, _ = _headed(self.source.chunks())
        return head

    def chunks(self) -> Iterator[bytes]:
        chunks = self.source.chunks()
        _, rest = _headed(chunks)
        ending, seen = b"", b""
        while True:
            if rest:
                seen = seen[-_OVERLAP:] + rest
                if _INHERITED.search(seen):
                    raise BadUpstream(Code.BODY_AMBIGUOUS, "a name that JavaScript inherits from")
                value = (ending + rest).rstrip(_ENDING)
                ending = (ending + rest)[len(value) :]
                if len(ending) > _MOST_ENDING:
                    value, ending = value + ending[:-_MOST_ENDING], ending[-_MOST_ENDING:]
                if value:
                    yield value
            rest = next(chunks, b"")
            if not rest:
                break
        if not _AFTER.fullmatch(ending):
            raise BadUpstream(Code.BODY_MALFORMED, "something stands behind the assignment")
        self.after = ending


def _headed(chunks: Iterator[bytes]) -> tuple[bytes, bytes]:
    """What stands before the value, and the beginning of the value."""
    head = b""
    while True:
        if found := _BEFORE.match(head):
            return found[0], head[found.end() :]
        chunk = next(chunks, b"") if len(head) < _LONGEST else b""
        if not chunk:
            raise BadUpstream(Code.BODY_MALFORMED, "not one assignment of a JSON value")
        head += chunk
