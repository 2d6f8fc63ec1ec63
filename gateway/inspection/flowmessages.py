"""What the gateway and the process that reads a stream say to each other, in turns.

    gateway ──▶ TASK                  how to read, once for each body
    reader  ──▶ Wanting  ──▶ CHUNK    the next bytes of the body; none at its proven end
    reader  ──▶ Asked    ──▶ DECISION something new was seen: what is in force now?
    reader  ──▶ a piece  ──▶ TAKEN    bytes that may leave, and when they have left
    reader  ──▶ Ended or Refused      it waits for the next task
    gateway ──▶ STOP                  in the place of any answer, or of a task: give it up
    reader  ──▶ Ready

The reader says one thing and waits for what it is told, so that neither side ever holds more than
one chunk and one piece, and a slow caller slows the upstream down. What comes from the reader is
decoded with a type: it has read hostile input.
"""

import pickle
import struct
from enum import IntEnum

import msgspec

from gateway.errors import Code
from gateway.inspection.work import Task
from gateway.living import HEADER
from gateway.model import Counts, Decision, Inspection

_PIECE, _WORD = b"p", b"w"
_COUNTS = struct.Struct("!QQ")


class Kind(IntEnum):
    """What a frame of the gateway's holds (the byte of its header)."""

    TASK = 0
    CHUNK = 1
    DECISION = 2
    TAKEN = 3
    STOP = 4


class Ready(msgspec.Struct, tag="ready", frozen=True):
    """It was started, or stopped, and can be given a task."""


class Wanting(msgspec.Struct, tag="wanting", frozen=True):
    """It waits for the next bytes of the body."""


class Asked(msgspec.Struct, tag="asked", frozen=True):
    """What was seen so far, with something new in it, and where the records before it went."""

    inspection: Inspection
    counts: Counts


class Ended(msgspec.Struct, tag="ended", frozen=True):
    """The body was read to its end, and everything that may leave was handed on."""

    inspection: Inspection
    counts: Counts


class Refused(msgspec.Struct, tag="refused", frozen=True):
    code: Code
    note: str


class Piece(msgspec.Struct, frozen=True):
    """Bytes that may leave. `counts` is where the records went up to here, at most."""

    data: bytes
    counts: Counts


Word = Ready | Wanting | Asked | Ended | Refused
Told = Word | Piece

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Word).decode


def frame(kind: Kind, payload: bytes = b"") -> bytes:
    return HEADER.pack(len(payload), kind) + payload


def task_frame(task: Task, key: bytes | None) -> bytes:
    """`key` is that of pseudonyms."""
    return frame(Kind.TASK, pickle.dumps((task, key)))


def decision_frame(decision: Decision) -> bytes:
    return frame(Kind.DECISION, pickle.dumps(decision))


def word_frame(word: Word) -> bytes:
    payload = _WORD + _encode(word)
    return HEADER.pack(len(payload), 0) + payload


def piece_frame(data: bytes, counts: Counts) -> bytes:
    payload = b"".join((_PIECE, _COUNTS.pack(counts.seen, counts.released), data))
    return HEADER.pack(len(payload), 0) + payload


def read_told(payload: bytes) -> Told:
    """What a frame of the reader's says. Raises ValueError for what is none."""
    if payload[:1] == _PIECE and len(payload) > _COUNTS.size:
        seen, released = _COUNTS.unpack_from(payload, 1)
        counts = Counts(seen, released, seen - released)
        return Piece(payload[1 + _COUNTS.size :], counts)
    if payload[:1] == _WORD:
        try:
            word: Word = _decode(payload[1:])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ValueError("a word that is none") from None
        return word
    raise ValueError("neither a piece nor a word")


# What the reader reads comes from its own parent, over a socket pair that nobody else holds.


def read_task(payload: bytes) -> tuple[Task, bytes | None]:
    task: tuple[Task, bytes | None] = pickle.loads(payload)  # noqa: S301
    return task


def read_decision(payload: bytes) -> Decision:
    decision: Decision = pickle.loads(payload)  # noqa: S301
    return decision
