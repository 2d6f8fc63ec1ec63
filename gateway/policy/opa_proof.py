"""OPA activates its bundles itself; no answer counts until its revision is proven.

    answer with revision R ─▶ R proven? ─▶ the answer counts
                                │ not yet: the probes are asked, once however many wait
                                └ no: refused, until OPA runs another revision

An OPA without revisions is proven again and again, and after it was out of reach: nothing says when
its policy changed.
"""

import asyncio
import secrets
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.errors import Code, Unavailable, place
from gateway.log import Log
from gateway.model import Decision
from gateway.policy.contract import Question, encode_question, read_answer
from gateway.policy.engine import EngineFacts, EngineKind, Evaluation, Stage
from gateway.policy.opa import UNVERSIONED, OpaEngine
from gateway.policy.opa_modules import module_fault
from gateway.policy.probes import Plan, probes
from gateway.policy.proof import Unproven, prove

_LOOK = 2.0
"""Seconds between two looks at the revision that OPA runs."""
_PERIOD, _PERIOD_UNVERSIONED = 300.0, 60.0
"""Seconds until what was proven, or refused, is proven again: data may change under a revision."""
_LAPSE = 60.0
"""Seconds beyond its period after which a verdict that could not be renewed stops counting: who
keeps the proof away is no better than who fails it."""
_RETRY = 1.0
"""Seconds after a proof without a verdict in which no export begins another one."""
_ROUNDS = 3
"""Attempts of one proof, where OPA changes its revision under it."""
_REMEMBERED = 16

