"""Composition root: wires the rooms, starts them, and says how they are.

Start: what the data path needs, then the data server, then the self-proof; `/readyz` says at each
point what is missing. Stop, in reverse: no new connections, exchanges in flight end or are cut off
after the grace, the decision log closes behind them. The admin server comes before and goes after:
in the same process (`single`), or in one that has several of these (`fleet`). When all of it starts
and stops is `life`'s.
"""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from gateway import __version__
from gateway.config import Config
from gateway.decisionlog.append import DecisionLog
from gateway.decisionlog.key import Key, read_key
from gateway.decisionlog.messages import Setup
from gateway.decisionlog.pseudonyms import Pseudonyms
from gateway.decisionlog.sharing import SharedLog
from gateway.decisionlog.supervisor import Spawned, Writers
from gateway.endpoints import Endpoints, ReleaseMode
from gateway.exchange import guard
from gateway.identity.authenticator import Authenticator
from gateway.inspection.dispatch import Dispatch
from gateway.inspection.streams import Streams
from gateway.log import Log
from gateway.policy.decisions import PolicyDecisions
from gateway.policy.engines import make_engine, make_shadow
from gateway.proxy.admission import Admission
from gateway.proxy.server import DataServer
from gateway.proxy.upstream import UpstreamClient
from gateway.rooms import Observer, Rooms, Streaming, Tracer
from gateway.selfproof import SelfProof, plan
from gateway.spool import Spool
from gateway.telemetry import readings
from gateway.telemetry.looplag import LoopLag
from gateway.telemetry.metrics import Metrics, Reading, Readings
from gateway.telemetry.onboarding import Onboarding
from gateway.telemetry.parts import Parts
from gateway.telemetry.settings import TelemetrySettings
from gateway.telemetry.shadow import ShadowReport, WithShadow, shadow_details, shadow_readings
from gateway.telemetry.spans import SpanExport, Spelling, WithSpans, span_readings
from gateway.telemetry.tracing import Tracing, TracingSettings, asked_for
from gateway.trace import Untraced
from gateway.turns import Ledger

_LOG = Log(__name__)

_PATIENCE = 10.0
"""Seconds for which another writer may still hold the log's file: one that was killed ends only
when the disk has answered, which takes seconds where that is busy."""


