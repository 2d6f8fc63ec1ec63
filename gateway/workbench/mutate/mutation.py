"""Mutation testing of a policy, on real bodies that it releases something of.

    baselines  each body must leave, whole or in part, or there is nothing to protect
    edits      one owner, manifest entry or member's name is changed; the exchange is played whole
    standing   one identifier, role, claim or actor is changed; the policy is asked again
    grants     one end of a grant is changed in the deployment's data; the policy is asked again

Deterministic: the same files, options and seed make the same mutants.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from gateway.policy.bundle import Bundle, load, shipped
from gateway.policy.bundles.documents import DEPLOYMENT, ROOT
from gateway.policy.engine import EngineKind
from gateway.workbench.desk import Desk
from gateway.workbench.mutate.baselines import Baseline, Wanted, baseline
from gateway.workbench.mutate.fates import Fate, Verdict
from gateway.workbench.mutate.mutants import Change, Kind, fair
from gateway.workbench.mutate.trying import Tries
from gateway.workbench.mutate.uncompared import Uncompared, known, uncompared
from gateway.workbench.unusable import Unusable

Progress = Callable[[int, int], None]
"""Told how many mutants are done, of how many."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A mutant, and what became of it."""

    change: Change
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found. `possible` are the mutants there would have been without a limit,
    `idle` are changes on which nothing rested, so that there was nothing to test."""

    baselines: tuple[Baseline, ...]
    outcomes: tuple[Outcome, ...]
    possible: int
    idle: tuple[Change, ...]
    uncompared: tuple[Uncompared, ...]
    notes: tuple[str, ...]

    def of(self, fate: Fate, kind: Kind | None = None) -> tuple[Outcome, ...]:
        """The outcomes of one fate, of one kind or of all."""
        return tuple(
            each
            for each in self.outcomes
            if each.verdict.fate is fate and kind in (None, each.change.kind)
        )

    @property
    def rests_not_on(self) -> tuple[str, ...]:
        """Parts of the caller of which no change made a difference."""
        counted = {each.change.where.locator for each in self.outcomes}
        idle = {each.where.locator for each in self.idle if each.where.file}
        return tuple(sorted(idle - counted))

    @property
    def well(self) -> bool:
        """Whether every mutant was killed."""
        return all(each.verdict.fate is Fate.KILLED for each in self.outcomes)


async def mutate(wanted: Wanted, progress: Progress = lambda _done, _all: None) -> Report:
    """Raises Unusable for an input that can't be used, and for a body of which nothing leaves."""
    if not wanted.files:
        raise Unusable("name at least one body")
    wanted = replace(wanted, at=wanted.at or datetime.now(UTC))
    async with Desk(wanted.config, wanted.bundle) as desk:
        baselines = [await baseline(desk, wanted, file) for file in wanted.files]
        policy = _policy(desk)
        tries = Tries(desk, wanted, baselines, _deployment(policy))
        chosen, possible = fair(tries.all(), lambda each: each.change, wanted.limit, wanted.seed)
        outcomes: list[Outcome] = []
        idle: list[Change] = []
        for number, each in enumerate(chosen):
            progress(number, len(chosen))
            verdict = await tries.fate(each)
            if verdict is None:
                idle.append(each.change)
            else:
                outcomes.append(Outcome(each.change, verdict))
        progress(len(chosen), len(chosen))
    if not outcomes:
        raise Unusable("nothing could be changed: no owner, manifest or identifier is made use of")
    texts = policy.modules.values() if policy else ()
    looked_at = known(texts, _deployment(policy), sorted(tries.masks))
    return Report(
        tuple(baselines),
        tuple(outcomes),
        possible,
        tuple(idle),
        uncompared([each.fixture.body for each in baselines], looked_at),
        tuple(_notes(baselines, policy)),
    )


def _policy(desk: Desk) -> Bundle | None:
    """The policy's text and data; None where OPA alone knows them."""
    settings = desk.policy
    if settings.engine is EngineKind.OPA:
        return None
    return load(settings.bundle or shipped(), settings.data, settings.delivery)


def _deployment(policy: Bundle | None) -> Any:
    within = policy.data.get(ROOT, {}) if policy else {}
    return within.get(DEPLOYMENT, {}) if isinstance(within, dict) else {}


def _notes(baselines: Sequence[Baseline], policy: Bundle | None) -> list[str]:
    notes = []
    if policy is None:
        notes.append(
            "OPA keeps the policy and its data to itself: no grant was made to expire, and only"
            " masks that were seen are known; with --bundle all of it is tested"
        )
    for each in baselines:
        kept, total = len(each.fixture.kept), len(each.fixture.owned)
        if kept < total:
            notes.append(f"{each.fixture.file}: {kept} of {total} records leave; only they change")
    return notes
