"""`python -m bench.simulation`: ten thousand exports at once, with recorded service times.

    arrives ─▶ place ─▶ whose? ─▶ room in the spool ─▶ upstream ─▶ inspection ─▶ caller reads
       ▲         │        │               │
       └─────────┴────────┴───────────────┴── 503, Retry-After

Admission is the gateway's own code (`places`, `turns`) on an event loop of virtual time; what
is simulated is the work between: cores that are shared in slices, one event loop, the inspecting
processes, an upstream, and callers that read fast or slowly. One caller asks for a fifth of it all.
Held against the cost model of `docs/sizing.md`: throughput, memory and spool. The service times are
those of `bench/sizing.json`. Writes `bench/simulation.json`.
"""

import asyncio
import json
import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import virtual
from gateway.errors import Unavailable
from gateway.inspection.settings import InspectionSettings
from gateway.places import Place, Places
from gateway.proxy.connection import BLOCK
from gateway.proxy.problem import RETRY_AFTER
from gateway.proxy.settings import ClientSettings
from gateway.spool import SpoolSettings
from gateway.turns import Ledger, Turns

RESULTS, RECORDED = (Path(__file__).with_name(f"{name}.json") for name in ("simulation", "sizing"))
EXPORTS, CALLERS, GREEDY = 10_000, 100, 0.2
"""At once, by so many callers; the first one asks for such a share, the others for the rest."""
MIX = {2_000: 0.3, 100_000: 0.4, 1_000_000: 0.2, 10_000_000: 0.098, 200_000_000: 0.002}
"""How many of the exports are of about such a size; the formats are equally frequent."""
UPSTREAM, FAST, SLOW, SLOWLY = 100e6, 20e6, 1e6, 0.1
"""Bytes a second: of the upstream, of a caller, and of such a share of the callers."""
PER_EXCHANGE = 2 * BLOCK
"""The memory of an exchange in flight, at the most: a block that is written to the spool, or what
an answer's transport holds and the block that is read for it."""
SLICE = 0.05
TOLERANCE = 0.15
"""Between what the cost model predicts and what the simulation finds, for the throughput."""


@dataclass(frozen=True, slots=True)
class Export:
    """`loop` and `worker` are seconds of a core, in the event loop and in an inspecting process."""

    caller: int
    size: int
    loop: float
    worker: float
    speed: float


@dataclass(slots=True)
class Found:
    """What the simulation saw: seconds, bytes, and numbers of exports."""

    ended: list[tuple[int, float]] = field(default_factory=list)  # caller, and when
    refusals: Counter[str] = field(default_factory=Counter)
    inside: list[float] = field(default_factory=list)
    refused_work: float = 0.0
    memory: int = 0
    memory_peak: int = 0
    spool_peak: int = 0
    places_peak: int = 0
    greedy_peak: int = 0


def exports(cells: Sequence[Mapping[str, Any]], number: int, seed: int = 1) -> list[Export]:
    """So many of the mix, with the recorded service times of their format and size."""
    chance = random.Random(seed)
    formats = sorted({cell["format"] for cell in cells})
    inline = InspectionSettings().inline
    small = {kind: _cell(cells, kind, min(MIX))["processor_per_export"] for kind in formats}
    made = []
    for index in range(number):
        kind = formats[index % len(formats)]
        nominal = chance.choices([*MIX], [*MIX.values()])[0]
        cell = _cell(cells, kind, nominal)
        spent, size = cell["processor_per_export"], cell["size"]
        loop = min(spent, small[kind]) if size > inline else spent
        caller = 0 if chance.random() < GREEDY else chance.randrange(1, CALLERS)
        speed = SLOW if caller % round(1 / SLOWLY) == 1 else FAST
        made.append(Export(caller, size, loop, spent - loop, speed))
    return made


def _cell(cells: Sequence[Mapping[str, Any]], kind: str, size: int) -> Mapping[str, Any]:
    """The recorded one of that format and about that size, of several at once if there is one."""
    of_kind = [cell for cell in cells if cell["format"] == kind and cell["together"] in (1, 8)]
    return min(of_kind, key=lambda each: (_apart(each["size"], size), -each["together"]))


def _apart(one: float, other: float) -> int:
    """Equal for the sizes of one row of the table."""
    return round(abs(one - other) / max(one, other) * 2)