class _Room(Protocol):
    """What has to be started. `stop` comes after a `start` that failed or was cancelled, too."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Beside:
    """What a process gets of the main one, where several serve. (`fleet`)"""

    instance: str
    writers: Writers
    sockets: tuple[socket.socket, ...]
    ledger: Ledger


class DataPlane:
    """The rooms on the way of an exchange: in the gateway's only process, or in one of several.

    `more` is read at each scrape, beside what is read of the rooms.
    """

    def __init__(
        self, config: Config, beside: Beside | None = None, more: Sequence[Readings] = ()
    ) -> None:
        """Make every room, and hand each what it needs of the others. Raises Refusal, OSError or
        ValueError."""
        self._config = config
        self._draining_since: float | None = None
        self._starting: str | None = "decision_log"
        instance = beside.instance if beside else secrets.token_hex(8)
        self.spool = Spool(config.spool, beside.ledger if beside else None)
        key = read_key(config.decision_log.pseudonym_key_file)
        self.onboarding, self.loop_lag = Onboarding(config.endpoints, _now), LoopLag()
        report = ShadowReport(
            Pseudonyms(key.pseudonym),
            [endpoint.name for endpoint in config.endpoints] if config.policy.shadow else (),
        )
        self.metrics = Metrics(
            [self._readings, self.onboarding.readings, self.loop_lag.readings, *more],
            config.endpoints,
            [report.families],
        )
        self.log = DecisionLog(
            config.decision_log,
            beside.writers if beside else writers(config, key, instance),
            synced=self.metrics.log_synced,
        )
        self.inspector = Dispatch(config.inspection, self.spool, ending=self._count_inspection)
        streamed = any(each.release is ReleaseMode.STREAM for each in config.endpoints)
        self.streams = Streams(config.inspection, self.inspector.key) if streamed else None
        planted = plan(config.endpoints, config.identity.issuers, config.policy)
        self.engine = make_engine(config.policy, planted)
        self.identity = Authenticator(config.identity)
        self.upstream = UpstreamClient(config.upstream, self.spool)
        self.shadow = make_shadow(config.policy, report)
        tracing, faults = asked_for(os.environ)
        for fault in faults:
            _LOG.error("a variable that OpenTelemetry defines is not usable", reason=fault)
        self.spans = _export(tracing, config, instance)
        observer: Observer = self.metrics
        observer = WithShadow(observer, self.shadow) if self.shadow else observer
        observer = WithSpans(observer, self.spans) if self.spans else observer
        self.rooms = Rooms(
            admission=Admission(config.client.limits),
            endpoints=Endpoints(config.endpoints),
            identity=self.identity,
            policy=PolicyDecisions(self.engine),
            upstream=self.upstream,
            inspector=self.inspector,
            log=self.log,
            observer=observer,
            request_phase=config.policy.request_phase,
            new_id=_Ids().__next__,
            now=_now,
            tracer=_tracer(tracing, config.telemetry),
            streaming=Streaming(self.upstream.open, self.streams.open) if self.streams else None,
        )
        self.proof = SelfProof(self.rooms, planted, self.metrics.self_proof)
        self._data = DataServer(
            config.proxy,
            lambda request: guard(request, self.rooms),
            beside.sockets if beside else (),
        )
        self.parts = Parts(
            {
                "inspection": self.inspector.pids,
                "streams": lambda: self.streams.pids() if self.streams else (),
                "policy": lambda: self.engine.facts().pids,
                "log": lambda: pids_of(self.log),
                "shadow": self._shadow_pids,
                "spans": lambda: self.spans.pids() if self.spans else (),
            }
        )

    async def start(self, stack: AsyncExitStack) -> None:
        """Start every room; `stack` stops them, the last one first.

        Raises Refusal, BundleError, UnfitParserError, WorkerError, OSError or ValueError, saying
        what is missing.
        """
        for beside in (self.spans, self.shadow):
            if beside:
                beside.start()
                stack.push_async_callback(beside.stop)
        if self.streams:
            stack.push_async_callback(self.streams.stop)
        for together in self._in_order():
            starting: list[tuple[str, asyncio.Task[None]]] = []
            for name, room in together:
                # Before it starts: what was begun must end, too.
                stack.push_async_callback(room.stop)
                starting.append((name, asyncio.create_task(room.start())))
            try:
                for self._starting, task in starting:
                    await task
            finally:
                await _ended(task for _, task in starting)
        self._starting = None
        for keep in (
            self.proof.keep_playing(lambda: self.draining),
            self.loop_lag.keep_sampling(),
        ):
            stack.callback(asyncio.create_task(keep).cancel)

    def _in_order(self) -> Iterator[list[tuple[str, "_Room"]]]:
        """What starts at once, and is waited for one after another; the data port opens when all
        of it is there."""
        needed: list[tuple[str, _Room]] = [
            ("decision_log", self.log),
            ("inspection", self.inspector),
            ("policy", self.engine),
            ("keys", self.identity),
            ("upstream", self.upstream),
        ]
        yield needed
        yield [("data_port", self._data)]

    def drain(self) -> None:
        """Not ready from now; the data port goes on, and closes each connection with its next
        answer. Called again, it changes nothing."""
        if self._draining_since is not None:
            return
        self._draining_since = time.monotonic()
        self._data.drain()
        _LOG.info("draining")

    @property
    def draining(self) -> bool:
        return self._draining_since is not None

    @property
    def drained_for(self) -> float:
        """Seconds since `drain`."""
        return time.monotonic() - (self._draining_since or time.monotonic())

    @property
    def exchanges(self) -> int:
        """Those in flight."""
        return self._data.facts().exchanges

    @property
    def data_url(self) -> str:
        return f"http://{self._data.address}"

    async def checks(self) -> Mapping[str, bool]:
        """What must hold before traffic comes."""
        return {
            "accepting": self._starting is None and not self.draining,
            "keys": self.identity.ready,
            "policy": await self.engine.ready(),
            "decision_log": self.log.ready(),
            "spool": self.spool.ready(),
            "inspection": self.inspector.facts().ready > 0,
            "self_proof": self.proof.proven,
        }

    def details(self) -> Mapping[str, Any]:
        """What must be seen beside the checks, and makes nothing unready."""
        shadow = {"shadow": shadow_details(self.shadow.facts())} if self.shadow else {}
        reasons = {name: reason for name, reason in self._reasons() if reason}
        told = {"reasons": reasons} if reasons else {}
        return {**shadow, **told}

    def _reasons(self) -> Iterator[tuple[str, str]]:
        """Why a check doesn't hold, or an empty text."""
        starting = f"starting: {self._starting}" if self._starting else ""
        yield "accepting", "draining" if self.draining else starting
        yield "keys", self.identity.unready
        yield "policy", self.engine.facts().fault
        yield "decision_log", self.log.facts().fault
        yield "self_proof", self.proof.fault

    def _readings(self) -> Iterable[Reading]:
        proxy = self._data.facts()
        yield from readings.endpoints(self._config.endpoints)
        yield from readings.data_port(proxy.exchanges, proxy.largest_share, proxy.connections)
        yield from readings.spool(self.spool)
        yield from readings.decision_log(self.log.facts())
        yield from readings.inspection(self.inspector.facts())
        if self.streams:
            yield from readings.streams(self.streams.facts())
        yield from readings.policy(self.engine.facts())
        if self.shadow:
            yield from shadow_readings(self.shadow.facts())
        yield from readings.keys(self.identity.key_facts())
        yield from self.parts.readings()
        if self.spans:
            yield from span_readings(self.spans.facts)

    def _count_inspection(self) -> None:
        """What a process that ends has spent, while it can be seen."""
        self.parts.see("inspection")

    def _shadow_pids(self) -> tuple[int, ...]:
        return self.shadow.facts().pids if self.shadow else ()


