"""Bodies before anything is changed: what is to be tested, and that there is something to leak."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.config import Config
from gateway.inspection.settings import BodySpec
from gateway.model import Decision, Inspection
from gateway.policy.contract import Question
from gateway.workbench.desk import Desk, Trial
from gateway.workbench.mutate.bodies import Unit, dissect
from gateway.workbench.mutate.edits import Fixture
from gateway.workbench.samples import declared, plain_bytes, sample, whole
from gateway.workbench.unusable import Unusable

_MOST = 256 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be tested, and how much of it. Without `at`, it is now."""

    config: Config
    endpoint: str
    claims: Mapping[str, Any]
    files: tuple[Path, ...]
    bundle: Path | None = None
    limit: int = 200
    seed: int = 0
    at: datetime | None = None
    params: Mapping[str, str] = field(default_factory=dict)

    def trial(self, spec: BodySpec, data: bytes) -> Trial:
        """The exchange that a body is played in."""
        given = sample(data, spec.format, content_type=declared(spec))
        return Trial(self.endpoint, self.claims, given, params=self.params, at=self.at)


@dataclass(frozen=True, slots=True)
class Baseline:
    """A body before anything is changed. `left` are the units that leave, each with its number in
    the fixture, and masked as they leave."""

    fixture: Fixture
    left: tuple[tuple[int, Unit], ...]
    question: Question
    inspection: Inspection
    decision: Decision


async def baseline(desk: Desk, wanted: Wanted, file: Path) -> Baseline:
    """Play a body as it is. Raises Unusable where nothing of it leaves."""
    spec = desk.endpoint(wanted.endpoint).body
    data = plain_bytes(str(file), whole(file, _MOST), _MOST)
    verdict = await desk.judge(wanted.trial(spec, data))
    refusal, decision = verdict.refusal, verdict.decision
    if refusal is not None:
        reasons = f": {', '.join(decision.reasons)}" if decision and decision.reasons else ""
        note = f" ({refusal.note})" if refusal.note else ""
        raise Unusable(
            f"{file}: nothing of it leaves, so that nothing can leak: {refusal.code}{note}{reasons}"
        )
    assert verdict.question and verdict.inspection and decision
    body = dissect(data, spec)
    owned = body.owned()
    kept = [number for number, each in enumerate(owned) if each.leaves(decision)]
    left = dissect(verdict.released() or b"", spec).units()
    if not kept:
        raise Unusable(f"{file}: no record of it leaves, so that none can leak")
    if len(left) != len(kept):
        raise Unusable(f"{file}: what leaves of it can't be told by its records")
    return Baseline(
        Fixture(str(file), body, owned, frozenset(kept)),
        tuple(zip(kept, left, strict=True)),
        verdict.question,
        verdict.inspection,
        decision,
    )
