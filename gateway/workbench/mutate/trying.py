"""Makes the mutants of some baselines, and finds out what becomes of each."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, assert_never

from gateway.errors import Refusal
from gateway.model import Decision
from gateway.policy.contract import Question
from gateway.policy.engine import EngineKind
from gateway.workbench.desk import Desk
from gateway.workbench.mutate import fates
from gateway.workbench.mutate.baselines import Baseline, Wanted
from gateway.workbench.mutate.bodies import dissect
from gateway.workbench.mutate.edits import edits
from gateway.workbench.mutate.fates import Fate, Verdict
from gateway.workbench.mutate.grants import Expired, expired
from gateway.workbench.mutate.mutants import Change, Edit
from gateway.workbench.mutate.standing import Asked, asked
from gateway.workbench.unusable import Unusable

_EXPIRIES = 50
"""Ends of grants that are tried at most: each needs two engines of its own."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change, and the baselines that it concerns."""

    baselines: tuple[Baseline, ...]
    made: Edit | Asked | Expired

    @property
    def change(self) -> Change:
        return self.made.change


class Tries:
    """`masks` are those that were seen in decisions. `deployment` is the deployment's data."""

    def __init__(
        self, desk: Desk, wanted: Wanted, baselines: Sequence[Baseline], deployment: Any
    ) -> None:
        self._desk, self._wanted, self._baselines = desk, wanted, tuple(baselines)
        self._deployment = deployment
        self._spec = desk.endpoint(wanted.endpoint).body
        self.masks = {mask.path for each in baselines for mask in each.decision.mask}

    def all(self) -> Iterator[Mutant]:
        """Every mutant; none is tried before it is asked for."""
        most = 2 * self._wanted.limit
        for baseline in self._baselines:
            for edit in edits(baseline.fixture, most, self._wanted.seed):
                yield Mutant((baseline,), edit)
            for each in asked(baseline.question, baseline.fixture.file):
                yield Mutant((baseline,), each)
        at = self._baselines[0].question.received_at
        for end in islice(expired(self._deployment, at), _EXPIRIES):
            yield Mutant(self._baselines, end)

    async def fate(self, mutant: Mutant) -> Verdict | None:
        """None where nothing rests on what was changed."""
        try:
            match mutant.made:
                case Edit() as edit:
                    return await self._of_edit(mutant.baselines[0], edit)
                case Asked() as each:
                    return await self._of_asked(mutant.baselines[0], each)
                case Expired() as end:
                    return await self._of_expired(mutant.baselines, end)
                case _:
                    assert_never(mutant.made)
        except _Unproven as failed:
            return failed.verdict

    async def _of_edit(self, baseline: Baseline, edit: Edit) -> Verdict:
        verdict = await self._desk.judge(self._wanted.trial(self._spec, edit.make()))
        if verdict.refusal is not None:
            return fates.of_refusal(verdict.refusal.code, verdict.refusal.note)
        if verdict.decision:
            self.masks.update(mask.path for mask in verdict.decision.mask)
        left = dissect(verdict.released() or b"", self._spec).units()
        expected = [unit for number, unit in baseline.left if number not in edit.gone]
        return fates.of_units(expected, left)

    async def _of_asked(self, baseline: Baseline, each: Asked) -> Verdict | None:
        return fates.of_decisions(
            baseline.inspection,
            baseline.decision,
            await _decision(self._desk, each.question),
            await _decision(self._desk, each.control) if each.control else None,
            other_reasons=each.reasons,
        )

    async def _of_expired(self, baselines: Sequence[Baseline], end: Expired) -> Verdict | None:
        """The worst of all baselines; one that doesn't rest on the grant has no say."""
        control = await self._decisions(baselines, end.control)
        after = await self._decisions(baselines, end.data)
        if control is None or after is None:
            return None
        told = [
            verdict
            for baseline, less, past in zip(baselines, control, after, strict=True)
            if (
                verdict := fates.of_decisions(
                    baseline.inspection, baseline.decision, past, less, other_reasons=False
                )
            )
        ]
        survived = [each for each in told if each.fate is Fate.SURVIVED]
        return next(iter(survived or told), None)

    async def _decisions(
        self, baselines: Sequence[Baseline], data: Mapping[str, Any]
    ) -> list[Decision | None] | None:
        """What is decided with other data in the deployment; None where it can't be used."""
        with tempfile.TemporaryDirectory(prefix="privacy-gateway-") as folder:
            overlay = Path(folder) / "deployment.json"
            overlay.write_text(json.dumps(data))
            config = self._desk.config
            policy = replace(config.policy, data=overlay, engine=EngineKind.EMBEDDED, opa=None)
            try:
                async with Desk(replace(config, policy=policy), self._wanted.bundle) as desk:
                    return [await _decision(desk, baseline.question) for baseline in baselines]
            except Unusable:
                return None


class _Unproven(Exception):
    """The policy could not be asked."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.by)
        self.verdict = verdict


async def _decision(desk: Desk, question: Question) -> Decision | None:
    """What the policy says; None where it says nothing that could be used. Raises _Unproven."""
    try:
        return await desk.decide(question)
    except Refusal as refusal:
        verdict = fates.of_refusal(refusal.code, refusal.note)
        if verdict.fate is Fate.UNPROVEN:
            raise _Unproven(verdict) from None
        return None
