"""No policy goes live unproven: candidate → loaded → proven → active, while questions are answered.

    source ─▶ candidate ─▶ an engine of its own ─▶ probes ─▶ takes the place of the active one
                   │                 │                │
                   └──── rejected: the active one stays, with a reason, a count and a log line

The change is one assignment: a question is answered by the engine that was active when it was
asked, and carries its revision. That engine stops when it has answered what it was asked. One
candidate at a time, so that however fast bundles come, there are at most two engines.

A policy that its source has not confirmed for `delivery.max_age` stops counting: every question is
refused until the source is heard again.
"""

import asyncio
import time
from collections import Counter

from gateway.errors import Code, Unavailable, place
from gateway.log import Log
from gateway.policy.bundle import Bundle, BundleError
from gateway.policy.bundles.source import Source
from gateway.policy.decisions import PolicyDecisions
from gateway.policy.embedded import EmbeddedEngine
from gateway.policy.engine import EngineFacts, EngineKind, Evaluation, Stage
from gateway.policy.probes import Plan
from gateway.policy.proof import Unproven, prove
from gateway.policy.settings import PolicySettings

_PAUSE = 1.0
"""Seconds between two candidates, at the least: a flood of bundles must not starve the exports."""

_AGAIN, _SELDOM = 60.0, 3600.0
"""Seconds until a rejected candidate is looked at again, since the machine may just have been busy;
each time twice as long, since a policy that runs away makes it so."""

_DRAINED = 0.02
"""Seconds between two looks whether an engine has answered everything it was asked."""

_LOG = Log(__name__)


