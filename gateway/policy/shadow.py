"""A second policy on live traffic: asked what the active one was asked, compared, never obeyed.

    outcome settled ─▶ offer ─▶ queue ─▶ an engine of its own ─▶ compare ─▶ listener
                       │        └ full: dropped, and counted
                       └ returns nothing, waits for nothing, raises nothing

The way of an answer holds no reference to what comes of it (`.importlinter` keeps it so). All of it
is bounded: comparisons that wait, groups of records that they hold, evaluations at a time, and the
time of each. Whatever goes wrong is counted as a failed comparison.

The bundle is read again when its source has another one. Where that can't be used there is no
shadow until one can: what is compared is what lies there, or nothing.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from gateway.errors import Code, Refusal, Unavailable, place
from gateway.log import Log
from gateway.model import Decision
from gateway.policy.bundle import Bundle, BundleError
from gateway.policy.comparison import Difference, compare
from gateway.policy.contract import Question, encode_question, read_answer
from gateway.policy.engine import Engine
from gateway.policy.settings import ShadowSettings

_LOG = Log(__name__)

_HELD = 50_000
"""Groups of records that waiting questions hold together, about 50 MB. A question that has more is
still taken where no other waits."""
_INLINE = 200
"""Groups of a question that is encoded and compared in the event loop; one with more would hold up
the exchanges there for milliseconds, and is handled in a thread."""
_GRACE = 1.0
"""Seconds beyond the deadline that the engine has to say that it passed."""
_PAUSE = 5.0
"""Seconds after a fault that nobody expects."""

_T = TypeVar("_T")


class Candidates(Protocol):
    """Where the shadow's bundles come from. (`policy.bundles.source`)"""

    async def start(self) -> Bundle: ...

    async def next(self) -> Bundle: ...

    async def stop(self) -> None: ...


class State(StrEnum):
    """Whether there is a shadow."""

    LOADING = "loading"
    READY = "ready"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class ShadowFacts:
    """For telemetry. `fault` is one line without data, empty unless BROKEN; `revision` is the one
    that is compared, empty unless READY; `waiting` are comparisons, `pids` its processes."""

    state: State
    revision: str = ""
    fault: str = ""
    waiting: int = 0
    restarts: int = 0
    pids: tuple[int, ...] = ()


class Listener(Protocol):
    """Hears what comes of it. (`telemetry.shadow`)"""

    def compared(
        self, question: Question, active: Decision, shadow: Decision, found: Difference | None
    ) -> None: ...

    def failed(self, question: Question, code: Code) -> None:
        """The shadow has no answer that the contract accepts; as the policy it would refuse."""
        ...

    def dropped(self, question: Question) -> None: ...

    def changed(self, facts: ShadowFacts) -> None:
        """There is another shadow, or none any more."""
        ...


