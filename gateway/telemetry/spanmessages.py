"""What the gateway and the process that exports its spans say to each other (MessagePack).

gateway  ──▶ Setup           once
gateway  ──▶ [Exchange, …]   one batch after the other
exporter ──▶ Exported        for each of them
"""

import msgspec

Attributes = dict[str, str | int]


class Setup(msgspec.Struct, array_like=True, frozen=True):
    """`instance` and `version` name this gateway, `timeout` is seconds for one batch."""

    instance: str
    version: str
    timeout: float


class Step(msgspec.Struct, array_like=True, frozen=True):
    """One step: when it began and ended, in nanoseconds since the epoch."""

    name: str
    start: int
    end: int
    attributes: Attributes
    error: bool = False


class Exchange(msgspec.Struct, array_like=True, frozen=True):
    """One exchange's server span, and the steps under it. `parent_id` is empty at a root."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start: int
    end: int
    attributes: Attributes
    error: bool
    steps: list[Step]

    @property
    def spans(self) -> int:
        return 1 + len(self.steps)


class Exported(msgspec.Struct, array_like=True, frozen=True):
    """Whether the collector took a batch, and else the status it answered (0: it answered none)."""

    taken: bool
    status: int = 0


encode = msgspec.msgpack.Encoder().encode
read_setup = msgspec.msgpack.Decoder(Setup).decode
read_batch = msgspec.msgpack.Decoder(list[Exchange]).decode
read_exported = msgspec.msgpack.Decoder(Exported).decode
