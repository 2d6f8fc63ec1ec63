"""The embedded engine: regorus in worker processes that can be killed.

A rule that runs away costs its own question POLICY_TIMEOUT; the process is replaced, and the
questions behind it are asked again of the next one. An engine holds one bundle for its whole life;
`activation` puts another engine in its place.
"""

import re
from pathlib import Path

import msgspec

from gateway.deadlines import Deadlines
from gateway.errors import Code, Unavailable
from gateway.policy.bundle import Bundle, BundleError, load, shipped
from gateway.policy.engine import EngineFacts, EngineKind, Evaluation
from gateway.policy.faults import RegoFault
from gateway.policy.settings import PolicySettings
from gateway.workers.pool import WorkerFacts, WorkerPool
from gateway.workers.worker import WorkerDied, WorkerError, WorkerLate, WorkersBusy

_ENTRY = "gateway.policy.rego_worker:serve"
_DEPTH = 64
_REPORT_DEADLINE = 30.0
_PATIENCE = 5.0
"""Seconds that a question may wait behind others, beyond its own deadline."""

_PLACE = re.compile(r"[\w./-]{1,200}:\d{1,7}:\d{1,7}")

_REPORT = msgspec.json.Decoder(list[RegoFault])


class EmbeddedEngine:
    """An `Engine` of one bundle: the one given, or else the one that the settings name.

    `nice` lowers its processes' claim to a busy machine's cores (nice(2)).
    """

    def __init__(
        self, settings: PolicySettings, bundle: Bundle | None = None, *, nice: int = 0
    ) -> None:
        self._settings, self._bundle, self._nice = settings, bundle, nice
        self._pool: WorkerPool | None = None
        self._revision = ""
        self._in_patience = Deadlines(settings.deadline + _PATIENCE)

    async def start(self) -> None:
        """Load the bundle, start the workers, and have one report on it. Raises BundleError."""
        settings = self._settings
        bundle = self._bundle or load(
            settings.bundle or shipped(), settings.data, settings.delivery
        )
        pool = _pool(bundle, EngineKind.EMBEDDED, settings.workers, self._nice)
        try:
            await pool.start()
            faults = await _report(pool)
        except WorkerError:
            await pool.stop()
            raise _unbearable(bundle) from None
        except BaseException:
            await pool.stop()
            raise
        if faults:
            await pool.stop()
            raise _as_error(faults, bundle, settings.data)
        self._pool, self._revision = pool, bundle.revision

    async def stop(self) -> None:
        pool, self._pool = self._pool, None
        if pool:
            await pool.stop()

    async def evaluate(self, question: bytes) -> Evaluation:
        if self._pool is None:
            raise Unavailable(Code.POLICY_UNAVAILABLE, "the engine does not run")
        try:
            with self._in_patience():
                answer = await self._pool.call(question, deadline=self._settings.deadline)
        except WorkersBusy:
            raise Unavailable(Code.OVERLOADED, "too many questions are waiting") from None
        except WorkerLate:
            raise Unavailable(Code.POLICY_TIMEOUT, "policy.deadline passed") from None
        except WorkerDied:
            raise Unavailable(Code.POLICY_UNAVAILABLE, "the Rego worker ended") from None
        except TimeoutError:
            raise Unavailable(Code.POLICY_TIMEOUT, "waiting behind other questions") from None
        # The child reads hostile input: its answer is held against what it may say.
        match answer[:1]:
            case b"A":
                return Evaluation(answer[1:], self._revision)
            case b"U":
                return Evaluation(None, self._revision)
            case _:
                place = answer[1:].decode("ascii", "replace")
                where = f" at {place}" if _PLACE.fullmatch(place) else ""
                raise Unavailable(Code.POLICY_UNAVAILABLE, f"the evaluation fails{where}")

    async def ready(self) -> bool:
        return self.facts().ready

    def facts(self) -> EngineFacts:
        pool = self._pool.facts() if self._pool else WorkerFacts(ready=0, restarts=0, jobs=0)
        return EngineFacts(
            kind=EngineKind.EMBEDDED,
            revision=self._revision,
            ready=pool.ready > 0,
            restarts=pool.restarts,
            waiting=pool.jobs,
            pids=self.pids(),
        )

    def pids(self) -> tuple[int, ...]:
        """The process ids of the workers that run now."""
        return self._pool.pids() if self._pool else ()


async def compile_faults(bundle: Bundle, kind: EngineKind) -> list[RegoFault]:
    """Everything that keeps a bundle from running on an engine, found in a process of its own.

    Raises BundleError where regorus does not survive the bundle.
    """
    pool = _pool(bundle, kind, 1, 0)
    try:
        await pool.start()
        return await _report(pool)
    except WorkerError:
        raise _unbearable(bundle) from None
    finally:
        await pool.stop()


def _pool(bundle: Bundle, kind: EngineKind, size: int, nice: int) -> WorkerPool:
    setup = {
        "modules": bundle.modules,
        "data": msgspec.json.encode(bundle.data),
        "schema": bundle.deployment_schema,
        "engine": kind,
    }
    packed = msgspec.msgpack.encode(setup)
    return WorkerPool(entry=_ENTRY, size=size, setup=packed, depth=_DEPTH, nice=nice)


async def _report(pool: WorkerPool) -> list[RegoFault]:
    report = await pool.call(b"", deadline=_REPORT_DEADLINE)
    return _REPORT.decode(report.removeprefix(b"R"))


def _unbearable(bundle: Bundle) -> BundleError:
    message = "regorus does not survive loading it, or takes more than a minute: a rule runs away?"
    return BundleError(bundle.origin, message)


def _as_error(faults: list[RegoFault], bundle: Bundle, data: Path | None) -> BundleError:
    """The first fault, and how many more there are."""
    fault, *others = faults
    where = bundle.file(fault.place) if fault.path else data or bundle.origin
    more = f" ({len(others)} more: privacy-gateway check names all)" if others else ""
    return BundleError(where, fault.message + more)