class Gateway:
    """Its admission for real, and the work as time that passes."""

    def __init__(self, cores: int, client: ClientSettings, spool: SpoolSettings) -> None:
        self._spool, self._ledger = spool, Ledger()
        self._places, self._limit = Places(client.exchanges, "client.exchanges"), client.exchanges
        self._turns = Turns(self._ledger, spool.limit, spool.wait)
        self._cores = asyncio.Semaphore(cores)
        self._loop_free = asyncio.Semaphore(1)
        self._taken_away = 0.0
        self._workers = asyncio.Semaphore(InspectionSettings().workers)
        self._by_caller: Counter[int] = Counter()
        self.found = Found()

    async def serve(self, export: Export, chance: random.Random) -> None:
        """One export, asked for until it is answered; it comes back when it is told to."""
        loop = asyncio.get_running_loop()
        while True:
            came = loop.time()
            try:
                if self._places.full:
                    await self._on_loop(export.loop / 2)
                    raise _Full
                with self._in_place(self._places.take()) as place:
                    await self._exchange(export, place)
                    self.found.ended.append((export.caller, loop.time()))
                    self.found.inside.append(loop.time() - came)
                return
            except (_Full, Unavailable) as refusal:
                said = refusal.note if isinstance(refusal, Unavailable) else "client.exchanges"
                self.found.refusals[said] += 1
                self.found.refused_work += export.loop / 2
            await asyncio.sleep(RETRY_AFTER * (1 + chance.random()))

    async def _exchange(self, export: Export, place: Place) -> None:
        await self._on_loop(export.loop / 2)
        place.claim(export.caller)
        with self._counted(export.caller):
            held = export.size if export.size > self._spool.memory else 0
            if held:
                await self._turns.wait(held, export.caller)
            try:
                self._look()
                with self._remembered(min(export.size, BLOCK)):
                    await asyncio.sleep(export.size / UPSTREAM)
                if export.worker:
                    async with self._workers:
                        await self._on_core(export.worker)
                await self._on_loop(export.loop / 2)
                with self._remembered(min(export.size, PER_EXCHANGE)):
                    await asyncio.sleep(export.size / export.speed)
            finally:
                if held:
                    self._turns.give_back(held, export.caller)

    async def _on_loop(self, seconds: float) -> None:
        """At once: the inspecting processes are nicer. Where they have all cores, one has to stop
        for as long."""
        async with self._loop_free:
            if self._cores.locked():
                self._taken_away += seconds
            await asyncio.sleep(seconds)

    async def _on_core(self, seconds: float) -> None:
        """In slices: a whole body would keep the core to itself."""
        while seconds > 0:
            async with self._cores:
                away, self._taken_away = self._taken_away, 0.0
                await asyncio.sleep(min(seconds, SLICE) + away)
            seconds -= SLICE

    @contextmanager
    def _in_place(self, place: Place) -> Iterator[Place]:
        self._look()
        try:
            yield place
        finally:
            place.give_back()

    @contextmanager
    def _counted(self, caller: int) -> Iterator[None]:
        self._by_caller[caller] += 1
        self.found.greedy_peak = max(self.found.greedy_peak, self._by_caller[0])
        try:
            yield
        finally:
            self._by_caller[caller] -= 1

    @contextmanager
    def _remembered(self, size: int) -> Iterator[None]:
        self.found.memory += size
        self.found.memory_peak = max(self.found.memory_peak, self.found.memory)
        try:
            yield
        finally:
            self.found.memory -= size

    def _look(self) -> None:
        self.found.spool_peak = max(self.found.spool_peak, self._ledger.all)
        self.found.places_peak = max(self.found.places_peak, self._places.taken)


class _Full(Exception):
    """As many exchanges as there may be."""


def run(
    recorded: Mapping[str, Any],
    number: int = EXPORTS,
    client: ClientSettings = ClientSettings(),  # noqa: B008 - frozen
    room: SpoolSettings = SpoolSettings(),  # noqa: B008
) -> dict[str, Any]:
    """Ask for all of them at second 0; what was found, and what the cost model says of it."""
    asked, cores = exports(recorded["cells"], number), recorded["machine"]["cores"]

    async def all_of_them() -> Found:
        gateway, chance = Gateway(cores, client, room), random.Random(2)
        await asyncio.gather(*(gateway.serve(each, chance) for each in asked))
        return gateway.found

    return _told(asked, virtual.run(all_of_them()), cores, client, room)


def _told(
    asked: Sequence[Export], found: Found, cores: int, client: ClientSettings, room: SpoolSettings
) -> dict[str, Any]:
    # While there is more to do than places: the last ones only wait for whoever reads slowly.
    busy = max(1, len(asked) - client.exchanges)
    seconds = sorted(when for _, when in found.ended)[busy - 1]
    waited: dict[int, list[float]] = defaultdict(list)
    for caller, when in found.ended:
        waited[caller].append(when)
    others = [statistics.median(each) for caller, each in waited.items() if caller]
    work = sum(each.loop + each.worker for each in asked) + found.refused_work
    predicted = cores * len(asked) / work
    inside = statistics.quantiles(found.inside, n=100)
    return {
        "exports": len(asked), "callers": len(waited), "bytes": sum(each.size for each in asked),
        "cores": cores, "mix": {str(size): share for size, share in MIX.items()},
        "throughput": {"predicted": round(predicted, 1), "simulated": round(busy / seconds, 1)},
        "tolerance": TOLERANCE,
        "served": len(found.ended),
        "seconds": round(max(when for _, when in found.ended)),
        "refusals": dict(found.refusals.most_common()),
        "in_gateway": {"median": round(inside[49], 2), "p99": round(inside[98], 2)},
        "places": {"limit": client.exchanges, "peak": found.places_peak},
        "greedy": {
            "exports": len(waited[0]), "places_peak": found.greedy_peak,
            "median": round(statistics.median(waited[0])),
        },
        "others": {"median": round(statistics.median(others)), "worst": round(max(others))},
        "memory": {"bound": client.exchanges * PER_EXCHANGE, "peak": found.memory_peak},
        "spool": {"limit": room.limit, "bound": room.limit // 2, "peak": found.spool_peak},
    }  # fmt: skip


def main() -> None:
    """Simulate, and write what was found."""
    results = run(json.loads(RECORDED.read_text()))
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