_LOG = Log(__name__)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What the probes said of a revision, and when (monotonic seconds). No fault: proven."""

    fault: str | None
    at: float


class ProvenOpa:
    """An `Engine`: OPA, as far as it is proven."""

    def __init__(self, opa: OpaEngine, plan: Plan, deadline: float) -> None:
        self._opa, self._plan, self._deadline = opa, plan, deadline
        self._verdicts: dict[str, _Verdict] = {}
        self._current = ""
        self._proof: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._activations = 0
        self._rejections: Counter[Stage] = Counter()
        self._activated_at: float | None = None
        self._told = ""
        self._outages = 0
        self._failed_at = float("-inf")
        self._first = next(probes(plan, secrets.token_hex(16), datetime.now(UTC))).question

    async def start(self) -> None:
        """Starting it doesn't need OPA to be there: it becomes ready when OPA is, and is proven."""
        await self._opa.start()
        self._looking = asyncio.create_task(self._look())

    async def stop(self) -> None:
        for task in (self._looking, self._proof):
            if task:
                task.cancel()
                await asyncio.wait({task})
        self._looking = self._proof = None
        await self._opa.stop()

    async def evaluate(self, question: bytes) -> Evaluation:
        evaluation = await self._opa.evaluate(question)
        if self._opa.outages != self._outages:
            self._forget()
        verdict = self._verdict(evaluation.revision)
        if verdict is None:
            verdict = await self._waited(evaluation.revision)
        self._current = evaluation.revision
        if verdict.fault is not None:
            raise Unavailable(Code.POLICY_UNAVAILABLE, "OPA runs a policy that is not proven")
        return evaluation

    async def ready(self) -> bool:
        return await self._opa.ready() and self._counts()

    def facts(self) -> EngineFacts:
        fault = self._unready()
        return EngineFacts(
            kind=EngineKind.OPA,
            revision=self._current,
            ready=not fault,
            activations=self._activations,
            rejections=dict(self._rejections),
            activated_at=self._activated_at,
            fault=fault,
        )

    def _unready(self) -> str:
        if not self._opa.facts().ready:
            return "OPA can't be asked, or has not activated its bundles"
        verdict = self._verdict(self._current)
        if verdict is None:
            return "OPA's policy is not proven yet"
        return f"OPA's policy is not proven: {verdict.fault}" if verdict.fault else ""

    def _counts(self) -> bool:
        verdict = self._verdict(self._current)
        return verdict is not None and verdict.fault is None

    def _verdict(self, revision: str) -> _Verdict | None:
        """The verdict on a revision, as long as it counts."""
        verdict = self._verdicts.get(revision)
        if verdict and time.monotonic() - verdict.at > _period(revision) + _LAPSE:
            return None
        return verdict

    def _forget(self) -> None:
        """OPA was out of reach: it may come back with anything, and not every revision says so."""
        self._outages = self._opa.outages
        for revision in [each for each in self._verdicts if UNVERSIONED in each]:
            del self._verdicts[revision]

    # --- proving --------------------------------------------------------------------------------

    async def _waited(self, revision: str) -> _Verdict:
        """The verdict on a revision: of the proof under way, or of one begun now."""
        if time.monotonic() - self._failed_at < _RETRY:
            raise Unavailable(Code.POLICY_UNAVAILABLE, "OPA's policy could not be proven")
        try:
            async with asyncio.timeout(self._deadline):
                for _ in range(2):
                    await asyncio.shield(self._proving())
                    if verdict := self._verdict(revision):
                        return verdict
        except TimeoutError:
            note = "OPA's policy is still being proven"
            raise Unavailable(Code.POLICY_UNAVAILABLE, note) from None
        raise Unavailable(Code.POLICY_UNAVAILABLE, "OPA's policy could not be proven")

    def _proving(self) -> asyncio.Task[None]:
        if self._proof is None or self._proof.done():
            self._proof = asyncio.create_task(self._prove())
        return self._proof

    async def _prove(self) -> None:
        """Prove what OPA runs now. Without a verdict where OPA can't be asked."""
        heard = _Heard(self._opa)
        try:
            for _ in range(_ROUNDS):
                heard.revisions.clear()
                fault = await self._fault(heard)
                match list(heard.revisions):
                    case [revision]:  # else nobody knows whose fault it is, or whose merit
                        self._judge(revision, fault)
                        return
            self._fail("OPA changes its policy faster than it can be proven")
        except Unproven as fault:
            self._fail(str(fault))
        except Unavailable as refusal:
            self._fail(f"{refusal.code}: {refusal.note}")

    async def _fault(self, heard: "_Heard") -> str | None:
        """What is wrong with the policy, None if nothing is.

        Raises Unproven or Unavailable where OPA can't be asked.
        """
        try:
            await heard.ask(self._first)
            fault = await self._modules_fault()
            await heard.ask(self._first)  # between two answers of one revision, they were its own
            if fault is None:
                await prove(self._plan, heard.ask)
        except Unproven as unproven:
            if unproven.conclusive:
                return str(unproven)
            raise
        except Unavailable as refusal:
            if refusal.code in (Code.DECISION_INVALID, Code.POLICY_UNDEFINED):
                return f"no answer of the contract: {refusal.code}"
            raise
        return fault

    def _fail(self, reason: str) -> None:
        self._failed_at = time.monotonic()
        self._tell("could not be proven", reason)

    async def _modules_fault(self) -> str | None:
        """Raises Unproven where the modules can't be read: no probe sees what they send away."""
        try:
            return await asyncio.to_thread(module_fault, await self._opa.modules())
        except (Unavailable, ValueError) as error:
            note = error.note if isinstance(error, Unavailable) else "not what OPA answers"
            reason = f"what it calls is not known, GET /v1/policies: {note}"
            raise Unproven(reason, conclusive=False) from None

    def _judge(self, revision: str, fault: str | None) -> None:
        before = self._verdicts.pop(revision, None)
        self._verdicts[revision] = _Verdict(fault, time.monotonic())
        self._current = revision
        while len(self._verdicts) > _REMEMBERED:
            del self._verdicts[next(iter(self._verdicts))]
        if before is not None and before.fault == fault:
            return
        if fault is None:
            self._activations += 1
            self._activated_at, self._told = time.time(), ""
            _LOG.info("policy activated", revision=revision, origin="OPA")
        else:
            self._rejections[Stage.PROOF] += 1
            _LOG.error("policy rejected", stage=Stage.PROOF, reason=fault, revision=revision)

    def _tell(self, what: str, note: str) -> None:
        if self._told != f"{what} {note}":
            self._told = f"{what} {note}"
            _LOG.warning("proof of OPA's policy", result=what, reason=note)

    async def _look(self) -> None:
        """Prove a new revision before an export asks, and an old one again when its time comes."""
        question = encode_question(self._first)
        while True:
            try:
                revision = (await self._opa.evaluate(question)).revision
                if self._due(revision):
                    await asyncio.shield(self._proving())
                else:
                    self._current = revision
            except Unavailable as refusal:
                self._tell("not asked", f"{refusal.code}: {refusal.note}")
            except Exception as error:  # noqa: BLE001 - without a verdict, nothing is released
                self._tell("failed", place(error))
            await asyncio.sleep(_LOOK)

    def _due(self, revision: str) -> bool:
        if self._opa.outages != self._outages:
            self._forget()
        verdict = self._verdicts.get(revision)
        return verdict is None or time.monotonic() - verdict.at > _period(revision)


def _period(revision: str) -> float:
    return _PERIOD_UNVERSIONED if UNVERSIONED in revision else _PERIOD


class _Heard:
    """Asks OPA past the verdicts, and remembers the revisions that answered."""

    def __init__(self, opa: OpaEngine) -> None:
        self._opa = opa
        self.revisions: set[str] = set()

    async def ask(self, question: Question) -> Decision:
        evaluation = await self._opa.evaluate(encode_question(question))
        self.revisions.add(evaluation.revision)
        return read_answer(evaluation.raw, question, evaluation.revision)