class Activation:
    """An `Engine`: the active one of a row of embedded engines."""

    def __init__(self, settings: PolicySettings, source: Source, plan: Plan) -> None:
        self._settings, self._source, self._plan = settings, source, plan
        self._active: EmbeddedEngine | None = None
        self._retiring: EmbeddedEngine | None = None
        self._bundle: Bundle | None = None
        self._following: asyncio.Task[None] | None = None
        self._coming: asyncio.Task[Bundle] | None = None
        self._restarts = self._activations = 0
        self._rejections: Counter[Stage] = Counter()
        self._rejected: Bundle | None = None
        self._looks = 0
        self._reason = ""
        self._activated_at: float | None = None

    async def start(self) -> None:
        """Activate the first candidate, then follow the source.

        Raises BundleError where it can't be activated, unless it comes from a bundle server: then
        every question is refused until a good one comes.
        """
        try:
            await self._first()
        except BundleError:
            if not isinstance(self._settings.bundle, str):
                await self.stop()
                raise
        except BaseException:
            await self.stop()
            raise
        self._following = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        for task in (self._following, self._coming):
            if task:
                task.cancel()
                await asyncio.wait({task})
        self._following = self._coming = None
        engine, self._active = self._active, None
        if engine:
            await engine.stop()
        await self._source.stop()

    async def evaluate(self, question: bytes) -> Evaluation:
        engine = self._active
        if engine is None:
            raise Unavailable(Code.POLICY_UNAVAILABLE, "no policy is active")
        if self._stale():
            raise Unavailable(Code.POLICY_UNAVAILABLE, "policy.delivery.max_age passed")
        return await engine.evaluate(question)

    async def ready(self) -> bool:
        return self.facts().ready

    def facts(self) -> EngineFacts:
        engine = self._active.facts() if self._active else None
        fault = self._fault(engine)
        both = [each.facts() for each in (self._active, self._retiring) if each]
        return EngineFacts(
            kind=EngineKind.EMBEDDED,
            revision=engine.revision if engine else "",
            ready=not fault,
            restarts=self._restarts + sum(each.restarts for each in both),
            waiting=sum(each.waiting for each in both),
            activations=self._activations,
            rejections=dict(self._rejections),
            activated_at=self._activated_at,
            age=self._source.age if engine else None,
            max_age=self._settings.delivery.max_age,
            pids=tuple(pid for each in both for pid in each.pids),
            fault=fault,
        )

    def pids(self) -> tuple[int, ...]:
        """The process ids of the active engine's workers."""
        return self._active.pids() if self._active else ()

    def _fault(self, engine: EngineFacts | None) -> str:
        if engine is None:
            return f"no policy is active: {self._reason or 'the first one is still coming'}"
        if self._stale():
            return "its source has not confirmed the policy for policy.delivery.max_age"
        return "" if engine.ready else "no Rego worker is ready"

    def _stale(self) -> bool:
        return self._source.age > self._settings.delivery.max_age

    # --- candidates -----------------------------------------------------------------------------

    async def _first(self) -> None:
        try:
            candidate = await self._source.start()
        except BundleError as fault:
            self._reject(Stage.SOURCE, str(fault))
            raise
        try:
            await self._consider(candidate)
        except BundleError:
            if candidate.stale:
                raise
            try:
                good = await self._source.last_good()
            except BundleError:
                good = None
            if good is None:
                raise
            await self._consider(good)

    async def _follow(self) -> None:
        while True:
            try:
                candidate = await self._next()
                if candidate is not None:
                    await self._consider(candidate)
            except BundleError:
                pass  # told where it happened; the active policy stays
            except Exception as error:  # noqa: BLE001 - whatever it is, the active policy stays
                self._reject(Stage.LOAD, place(error))
            await asyncio.sleep(_PAUSE)

    async def _next(self) -> Bundle | None:
        """The source's next candidate, or the rejected one again when nothing else comes.

        The source is left to its looking meanwhile: begun again each time, it may never be done.
        """
        if self._coming is None:
            self._coming = asyncio.create_task(self._source.next())
        again = min(_AGAIN * 2.0 ** min(self._looks, 20), _SELDOM) if self._rejected else None
        if not (await asyncio.wait({self._coming}, timeout=again))[0]:
            self._looks += 1
            return self._rejected
        coming, self._coming, self._looks = self._coming, None, 0
        try:
            return coming.result()
        except BundleError as fault:
            self._rejected = None
            self._reject(Stage.SOURCE, str(fault))
            raise

    async def _consider(self, candidate: Bundle) -> None:
        """Activate a candidate. Raises BundleError where it must not be, which is told already."""
        if self._bundle is not None and candidate.digest == self._bundle.digest:
            self._rejected, self._bundle = None, candidate
            self._source.activated(candidate)  # back to what is active: nothing to change
            return
        self._rejected = candidate
        engine = EmbeddedEngine(self._settings, candidate)
        try:
            await engine.start()
        except BundleError as fault:
            self._reject(Stage.LOAD, str(fault), candidate.revision)
            raise
        try:
            await prove(self._plan, PolicyDecisions(engine).decide)
        except Unproven as fault:
            await engine.stop()
            self._reject(Stage.PROOF, str(fault), candidate.revision)
            raise BundleError(candidate.origin, f"unproven: {fault}") from None
        except BaseException:
            await engine.stop()
            raise
        before, self._active, self._retiring = self._active, engine, self._active
        self._activated(candidate)
        if before:
            await self._retire(before)

    def _activated(self, candidate: Bundle) -> None:
        self._source.activated(candidate)
        self._bundle, self._rejected, self._reason = candidate, None, ""
        self._activations += 1
        self._activated_at = time.time()
        revision, stale = candidate.revision, candidate.stale
        _LOG.info("policy activated", revision=revision, origin=candidate.origin, stale=stale)

    def _reject(self, stage: Stage, reason: str, revision: str = "") -> None:
        """Count and tell, once for each reason."""
        told = f"{revision} {reason}"
        if told == self._reason:
            return
        self._reason = told
        self._rejections[stage] += 1
        active = self._bundle.revision if self._bundle else None
        _LOG.error("policy rejected", stage=stage, reason=reason, revision=revision, active=active)

    async def _retire(self, engine: EmbeddedEngine) -> None:
        """Stop an engine that nobody asks any more, once it has answered. Each question has its
        deadline, so that this ends."""
        try:
            while engine.facts().waiting:  # noqa: ASYNC110 - a pool tells nobody when it is idle
                await asyncio.sleep(_DRAINED)
        finally:
            self._restarts += engine.facts().restarts
            self._retiring = None
            await engine.stop()
