"""The lines of a log → what a policy can be asked again.

Reads in constant memory, and holds every line against the chain a second time: what is replayed
is what was verified.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from gateway.decisionlog import chain
from gateway.decisionlog.chain import GENESIS, MAX_LINE
from gateway.decisionlog.entry import Stage
from gateway.decisionlog.verify import Verification
from gateway.model import Effect, Phase
from gateway.policy.contract import SCHEMA
from gateway.workbench.unusable import Unusable

_TWINS = 65_536
"""How many decision ids are remembered: an entry's second one is never far behind it."""


class Unreplayable(StrEnum):
    """Why an entry's question can't be asked again."""

    NEVER_ASKED = "never_asked"
    REQUEST_PHASE = "request_phase"
    NO_DECISION = "no_decision"
    OLD_SHAPE = "old_shape"
    TRUNCATED = "truncated"
    OTHER_KEY = "other_key"
    UNREADABLE = "unreadable"
    MORE_THAN_EQUALITY = "more_than_equality"

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    Unreplayable.NEVER_ASKED: "refused before the policy could be asked about a response",
    Unreplayable.REQUEST_PHASE: "blocked in the request phase: nobody knows what would have come",
    Unreplayable.NO_DECISION: "the policy gave no valid answer: nothing to compare with",
    Unreplayable.OLD_SHAPE: "written before the log held whole questions",
    Unreplayable.TRUNCATED: "too long to be logged whole",
    Unreplayable.OTHER_KEY: "its pseudonyms were made with another key",
    Unreplayable.UNREADABLE: "not an entry that this version can read",
    Unreplayable.MORE_THAN_EQUALITY: "the policy looks at more than whether values are equal",
}


_Count = Annotated[int, msgspec.Meta(ge=0)]


class Recorded(msgspec.Struct):
    """The `result` of an entry."""

    effect: Effect
    unattributed: Literal["release", "withhold"]
    withhold: list[str]
    mask: list[str]
    reasons: list[str]


class Listed(msgspec.Struct):
    """A subject of an entry; the question names it at the same place."""

    records: _Count
    categories: list[str]
    permitted: bool


_ABSENT = msgspec.Raw(b"")


class _Line(msgspec.Struct):
    decision_id: str
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    pseudonym_key: str
    endpoint: str | None = None
    path: str | None = None
    stage: str = ""
    part: int = 0
    probe: bool = False
    unrecorded: _Count | None = None
    truncated: bool = False
    subjects: list[Listed] | None = None
    input: msgspec.Raw = _ABSENT
    result: Recorded | None = None


class _Owned(msgspec.Struct):
    """A kind in disguise would be no text."""

    kind: Annotated[str, msgspec.Meta(pattern=r"^(?![np]1:)")]
    value: Annotated[str, msgspec.Meta(pattern=r"^[np]1:[0-9a-f]{32}\Z")]


class _Orphans(msgspec.Struct):
    records: _Count
    categories: list[str]


class _Payload(msgspec.Struct):
    unattributed: _Orphans
    subjects: list[_Owned] = []  # not there before the log held whole questions


class _Asked(msgspec.Struct):
    """What we must know of a question; the policy sees all of it."""

    schema: str = ""
    phase: str = ""
    payload: _Payload | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """An entry that can be replayed. `question` is JSON, with pseudonyms in it; `recorded` is None
    where the answer wasn't a valid one."""

    decision_id: str
    endpoint: str
    question: bytes
    subjects: list[Listed]
    orphans: int
    orphan_categories: list[str]
    recorded: Recorded | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries: from `since` up to `until`, and no more than `limit` exchanges."""

    since: datetime | None = None
    until: datetime | None = None
    limit: int | None = None

    def takes(self, at: datetime) -> bool:
        return not (self.since and at < self.since) and not (self.until and at >= self.until)


@dataclass(frozen=True, slots=True)
class Step:
    """What one line of the log came to; `size` is its length in bytes. A line that is no exchange
    (the self-proof's, one outside the selection, a repeated one) has neither."""

    size: int
    exchange: Exchange | None = None
    unreplayable: Unreplayable | None = None
    missing: int = 0


_DECODER = msgspec.json.Decoder(_Line)
_ASKED = msgspec.json.Decoder(_Asked)


def read(
    path: Path, verified: Verification, key_id: str, selection: Selection, *, recorded: bool
) -> Iterator[Step]:
    """A step for each of the entries that were verified, as long as the selection wants more.

    `recorded` says that there must be a recorded decision to compare with. Raises Unusable if the
    file changed since it was verified, and OSError.
    """
    head, taken = GENESIS, 0
    twins: OrderedDict[str, None] = OrderedDict()
    with path.open("rb") as file:
        while head.seq < verified.entries:
            line = file.readline(MAX_LINE + 1)
            link = chain.read(line)
            if link is None or not link.follows(head):
                raise Unusable(f"{path}: entry {head.seq + 1} changed while the log was read")
            head = link.head
            step = _step(line, key_id, selection, twins, recorded=recorded)
            yield step
            taken += step.exchange is not None
            if taken == selection.limit:
                return
    if head != verified.head:
        raise Unusable(f"{path}: entry {head.seq} changed while the log was read")


def _step(
    line: bytes,
    key_id: str,
    selection: Selection,
    twins: OrderedDict[str, None],
    *,
    recorded: bool,
) -> Step:
    size = len(line)
    try:
        entry = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Step(size, unreplayable=Unreplayable.UNREADABLE)
    if not selection.takes(entry.timestamp) or entry.probe:
        return Step(size)
    if entry.unrecorded is not None:
        return Step(size, missing=entry.unrecorded)
    if entry.stage == Stage.END:
        return Step(size)  # what a stream asked is in its entries before
    twin = f"{entry.decision_id} {entry.part}"
    if twin in twins:
        return Step(size)
    twins[twin] = None
    if len(twins) > _TWINS:
        twins.popitem(last=False)
    found = _exchange(entry, key_id, recorded=recorded)
    if isinstance(found, Unreplayable):
        return Step(size, unreplayable=found)
    return Step(size, found)


def _exchange(entry: _Line, key_id: str, *, recorded: bool) -> Exchange | Unreplayable:
    subjects = entry.subjects
    question = bytes(entry.input)
    if question in (b"", b"null") or entry.endpoint is None:
        return Unreplayable.NEVER_ASKED
    try:
        asked = _ASKED.decode(question)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Unreplayable.UNREADABLE
    payload = asked.payload
    if asked.schema != SCHEMA:
        return Unreplayable.OLD_SHAPE if payload or entry.path else Unreplayable.NEVER_ASKED
    if asked.phase != Phase.RESPONSE:
        return Unreplayable.REQUEST_PHASE if entry.result else Unreplayable.NEVER_ASKED
    if payload is None or subjects is None or len(payload.subjects) != len(subjects):
        return Unreplayable.UNREADABLE
    if entry.truncated:
        return Unreplayable.TRUNCATED
    if entry.pseudonym_key != key_id:
        return Unreplayable.OTHER_KEY
    if recorded and entry.result is None:
        return Unreplayable.NO_DECISION
    return Exchange(
        decision_id=entry.decision_id,
        endpoint=entry.endpoint,
        question=question,
        subjects=subjects,
        orphans=payload.unattributed.records,
        orphan_categories=payload.unattributed.categories,
        recorded=entry.result,
    )
