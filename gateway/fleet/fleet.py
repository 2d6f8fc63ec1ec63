"""Several serving processes as one gateway: one data port, one admin port, one log, one sum.

The main process binds the data port and hands the socket on; it accepts nothing itself, and no byte
of an export comes here. `/readyz` is what all of them say: a check holds where it holds in each.
"""

import asyncio
import mmap
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from gateway.app import pids_of, writers
from gateway.child import Child
from gateway.config import Config
from gateway.decisionlog.key import read_key
from gateway.decisionlog.sharing import SharedLog
from gateway.fleet import messages
from gateway.fleet.member import Member
from gateway.fleet.messages import Drain, Level, Setup, State
from gateway.fleet.portions import portion
from gateway.log import Log
from gateway.proxy.settings import Address
from gateway.telemetry import readings
from gateway.telemetry.admin import AdminServer
from gateway.telemetry.catalogue import CHECKS
from gateway.telemetry.exposition import Family
from gateway.telemetry.levels import LogLevels
from gateway.telemetry.merging import Gone, hear
from gateway.telemetry.metrics import Metrics, Reading
from gateway.telemetry.onboarding import Onboarding
from gateway.telemetry.parts import Parts, main_process

_PATIENCE = 2.0
"""Seconds that a probe or a scrape waits for a serving process."""
_SLACK = 15.0
"""Seconds beyond `client.drain`: for the entries of what is cut off."""