def writers(config: Config, key: Key, instance: str) -> Spawned:
    """The decision log's, for a process that has the file."""
    labels = {"id": instance, "version": __version__}
    return Spawned(Setup(config.decision_log.file, key, labels, tick=1.0, patience=_PATIENCE))


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Have tasks end, where one of them failed, or whoever waited was told to stop."""
    every = [*tasks]
    for task in every:
        task.cancel()
    # What a second one failed with is nobody's news any more, and its text is no line of the log.
    await asyncio.gather(*every, return_exceptions=True)


def pids_of(log: DecisionLog | SharedLog) -> tuple[int, ...]:
    """Its writer's, where that is a child of this process."""
    try:
        return (log.pid,)
    except ProcessLookupError:
        return ()


def _now() -> datetime:
    return datetime.now(UTC)


class _Ids:
    """Random exchange ids of 128 bits. The system's generator is asked once for many of them."""

    def __init__(self) -> None:
        self._ready: list[str] = []

    def __next__(self) -> str:
        if not self._ready:
            text = secrets.token_hex(16 * 256)
            self._ready = [text[at : at + 32] for at in range(0, len(text), 32)]
        return self._ready.pop()


def _export(tracing: TracingSettings | None, config: Config, instance: str) -> SpanExport | None:
    if tracing is None:
        return None
    return SpanExport(tracing, Spelling(config.endpoints, config.upstream.url), instance)


def _tracer(tracing: TracingSettings | None, telemetry: TelemetrySettings) -> Tracer:
    trusted = telemetry.trust_traceparent
    return Tracing(tracing.sampler, trusted=trusted) if tracing else Untraced(trusted=trusted)
