"""Where an exchange stands in a distributed trace (W3C Trace Context, levels 1 and 2). Pure.

What a caller sends is read strictly and spelled anew. Two `traceparent`, one that is malformed, or
a `tracestate` that is, are as good as none: they are dropped, and never a reason to refuse. Baggage
is not read, and does not go on.
"""

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

from msgspec.structs import replace

from gateway.model import Admitted

STEPS = (
    "admission",
    "identity",
    "request_policy",
    "upstream",
    "inspection",
    "policy",
    "enforcement",
    "log",
)
"""The steps of `exchange.guard`, in order: the names of spans, of metrics and of timers."""

SAMPLED = 0x01
_KNOWN_FLAGS = 0x03
"""`sampled`, and level 2's `random-trace-id`."""

_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_LONGEST_PARENT = 256
_LONGEST_STATE, _MOST_STATES = 512, 32
_STATE = re.compile(
    rb"([a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    rb"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_IDS = 2**64 - 1

RawHeaders = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Parent:
    """What a caller says about the trace: ids in lower-case hex, never all zero."""

    trace_id: str
    span_id: str
    flags: int
    state: str = field(default="", repr=False)

    @property
    def sampled(self) -> bool:
        return bool(self.flags & SAMPLED)


@dataclass(frozen=True, slots=True)
class Trace:
    """One exchange's place: its trace, its own span and the one above it (empty at a root).

    `kept` says whether its spans are exported; `headers` are what the upstream is told.
    """

    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    kept: bool = False
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def carried_by(self, request: Admitted) -> Admitted:
        """The request for the upstream, with its place in the trace."""
        if not self.headers:
            return request
        return replace(request, headers=(*request.headers, *self.headers))


@dataclass(frozen=True, slots=True)
class Span:
    """An exchange's own span, where its trace is kept. `starts` are the moments at which its steps
    began, in seconds from the first of them."""

    span_id: str
    parent_id: str
    starts: Mapping[str, float]


CURRENT: ContextVar[tuple[str, Trace] | None] = ContextVar("exchange", default=None)
"""The exchange that this task works for: its id and its trace, for the lines of the log."""


class Untraced:
    """Makes no trace of its own, and hands on what a caller `trusted` with it sends."""

    def __init__(self, *, trusted: bool = True) -> None:
        self._trusted = trusted

    def begin(self, exchange_id: str, headers: RawHeaders) -> Trace:
        parent = read(headers) if self._trusted else None
        trace = _NOWHERE
        if parent:
            trace = Trace(headers=spelled(parent.trace_id, parent.span_id, parent))
        CURRENT.set((exchange_id, trace))
        return trace


_NOWHERE = Trace()
UNTRACED = Untraced()


def read(headers: RawHeaders) -> Parent | None:
    """The caller's place in a trace, if exactly one well-formed `traceparent` names it."""
    found = None
    for name, value in headers:
        if len(name) == 11 and name.lower() == b"traceparent":
            if found is not None:
                return None
            found = value
    if found is None or len(found) > _LONGEST_PARENT:
        return None
    match = _PARENT.fullmatch(found)
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == b"ff" or (version == b"00" and more is not None):
        return None
    if not trace_id.strip(b"0") or not span_id.strip(b"0"):
        return None
    known = int(flags, 16) & _KNOWN_FLAGS
    return Parent(trace_id.decode(), span_id.decode(), known, _state(headers))


def _state(headers: RawHeaders) -> str:
    """The `tracestate` lines as one, or an empty text where they are malformed or too long."""
    lines = [value for name, value in headers if name.lower() == b"tracestate"]
    if sum(map(len, lines)) > _LONGEST_STATE:
        return ""
    members = [member.strip(b" \t") for line in lines for member in line.split(b",")]
    members = [member for member in members if member]
    keys = {member.partition(b"=")[0] for member in members}
    if len(keys) != len(members) or len(members) > _MOST_STATES:
        return ""
    if not all(_STATE.fullmatch(member) for member in members):
        return ""
    return b",".join(members).decode("ascii")


def spelled(
    trace_id: str, span_id: str, parent: Parent | None, flags: int | None = None
) -> tuple[tuple[str, str], ...]:
    """The fields for the next in line; `flags` where they are not the caller's."""
    if flags is None:
        flags = parent.flags if parent else 0
    fields = (("traceparent", f"00-{trace_id}-{span_id}-{flags:02x}"),)
    return (*fields, ("tracestate", parent.state)) if parent and parent.state else fields


def step_id(span_id: str, step: str) -> str:
    """The id of a step's span: nothing has to be remembered, or to be asked of the system's
    generator. 64 random bits and a few more are as unique in their trace as those bits are."""
    return f"{(int(span_id, 16) + STEPS.index(step)) % _IDS + 1:016x}"
