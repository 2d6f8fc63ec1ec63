"""What the main process and a serving one say to each other, in frames (`child`).

main    ──▶ Begin            once, with the descriptors of the ledger and of the data port
serving ──▶ Serving          or Unfit, why not
main    ──▶ Ask, Drain, Stop, Level, Linked (with the channel to the log's writer)
serving ──▶ State            for each Ask;  Unlinked  whenever it needs that channel
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.config import Config
from gateway.living import HEADER


class Begin(msgspec.Struct, tag="begin", frozen=True):
    """`setup` is a pickled `Setup`; `sockets` of the descriptors behind the ledger's listen."""

    setup: bytes
    sockets: int


class Linked(msgspec.Struct, tag="linked", frozen=True):
    """Here is a channel to the log's writer."""


class Ask(msgspec.Struct, tag="ask", frozen=True):
    """How do you do?"""

    number: int


class Drain(msgspec.Struct, tag="drain", frozen=True):
    """Close each connection with its next answer."""


class Stop(msgspec.Struct, tag="stop", frozen=True):
    """Accept nothing more, let exchanges end, then end."""


class Level(msgspec.Struct, tag="level", frozen=True):
    """A room's log level."""

    room: str
    level: str


class Serving(msgspec.Struct, tag="serving", frozen=True):
    """The start is over."""


class Unfit(msgspec.Struct, tag="unfit", frozen=True):
    """The start failed."""

    reason: str


class Unlinked(msgspec.Struct, tag="unlinked", frozen=True):
    """The channel to the log's writer ended, or there was none yet."""


class State(msgspec.Struct, tag="state", frozen=True):
    """The answer to Ask. `families` are as `telemetry.merging` tells them."""

    number: int
    checks: dict[str, bool]
    details: dict[str, Any]
    revision: str
    exchanges: int
    families: bytes


Order = Begin | Linked | Ask | Drain | Stop | Level
Report = Serving | Unfit | Unlinked | State


@dataclass(frozen=True, slots=True)
class Setup:
    """What a serving process is told at first. `config` is its portion, `place` its number in the
    ledger, from 0 on; `levels` are the rooms' log levels that are not as configured."""

    config: Config
    instance: str
    place: int
    processes: int
    levels: Mapping[str, str]


_encode = msgspec.msgpack.Encoder().encode
_order = msgspec.msgpack.Decoder(Order).decode
_report = msgspec.msgpack.Decoder(Report).decode


def frame(message: Order | Report) -> bytes:
    payload = _encode(message)
    return HEADER.pack(len(payload), 0) + payload


def begin(setup: Setup, sockets: int) -> Begin:
    return Begin(pickle.dumps(setup), sockets)


def read_setup(order: Begin) -> Setup:
    setup: Setup = pickle.loads(order.setup)  # noqa: S301 - from our own parent, over its socket
    return setup


def read_order(payload: bytes) -> Order:
    order: Order = _order(payload)
    return order


def read_report(payload: bytes) -> Report:
    """Raises msgspec.DecodeError: a serving process reads what strangers send."""
    report: Report = _report(payload)
    return report
