"""What the gateway and the process that writes its log say to each other.

    gateway ──▶ Setup            once
    writer  ──▶ Report           it is open, or why not
    gateway ──▶ ENTRY, REFUSAL, UNRECORDED, STOP      as many as there are, without waiting
    writer  ──▶ Report           once for each group

A frame is a length (4 bytes), a kind (1 byte) and the payload. Entries are counted, from 1, by both
sides: a `Report` settles every entry up to a number.
"""

import pickle
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

import msgspec

from gateway.decisionlog.entry import Evidence
from gateway.decisionlog.key import Key

HEADER = struct.Struct("!IB")
_REFUSAL = struct.Struct("!Q")
_COUNT = struct.Struct("!Q")


class Kind(IntEnum):
    """What a frame to the writer holds."""

    SETUP = 0
    ENTRY = 1  # evidence
    REFUSAL = 2  # the number of an entry that nobody waits for any more, and what to say instead
    UNRECORDED = 3  # how many entries never became durable, in all
    STOP = 4
    ODD_ENTRY = 5  # evidence that MessagePack can't hold
    ODD_REFUSAL = 6


@dataclass(frozen=True, slots=True)
class Setup:
    """`tick`: seconds between looks at an idle file, and between attempts to recover."""

    path: Path
    key: Key = field(repr=False)
    labels: dict[str, str]
    tick: float


@dataclass(frozen=True, slots=True)
class Report:
    """How the log stands. Entries up to `settled` are durable if `fault` is empty; else none is
    that no earlier report settled. `unfit` are those that could not be rendered."""

    settled: int
    fault: str
    entries: int
    size: int
    syncs: int
    last_sync: float
    unfit: tuple[int, ...] = ()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Evidence).decode
_report = msgspec.msgpack.Decoder(Report).decode


def frame(kind: Kind, payload: bytes) -> bytes:
    return HEADER.pack(len(payload), kind) + payload


def setup_frame(setup: Setup) -> bytes:
    return frame(Kind.SETUP, pickle.dumps(setup))


def entry_frame(evidence: Evidence) -> bytes:
    try:
        payload = _encode(evidence)
    except (TypeError, ValueError, OverflowError):  # a lone surrogate, an integer beyond 64 bits
        return frame(Kind.ODD_ENTRY, pickle.dumps(evidence))
    return HEADER.pack(len(payload), Kind.ENTRY) + payload


def refusal_frame(number: int, evidence: Evidence) -> bytes:
    """In the place of entry `number`, or after it where that is written already."""
    try:
        return frame(Kind.REFUSAL, _REFUSAL.pack(number) + _encode(evidence))
    except (TypeError, ValueError, OverflowError):
        return frame(Kind.ODD_REFUSAL, _REFUSAL.pack(number) + pickle.dumps(evidence))


def unrecorded_frame(total: int) -> bytes:
    return frame(Kind.UNRECORDED, _COUNT.pack(total))


# What the writer reads comes from its own parent, over a socket pair that nobody else holds.


def read_setup(payload: bytes) -> Setup:
    setup: Setup = pickle.loads(payload)  # noqa: S301
    return setup


def read_entry(kind: Kind, payload: bytes) -> Evidence:
    if kind is Kind.ENTRY:
        return _decode(payload)
    evidence: Evidence = pickle.loads(payload)  # noqa: S301
    return evidence


def read_refusal(kind: Kind, payload: bytes) -> tuple[int, Evidence]:
    (number,) = _REFUSAL.unpack_from(payload)
    rest = payload[_REFUSAL.size :]
    return number, read_entry(Kind.ENTRY if kind is Kind.REFUSAL else Kind.ODD_ENTRY, rest)


def read_unrecorded(payload: bytes) -> int:
    (total,) = _COUNT.unpack(payload)
    return int(total)


def report_frame(report: Report) -> bytes:
    return frame(Kind.SETUP, _encode(report))


def read_report(payload: bytes) -> Report:
    return _report(payload)
