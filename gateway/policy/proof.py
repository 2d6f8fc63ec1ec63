"""Plays the probes against a policy, whichever engine runs it."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import islice

from gateway.errors import Code, Refusal
from gateway.model import Decision
from gateway.policy.contract import Question
from gateway.policy.probes import Plan, Probe, flaw, probes

_TOGETHER = 32
"""Probes in flight: enough to keep an engine busy, few enough to leave it to others."""

_ATTEMPTS = 3
_PASSING = frozenset({Code.POLICY_TIMEOUT, Code.POLICY_UNAVAILABLE, Code.OVERLOADED})
"""Failures that may be about a busy machine and not about the policy: asked again, a few times."""

Ask = Callable[[Question], Awaitable[Decision]]


class Unproven(Exception):
    """Why a policy must not go live: one sentence, without data.

    `conclusive` where the policy itself answered wrongly; else it could not be asked.
    """

    def __init__(self, reason: str, *, conclusive: bool) -> None:
        super().__init__(reason)
        self.conclusive = conclusive


async def prove(plan: Plan, ask: Ask) -> frozenset[str]:
    """Ask every probe. Returns the revisions that answered; raises Unproven at the first flaw."""
    every = probes(plan, secrets.token_hex(8), datetime.now(UTC))
    revisions: set[str] = set()
    while together := list(islice(every, _TOGETHER)):
        async with asyncio.TaskGroup() as group:
            plays = [group.create_task(_play(probe, ask)) for probe in together]
        for play in plays:
            match play.result():
                case Unproven() as fault:
                    raise fault
                case str() as revision:
                    revisions.add(revision)
    return frozenset(revisions)


async def _play(probe: Probe, ask: Ask) -> str | Unproven:
    """The revision that answered well, or what is wrong: a raise would hide the probes before."""
    for attempt in range(_ATTEMPTS):
        try:
            decision = await ask(probe.question)
        except Refusal as refusal:
            if refusal.code in _PASSING and attempt < _ATTEMPTS - 1:
                continue
            conclusive = refusal.code not in _PASSING
            note = f"{refusal.code}: {refusal.note}" if refusal.note else refusal.code
            return Unproven(f"{probe}: not answered, {note}", conclusive=conclusive)
        break
    fault = flaw(probe, decision)
    return Unproven(fault, conclusive=True) if fault else decision.revision
