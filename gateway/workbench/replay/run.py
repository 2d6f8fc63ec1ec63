"""A log, a key and one or two bundles → a plan."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gateway.decisionlog.file import anchor_path
from gateway.decisionlog.key import Key
from gateway.decisionlog.pseudonyms import Pseudonyms
from gateway.decisionlog.verify import Problem, Verification, verify
from gateway.policy.bundle import Bundle, BundleError, load, shipped
from gateway.workbench.replay.asking import Policy, Rules
from gateway.workbench.replay.disguises import Disguises
from gateway.workbench.replay.entries import Exchange, Selection, Step, Unreplayable, read
from gateway.workbench.replay.plan import Plan
from gateway.workbench.replay.verdicts import Verdict, as_logged, compare, recorded
from gateway.workbench.replay.vocabulary import readers, words
from gateway.workbench.unusable import Unusable

_AHEAD = 64
"""Exchanges that are being decided at once."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to replay, and against what. Without `against` the recorded decisions are compared."""

    log: Path
    key: Key
    candidate: Rules
    against: Rules | None = None
    anchor: Path | None = None
    selection: Selection = field(default_factory=Selection)


@dataclass(frozen=True, slots=True)
class Replay:
    """A plan, and what it rests on. `revision` and `against` are the bundles'; `readers` are the
    builtins that replay can't follow, with their places."""

    verified: Verification
    plan: Plan
    revision: str
    against: str | None
    readers: Mapping[str, tuple[str, ...]]


async def replay(request: Request, progress: Callable[[int], None] = lambda size: None) -> Replay:
    """Verify the log, then ask every question of a response again. Raises OSError, and Unusable
    where the log or a bundle can't be used, and where nothing could be replayed.

    `progress` hears the length in bytes of each line that is done.
    """
    verified = _verified(request)
    candidate, old = _loaded(request.candidate), request.against and _loaded(request.against)
    bundles = [each for each in (candidate, old) if each]
    names = Pseudonyms(request.key.pseudonym)
    disguises = Disguises(names, frozenset().union(*map(words, bundles)))
    plan = Plan()
    async with AsyncExitStack() as stack:
        new = await stack.enter_async_context(Policy(request.candidate, disguises))
        before = (
            await stack.enter_async_context(Policy(request.against, disguises))
            if request.against
            else None
        )
        steps = read(
            request.log, verified, request.key.id, request.selection, recorded=before is None
        )
        running: deque[_Running] = deque()
        try:
            for step in steps:
                exchange = step.exchange
                work = _decide(exchange, new, before, names) if exchange else None
                running.append(_Running(step, asyncio.create_task(work) if work else None))
                if len(running) >= _AHEAD:
                    await _count(plan, running.popleft(), progress)
            while running:
                await _count(plan, running.popleft(), progress)
        finally:
            for each in running:
                if each.task:
                    each.task.cancel()
    if not plan.unchanged and not plan.differences:
        left_out = "; ".join(f"{count:,} {each.meaning}" for each, count in plan.not_replayed)
        raise Unusable(f"{request.log}: nothing to replay: {left_out or 'no exchange in it'}")
    found: dict[str, tuple[str, ...]] = {}
    for name, places in (each for bundle in bundles for each in readers(bundle).items()):
        found[name] = tuple(dict.fromkeys(found.get(name, ()) + places))
    return Replay(verified, plan, candidate.revision, old.revision if old else None, found)


def _verified(request: Request) -> Verification:
    """The log's chain, and its end where there is an anchor. Raises Unusable where it is broken.

    A line that is being written, or that a crash left unfinished, is no reason: what stands
    before it is intact.
    """
    anchor, beside = request.anchor, anchor_path(request.log)
    if anchor is None and beside.is_file():
        anchor = beside
    verified = verify(request.log, anchor=anchor, key=request.key if anchor else None)
    if verified.problem not in (None, Problem.TORN):
        raise Unusable(f"{request.log}: {verified.message}: a changed log proves nothing")
    return verified


def _loaded(rules: Rules) -> Bundle:
    try:
        return load(rules.bundle or shipped(), rules.data)
    except BundleError as error:
        raise Unusable(str(error)) from None


@dataclass(frozen=True, slots=True)
class _Outcome:
    before: Verdict
    after: Verdict


class _Running(NamedTuple):
    """A line of the log; `task` decides its exchange again, if it is one."""

    step: Step
    task: asyncio.Task[_Outcome | None] | None


async def _decide(
    exchange: Exchange, new: Policy, old: Policy | None, names: Pseudonyms
) -> _Outcome | None:
    """None where a policy looks at more than equality."""
    after = await new.decide(exchange)
    before = recorded(exchange) if old is None else await old.decide(exchange)
    if after is None or before is None:
        return None
    return _Outcome(before, as_logged(after, before, names) if old is None else after)


async def _count(plan: Plan, done: _Running, progress: Callable[[int], None]) -> None:
    step = done.step
    plan.missing += step.missing
    if step.unreplayable:
        plan.leave_out(step.unreplayable)
    if step.exchange and done.task:
        outcome = await done.task
        if outcome is None:
            plan.leave_out(Unreplayable.MORE_THAN_EQUALITY)
        else:
            difference = compare(outcome.before, outcome.after, step.exchange)
            plan.count(step.exchange.decision_id, step.exchange.endpoint, difference)
    progress(step.size)