_LOG = Log(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


class Fleet:
    """`processes` serving ones, and this one."""

    def __init__(self, config: Config, processes: int) -> None:
        self._config, self._portion = config, portion(config, processes)
        self._processes = processes
        self._draining_since: float | None = None
        self._starting = "decision_log"
        self._gone = Gone()

    async def start(self, stack: AsyncExitStack) -> None:
        """Start everything, the admin port first; `stack` stops it, the last one first.

        Raises CannotStart, Refusal, OSError or ValueError, saying what is missing.
        """
        config = self._config
        self._instance = secrets.token_hex(8)
        self._onboarding = Onboarding(config.endpoints, _now)
        self._metrics = Metrics(
            [self._readings, self._onboarding.readings, main_process],
            others=self._families,
        )
        key = read_key(config.decision_log.pseudonym_key_file)
        self._log = SharedLog(writers(config, key, self._instance), synced=self._metrics.log_synced)
        self._levels = LogLevels(config.log_level, changed=self._level)
        self._members = [
            Member(partial(self._begin, place), self._link, partial(self._lost, place))
            for place in range(self._processes)
        ]
        self._parts = Parts({"log": lambda: pids_of(self._log), "serving": self._pids})
        self._admin = AdminServer(
            config.admin.host,
            config.admin.port,
            self._metrics,
            self.checks,
            self.details,
            drain=self.drain,
            log_levels=self._levels,
            recent=0.0,
        )
        await self._admin.start()
        stack.push_async_callback(self._admin.stop)
        _LOG.info("starting", admin=self.admin_url, processes=self._processes)
        self._make_ledger(stack)
        stack.push_async_callback(self._log.stop)
        await self._log.start()
        self._starting = "serving processes"
        await self._bind(stack)
        stack.push_async_callback(self._stop_members)
        await asyncio.gather(*(member.start() for member in self._members))
        self._starting = ""
        stack.callback(asyncio.create_task(self._onboarding.keep_announcing()).cancel)

    def drain(self) -> None:
        """Not ready from now; the data port goes on, and closes each connection with its next
        answer. Called again, it changes nothing."""
        if self._draining_since is not None:
            return
        self._draining_since = time.monotonic()
        for member in self._members:
            member.tell(Drain())
        _LOG.info("draining")

    @property
    def drained_for(self) -> float:
        """Seconds since `drain`."""
        return time.monotonic() - (self._draining_since or time.monotonic())

    @property
    def exchanges(self) -> int:
        """Those in flight, as of the last look."""
        return sum(state.exchanges for state in self._states())

    @property
    def data_url(self) -> str:
        host, port = self._config.listen.host, self._port.sockets[0].getsockname()[1]
        return f"http://{Address(host, port)}"

    @property
    def admin_url(self) -> str:
        return f"http://{Address(self._config.admin.host, self._admin.port)}"

    async def checks(self) -> Mapping[str, bool]:
        """What must hold before traffic comes: in every process."""
        await asyncio.gather(*(member.ask(_PATIENCE) for member in self._members))
        states = list(self._states())
        held = {
            check: bool(states) and all(state.checks.get(check, False) for state in states)
            for check in CHECKS
        }
        held["accepting"] &= not self._missing()
        held["decision_log"] &= self._log.ready()
        return held

    def details(self) -> Mapping[str, Any]:
        """What must be seen beside the checks, and makes nothing unready."""
        details: dict[str, Any] = {"observing": self._onboarding.observing()}
        reasons: dict[str, str] = {}
        for state in self._states():
            if "shadow" in state.details:
                details["shadow"] = state.details["shadow"]
            for check, reason in state.details.get("reasons", {}).items():
                reasons.setdefault(check, reason)
        if missing := self._missing():
            reasons.setdefault("accepting", missing)
        if fault := self._log.facts().fault:
            reasons["decision_log"] = fault
        revisions = sorted({state.revision for state in self._states()})
        if len(revisions) > 1:  # a bundle goes live in one process after the other
            details["revisions"] = revisions
        return {**details, "reasons": reasons} if reasons else details

    # --- what the members need --------------------------------------------------------------------

    def _make_ledger(self, stack: AsyncExitStack) -> None:
        """Memory of all processes: how many bytes each has in the spool."""
        size = 8 * self._processes
        self._ledger = os.memfd_create("privacy-gateway-spool")
        stack.callback(os.close, self._ledger)
        os.ftruncate(self._ledger, size)
        self._spooled = memoryview(mmap.mmap(self._ledger, size)).cast("q")

    async def _bind(self, stack: AsyncExitStack) -> None:
        """The address is ours from now on; the first process that is ready listens."""
        listen = self._config.listen
        self._port = await asyncio.get_running_loop().create_server(
            asyncio.Protocol, listen.host, listen.port, start_serving=False
        )
        stack.callback(self._port.close)

    def _begin(self, place: int, child: Child) -> None:
        levels = self._levels.current()
        setup = Setup(self._portion, self._instance, place, self._processes, levels)
        sockets = [sock.fileno() for sock in self._port.sockets]
        order = messages.frame(messages.begin(setup, len(sockets)))
        child.send_with((self._ledger, *sockets), order)
        if self._draining_since is not None:
            child.send(messages.frame(Drain()))

    def _link(self, member: Member) -> None:
        self._log.connect(member.link)

    def _lost(self, place: int, _member: Member, state: State | None) -> None:
        """What it held is free, and what it counted stays."""
        self._spooled[place] = 0
        if state is not None and (families := _heard(state)):
            self._gone.add(families)

    def _level(self, room: str, level: str) -> None:
        for member in self._members:
            member.tell(Level(room, level))

    async def _stop_members(self) -> None:
        grace = self._config.client.drain + _SLACK
        await asyncio.gather(*(member.stop(grace) for member in self._members))

    # --- what they say ----------------------------------------------------------------------------

    def _states(self) -> Iterator[State]:
        for member in self._members:
            if member.state is not None:
                yield member.state

    def _missing(self) -> str:
        """Why not all of them take connections, or an empty text."""
        if self._draining_since is not None:
            return "draining"
        if self._starting:
            return f"starting: {self._starting}"
        if not all(member.serves for member in self._members):
            return "a serving process is being replaced"
        return ""

    def _pids(self) -> tuple[int, ...]:
        return tuple(member.pid for member in self._members if member.pid)

    def _readings(self) -> Iterable[Reading]:
        yield from readings.decision_log(self._log.facts())
        yield from readings.serving(sum(member.restarts for member in self._members))
        yield from self._parts.readings()

    def _families(self) -> list[list[Family]]:
        """Of all processes, those that are gone included."""
        return [self._gone.families, *map(_heard, self._states())]


def _heard(state: State) -> list[Family]:
    try:
        return hear(state.families)
    except (msgspec.DecodeError, KeyError):
        _LOG.error("a serving process tells numbers that can't be read")
        return []
