"""Bodies for the readers of `gateway.inspection.formats`, and what they say about them."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.asking import Asking
from gateway.inspection.formats import FORMATS
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import Flow
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Counts, Decision, Effect, Mask, SubjectRef


@dataclass(frozen=True)
class Cut:
    """A source cut into chunks of `size` bytes."""

    body: bytes
    size: int = 1 << 18

    def chunks(self) -> Iterator[bytes]:
        for at in range(0, len(self.body), self.size):
            yield self.body[at : at + self.size]


@dataclass(frozen=True)
class Format:
    """A format's two functions, on bodies in memory. Whatever is rewritten is also released as it
    comes, in several cuts: the same must leave, or nothing whole."""

    module: ModuleType
    limits: Limits = field(default_factory=Limits)
    chunk: int = 1 << 18

    def inspect(self, body: bytes, spec: BodySpec) -> Tally:
        tally = Tally(self.limits)
        self.module.inspect(Cut(body, self.chunk), spec, self.limits, tally)
        return tally

    def owners(self, body: bytes, spec: BodySpec) -> dict[tuple[Any, ...], int]:
        """How many records have which owners, by their values."""
        counts = Counter[tuple[Any, ...]]()
        for group in self.inspect(body, spec).groups:
            counts[tuple(owner.value for owner in group.owners)] += group.records
        return dict(counts)

    def refusal(self, body: bytes, spec: BodySpec) -> Code:
        """The code that inspecting is refused with, and rewriting too."""
        with pytest.raises(BadUpstream) as inspecting:
            self.inspect(body, spec)
        with pytest.raises(BadUpstream) as rewriting:
            self.rewrite(body, spec, permit())
        assert inspecting.value.code is rewriting.value.code
        if streams(self.module, spec):
            for size in _SIZES:
                with pytest.raises(BadUpstream):
                    streamed(self.module, body, spec, self.limits, permit().decision, size)
        return inspecting.value.code

    def verdict(self, body: bytes, spec: BodySpec) -> str:
        """The code of the refusal, or `ok`."""
        try:
            self.inspect(body, spec)
        except BadUpstream as refusal:
            return str(refusal.code)
        return "ok"

    def rewrite(self, body: bytes, spec: BodySpec, verdict: Verdict) -> tuple[bytes, Counts]:
        sink = MemorySink()
        decision, key = verdict.decision, verdict.key
        try:
            counts = self.module.rewrite(Cut(body, self.chunk), spec, self.limits, verdict, sink)
        except BadUpstream:
            if streams(self.module, spec):
                with pytest.raises(BadUpstream):
                    streamed(self.module, body, spec, self.limits, decision, self.chunk, key)
            raise
        if streams(self.module, spec):
            for size in {*_SIZES, self.chunk}:
                as_it_comes = streamed(self.module, body, spec, self.limits, decision, size, key)
                assert as_it_comes == (sink.getvalue(), counts), f"in chunks of {size}"
        return sink.getvalue(), counts


_SIZES = (1, 7, 1 << 18)


def streams(module: ModuleType, spec: BodySpec) -> bool:
    """Whether a body can be released as it comes."""
    rows = (reader for reader in FORMATS.values() if reader.rewrite is module.rewrite)
    return any(reader.flows(spec) for reader in rows)


def streamed(
    module: ModuleType,
    body: bytes,
    spec: BodySpec,
    limits: Limits,
    decision: Decision,
    size: int,
    key: bytes | None = None,
) -> tuple[bytes, Counts]:
    """What leaves of a body that comes in chunks of `size` bytes. Nothing is permitted unless the
    format asks."""
    nobody = Decision(Effect.BLOCK, frozenset(), False, frozenset(), (), (), "")
    verdict = Verdict(nobody, key=key, inquiry=Asking(limits, lambda tally: decision))
    source = Flow(Cut(body, size).chunks(), (), limits, lambda head: None)
    sink = MemorySink()
    counts: Counts = module.rewrite(source, spec, limits, verdict, sink)
    assert counts == verdict.progress.counts
    return sink.getvalue(), counts


def permit(
    *permitted: SubjectRef,
    mask: tuple[str | Mask, ...] = (),
    unattributed: bool = False,
    key: bytes | None = None,
) -> Verdict:
    """A verdict that keeps the records of these subjects."""
    masked = masks(*mask)
    return Verdict(
        Decision(Effect.REDACT, frozenset(permitted), unattributed, frozenset(), masked, (), "r1"),
        key=key,
    )


def masks(*given: str | Mask) -> tuple[Mask, ...]:
    """Masks; those that are a path make null."""
    return tuple(each if isinstance(each, Mask) else Mask(each) for each in given)


def spaced(value: Any, seed: int) -> bytes:
    """`value` as JSON with white space wherever RFC 8259 allows it, escapes wherever it likes."""
    dice = random.Random(seed)

    def space() -> str:
        return "".join(dice.choices(" \t\n\r", k=dice.choice((0, 0, 0, 1, 3))))

    def write(value: Any) -> str:
        if isinstance(value, dict):
            members = (f"{space()}{write(k)}{space()}:{write(v)}" for k, v in value.items())
            return f"{space()}{{{','.join(members) or space()}}}{space()}"
        if isinstance(value, list):
            return f"{space()}[{','.join(map(write, value)) or space()}]{space()}"
        text = json.dumps(value, ensure_ascii=dice.random() < 0.5)
        return text if isinstance(value, str) else f"{space()}{text}{space()}"

    return write(value).encode()
