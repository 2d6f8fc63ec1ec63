"""What a policy engine is: JSON question in, JSON answer out, with the revision that gave it.

An engine never judges an answer (`contract.read_answer` does), and never turns a failure into
one: whatever goes wrong is Unavailable, with POLICY_TIMEOUT where the deadline passed, OVERLOADED
where too many questions wait, POLICY_UNAVAILABLE for everything else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import msgspec

QUERY = "data.privacy.decision"
"""Constant: what a question holds never becomes part of a query (CVE-2025-46569)."""


class EngineKind(StrEnum):
    """What evaluates the Rego."""

    EMBEDDED = "embedded"  # regorus, in a worker process of ours
    OPA = "opa"  # a real OPA beside us; it loads its bundles itself


class Evaluation(msgspec.Struct, frozen=True):
    """One answer. `raw` is its JSON, None where the decision is undefined."""

    raw: bytes | None
    revision: str


class Stage(StrEnum):
    """How far a candidate came that was not activated."""

    SOURCE = "source"  # nothing usable came: unreachable, unsigned, malformed, older
    LOAD = "load"  # the engine can't run it, or its data doesn't match its schema
    PROOF = "proof"  # it released a planted stranger's record, or answered no answer


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What telemetry shows of an engine. `revision` is the one last seen, empty before.

    `activations` and `rejections` count candidates since the start; `activated_at` is in Unix
    seconds. `age` are the seconds since the source last confirmed what is active; None where there
    is no source of ours, or nothing active; at `max_age` it stops counting. `pids` are its
    processes. `fault` is one line without data, empty where it is ready.
    """

    kind: EngineKind
    revision: str
    ready: bool
    restarts: int = 0
    waiting: int = 0
    activations: int = 0
    rejections: Mapping[Stage, int] = field(default_factory=dict)
    activated_at: float | None = None
    age: float | None = None
    max_age: float | None = None
    pids: tuple[int, ...] = ()
    fault: str = ""


class Engine(Protocol):
    """Answers questions. `start` before, `stop` after."""

    async def start(self) -> None:
        """Raises BundleError where there is a bundle of ours that can't be used."""
        ...

    async def stop(self) -> None: ...

    async def evaluate(self, question: bytes) -> Evaluation:
        """Raises Unavailable."""
        ...

    async def ready(self) -> bool:
        """Whether questions can be answered now."""
        ...

    def facts(self) -> EngineFacts: ...
