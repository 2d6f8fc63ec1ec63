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

_RETRIES = 6
_PASSING = frozenset({Code.POLICY_TIMEOUT, Code.POLICY_UNAVAILABLE, Code.OVERLOADED})
"""Failures that may be about a busy machine and not about the policy: asked again, but in all only
so often, since each may cost a deadline."""

Ask = Callable[[Question], Awaitable[Decision]]


class Unproven(Exception):
    """Why a policy must not go live: one sentence, without data.

    `conclusive` where the policy itself answered wrongly; else it could not be asked.
    """

    def __init__(self, reason: str, *, conclusive: bool) -> None:
        super().__init__(reason)
        self.conclusive = conclusive


async def prove(plan: Plan, ask: Ask) -> None:
    """Ask every probe. Raises Unproven at the first flaw."""
    every = probes(plan, secrets.token_hex(16), datetime.now(UTC))
    proof = _Proof(ask)
    while together := list(islice(every, _TOGETHER)):
        plays = [asyncio.create_task(proof.play(probe)) for probe in together]
        try:
            await asyncio.wait(plays, return_when=asyncio.FIRST_EXCEPTION)
            for play in plays:
                if play.done():
                    play.result()
        finally:
            for play in plays:
                play.cancel()
            await asyncio.gather(*plays, return_exceptions=True)


class _Proof:
    """One time through the probes."""

    def __init__(self, ask: Ask) -> None:
        self._ask, self._retries = ask, _RETRIES

    async def play(self, probe: Probe) -> None:
        """Returns where it is answered well. Raises Unproven."""
        while True:
            try:
                decision = await self._ask(probe.question)
            except Refusal as refusal:
                if refusal.code in _PASSING and self._retries:
                    self._retries -= 1
                    continue
                conclusive = refusal.code not in _PASSING
                note = f"{refusal.code}: {refusal.note}" if refusal.note else refusal.code
                raise Unproven(f"{probe}: not answered, {note}", conclusive=conclusive) from None
            if fault := flaw(probe, decision):
                raise Unproven(fault, conclusive=True)
            return