class Shadow:
    """One shadow. `make` makes an engine of a candidate; the engine answers for its deadline."""

    def __init__(
        self,
        settings: ShadowSettings,
        candidates: Candidates,
        make: Callable[[Bundle], Engine],
        listener: Listener,
    ) -> None:
        self._settings, self._candidates = settings, candidates
        self._make, self._listener = make, listener
        self._queue: asyncio.Queue[tuple[Question, Decision, Context]] = asyncio.Queue(
            settings.queue
        )
        self._held = self._restarts = 0
        self._engine: Engine | None = None
        self._state, self._revision, self._fault = State.LOADING, "", ""
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to load the bundle and to compare. Nothing is awaited, and nothing is raised."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._keep_loaded())]
        self._tasks += [
            loop.create_task(self._keep_comparing()) for _ in range(self._settings.workers)
        ]

    async def stop(self) -> None:
        """Drop what waits, and end the engine."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._replace(None)
        await self._candidates.stop()

    def offer(self, question: Question, active: Decision) -> None:
        """Have the shadow asked, too, some time later. Never waits, never raises."""
        try:
            self._offer(question, active)
        except Exception as error:  # noqa: BLE001 - an exchange must not notice
            _LOG.warning("a comparison with the shadow failed", error=place(error))

    def facts(self) -> ShadowFacts:
        """What telemetry shows."""
        engine, waiting = self._engine.facts() if self._engine else None, self._queue.qsize()
        restarts, pids = (engine.restarts, engine.pids) if engine else (0, ())
        restarts += self._restarts
        return ShadowFacts(self._state, self._revision, self._fault, waiting, restarts, pids)

    def _offer(self, question: Question, active: Decision) -> None:
        weight = _weight(question)
        if self._engine is None:
            self._listener.failed(question, Code.POLICY_UNAVAILABLE)
        elif self._queue.full() or (self._held and self._held + weight > _HELD):
            self._listener.dropped(question)
        else:
            self._queue.put_nowait((question, active, copy_context()))
            self._held += weight

    # --- comparing ------------------------------------------------------------------------------

    async def _keep_comparing(self) -> None:
        while True:
            question, active, of_exchange = await self._queue.get()
            try:
                await self._compare(question, active, of_exchange)
            except Exception as error:  # noqa: BLE001 - the next one is compared all the same
                _LOG.warning("a comparison with the shadow failed", error=place(error))
            finally:
                self._held -= _weight(question)

    async def _compare(self, question: Question, active: Decision, of_exchange: Context) -> None:
        try:
            shadow = await self._decide(question)
            found = await _aside(question, lambda: compare(active, shadow, question.inspection))
        except TimeoutError:
            of_exchange.run(self._listener.failed, question, Code.POLICY_TIMEOUT)
        except Refusal as refusal:
            of_exchange.run(self._listener.failed, question, refusal.code)
        except Exception as error:  # noqa: BLE001 - a fault of ours is a failed comparison
            _LOG.warning("a comparison with the shadow failed", error=place(error))
            of_exchange.run(self._listener.failed, question, Code.INTERNAL_ERROR)
        else:
            of_exchange.run(self._listener.compared, question, active, shadow, found)

    async def _decide(self, question: Question) -> Decision:
        """As `decisions.PolicyDecisions` does. Raises Refusal or TimeoutError."""
        encoded = await _aside(question, lambda: encode_question(question))
        engine = self._engine
        if engine is None:
            raise Unavailable(Code.POLICY_UNAVAILABLE, "there is no shadow any more")
        async with asyncio.timeout(self._settings.deadline + _GRACE):
            answer = await engine.evaluate(encoded)
        return await _aside(question, lambda: read_answer(answer.raw, question, answer.revision))

    # --- loading --------------------------------------------------------------------------------

    async def _keep_loaded(self) -> None:
        """Have an engine of the newest candidate, or none."""
        following = self._candidates.start
        while True:
            try:
                bundle = await following()
                engine = self._make(bundle)
                await engine.start()
            except BundleError as error:
                await self._broken(str(error))
            except Exception as error:  # noqa: BLE001 - a shadow stops nothing
                await self._broken(place(error))
                await asyncio.sleep(_PAUSE)
            else:
                await self._replace(engine)
                self._state, self._revision, self._fault = State.READY, bundle.revision, ""
                self._listener.changed(self.facts())
            following = self._candidates.next

    async def _broken(self, fault: str) -> None:
        is_new = (self._state, self._fault) != (State.BROKEN, fault)
        self._state, self._revision, self._fault = State.BROKEN, "", fault
        await self._replace(None)
        if is_new:
            self._listener.changed(self.facts())

    async def _replace(self, engine: Engine | None) -> None:
        before, self._engine = self._engine, engine
        try:
            if before:
                self._restarts += before.facts().restarts
                await before.stop()
        except Exception as error:  # noqa: BLE001 - it is not used any more, whatever it does
            _LOG.warning("an engine of the shadow did not stop", error=place(error))


def _weight(question: Question) -> int:
    return 1 + len(question.inspection.groups) if question.inspection else 1


async def _aside(question: Question, work: Callable[[], _T]) -> _T:
    """Where this work on a question doesn't hold up the event loop."""
    return work() if _weight(question) <= _INLINE else await asyncio.to_thread(work)
