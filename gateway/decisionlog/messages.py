"""What the gateway and the process that writes its log say to each other.

    gateway ──▶ Setup            once
    writer  ──▶ Report           it is open, or why not
    gateway ──▶ ENTRY, REFUSAL, UNRECORDED, STOP      as many as there are, without waiting
    writer  ──▶ Report           once for each group

The byte of a frame (`child`) is its kind. Entries and refusals are counted, each from 1, by both
sides: a `Report` settles all up to a number. Where several processes serve, the main one sends a
JOIN for each, and what follows `Setup` is said on a channel of each one's own; STOP there ends that
channel alone.
"""

import pickle
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

import msgspec
from msgspec import structs

from gateway.decisionlog.anchor import Anchor
from gateway.decisionlog.entry import Evidence
from gateway.decisionlog.key import Key
from gateway.living import HEADER

_REFUSAL = struct.Struct("!Q")
_COUNT = struct.Struct("!Q")


class Kind(IntEnum):
    """What a frame holds."""

    SETUP = 0
    ENTRY = 1  # evidence
    REFUSAL = 2  # the number of an entry that nobody waits for any more, and what to say instead
    UNRECORDED = 3  # how many more entries never became durable
    STOP = 4
    ODD_ENTRY = 5  # evidence that MessagePack can't hold
    ODD_REFUSAL = 6
    REPORT = 7  # the only one that the writer sends
    JOIN = 8  # with the descriptor of a channel on which another process sends entries


@dataclass(frozen=True, slots=True)
class Setup:
    """`tick`: seconds between looks at an idle file, and between attempts to recover; `patience`:
    seconds to wait for another writer's lock. `reached` is how far an earlier writer of the same
    gateway came."""

    path: Path
    key: Key = field(repr=False)
    labels: dict[str, str]
    tick: float
    patience: float = 0.0
    reached: Anchor | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How the log stands. Entries up to `settled` are durable if `fault` is empty; else none is
    that no earlier report settled. `unfit` are those that could not be read or rendered.

    `refusals` and `confessed` count the refusals, and the entries that never became durable, of
    which the log tells. `reached` is its durable end, None while it can't be opened. `synced` are
    the seconds of each sync since the report before. `warnings` are for the gateway's own log:
    events and their values.
    """

    settled: int = 0
    fault: str = ""
    refusals: int = 0
    confessed: int = 0
    reached: Anchor | None = None
    syncs: int = 0
    synced: tuple[float, ...] = ()
    unfit: tuple[int, ...] = ()
    warnings: tuple[tuple[str, dict[str, str | int]], ...] = ()


_encode = msgspec.msgpack.Encoder().encode
_report = msgspec.msgpack.Decoder(Report).decode


def frame(kind: Kind, payload: bytes) -> bytes:
    return HEADER.pack(len(payload), kind) + payload


def setup_frame(setup: Setup) -> bytes:
    return frame(Kind.SETUP, pickle.dumps(setup))


def entry_frame(evidence: Evidence) -> bytes:
    """Raises an exception of any type for evidence that can't be told at all."""
    try:
        payload = _told(evidence)
    except (TypeError, ValueError, OverflowError):  # a lone surrogate, an integer beyond 64 bits
        return frame(Kind.ODD_ENTRY, pickle.dumps(evidence))
    return HEADER.pack(len(payload), Kind.ENTRY) + payload


class _Shared(IntEnum):
    """What evidence has in common with its question: that is told once."""

    NOTHING = 0
    CALLER = 1
    BOTH = 2  # the inspection, too


_decode = msgspec.msgpack.Decoder(tuple[Evidence, _Shared]).decode


def _told(evidence: Evidence) -> bytes:
    question = evidence.question
    if question is None or question.caller is not evidence.caller:
        return _encode((evidence, _Shared.NOTHING))
    if question.inspection is not evidence.inspection:
        return _encode((structs.replace(evidence, caller=None), _Shared.CALLER))
    return _encode((structs.replace(evidence, caller=None, inspection=None), _Shared.BOTH))


def _heard(payload: bytes) -> Evidence:
    evidence, shared = _decode(payload)
    question = evidence.question
    if question is None or shared is _Shared.NOTHING:
        return evidence
    inspection = question.inspection if shared is _Shared.BOTH else evidence.inspection
    return structs.replace(evidence, caller=question.caller, inspection=inspection)


def refusal_frame(number: int, evidence: Evidence) -> bytes:
    """In the place of entry `number`, or after it where that is written already; of none if it is
    0. Raises as `entry_frame` does, which is tried first."""
    try:
        return frame(Kind.REFUSAL, _REFUSAL.pack(number) + _told(evidence))
    except (TypeError, ValueError, OverflowError):
        return frame(Kind.ODD_REFUSAL, _REFUSAL.pack(number) + pickle.dumps(evidence))


def unrecorded_frame(entries: int) -> bytes:
    return frame(Kind.UNRECORDED, _COUNT.pack(entries))


# What the writer reads comes from its own parent, over a socket pair that nobody else holds.


def read_setup(payload: bytes) -> Setup:
    setup: Setup = pickle.loads(payload)  # noqa: S301
    return setup


def read_entry(kind: Kind, payload: bytes) -> Evidence | None:
    """None where it can't be read: one entry's bug must not end the writer."""
    try:
        if kind is Kind.ENTRY:
            return _heard(payload)
        evidence: Evidence = pickle.loads(payload)  # noqa: S301
        return evidence
    except Exception:  # noqa: BLE001 - a pickle may raise anything
        return None


def read_refusal(kind: Kind, payload: bytes) -> tuple[int, Evidence | None]:
    (number,) = _REFUSAL.unpack_from(payload)
    rest = payload[_REFUSAL.size :]
    return number, read_entry(Kind.ENTRY if kind is Kind.REFUSAL else Kind.ODD_ENTRY, rest)


def read_unrecorded(payload: bytes) -> int:
    (entries,) = _COUNT.unpack(payload)
    return int(entries)


def join_frame() -> bytes:
    return frame(Kind.JOIN, b"")


def report_frame(report: Report) -> bytes:
    return frame(Kind.REPORT, _encode(report))


def read_report(payload: bytes) -> Report:
    """Raises msgspec.DecodeError for what is none."""
    return _report(payload)
