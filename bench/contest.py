"""The contest: every body through everybody, one after the other, in rounds; medians of the rounds.

bodies   for each body and contestant what one run cost
planted  what became of the bodies with one foreign record
latency  small requests while a large body passes
memory   the gateway's, while a gigabyte passes
stream   until the first record is there
"""

import concurrent.futures
import os
import statistics
import time
from typing import Any

from rich.console import Console

from bench import load
from bench.bodies import BODIES, LONG, Body
from bench.contestants import BARE, EMBEDDED, OURS, RAW, READ_BY_PEERS, Contest, Contestant
from bench.load import Load, RefusedError
from bench.watching import processor, watched

_WRK = 20_000_000
"""Bytes up to which a body is asked for again and again; a larger one is fetched once a round."""
_SMALL = 50_000
"""Bytes of a body of which 32 callers ask at once."""
_TURNS, _FEW_TURNS, _TURN = 8, 3, 1.0
"""Of these a round (a brief one) has several short runs of everybody, seconds each: a shared
machine is now fast and now slow, and everybody should have some of both."""
_PAUSE = 0.3

Figures = dict[str, float]


class Runs:
    """The runs of one contest: `seconds` for each run of wrk, and so many `rounds`.

    A `brief` one takes a body that is large, or that no peer reads, only through this gateway and
    the raw pass-through.
    """

    def __init__(
        self, contest: Contest, console: Console, rounds: int, seconds: float, *, brief: bool
    ) -> None:
        self._contest, self._console = contest, console
        self._rounds, self._seconds, self._brief = rounds, seconds, brief

    def body(self, body: Body) -> dict[str, Figures | dict[str, str]]:
        """Each contestant's medians; or why it has none. What doesn't read this kind of body, and
        has a twin that passes it through, is left out.

        Raises RefusedError where it is the gateway or the raw pass-through that fails.
        """
        taking = [each for each in self._contest.contestants if self._takes(each, body)]
        runs: dict[str, list[Figures]] = {each.name: [] for each in taking}
        failed: dict[str, dict[str, str]] = {}
        turns, seconds = 1, self._seconds
        if body.size < _SMALL:
            turns, seconds = _FEW_TURNS if self._brief else _TURNS, _TURN
        warm = body.size > _WRK  # a large one is itself long enough to warm up
        for number in range(1 if warm else 0, self._rounds * turns + 1):
            for each in taking:
                if each.name in failed:
                    continue
                try:
                    if not number:
                        load.fetch(each.url + body.path, self._contest.token)
                        continue
                    figures = self._run(each, body, seconds)
                except (RefusedError, OSError) as error:
                    if each.name in (*OURS, RAW):
                        raise
                    failed[each.name] = {"failed": str(error).replace(each.url, "")[:200]}
                else:
                    runs[each.name].append(figures)
        found: dict[str, Figures | dict[str, str]] = {
            name: failed.get(name) or _medians(figures) for name, figures in runs.items()
        }
        self._show(body.name, found)
        return found

    def planted(self) -> dict[str, Any]:
        """What became of one foreign record at a random place; the share that ours blocked."""
        fates: dict[str, dict[str, str]] = {}
        for body in BODIES:
            if not body.planted or not self._has(body):
                continue
            fates[body.name] = {
                each.name: load.fate(f"{each.url}/planted-{body.file}", self._contest.token)
                for each in self._contest.contestants
                if each.name in OURS or self._takes(each, body)
            }
        ours = [each[name] for each in fates.values() for name in OURS]
        return {"share": ours.count("blocked") / len(ours), "fates": fates}

    def latency(self) -> dict[str, Any]:
        """The p99 of small requests, idle and while 200 MB pass, milliseconds; their ratio. Of the
        raw pass-through, too: what the machine by itself makes of it."""
        found = {name: self._latency(self._contest[name]) for name in (EMBEDDED, RAW)}
        return found[EMBEDDED] | {"raw": found[RAW]}

    def _latency(self, each: Contestant) -> Figures:
        idle: list[float] = []
        during: list[float] = []
        token = self._contest.token
        small, large = f"{each.url}/2k.json", f"{each.url}/200m.ndjson"
        os.sync()  # what was written before is no part of this measurement
        with concurrent.futures.ProcessPoolExecutor(1) as pool:
            for _ in range(self._rounds):
                idle.append(_p99(load.latencies(small, token, rate=100, count=300)))
                taken: list[float] = []
                while len(taken) < 100:
                    export = pool.submit(load.fetch, large, token)
                    while not export.done():
                        taken += load.latencies(small, token, rate=100, count=10)
                    export.result()
                during.append(_p99(taken))
        before, while_large = statistics.median(idle) * 1e3, statistics.median(during) * 1e3
        return {"idle": before, "during": while_large, "ratio": while_large / before}

    def memory(self) -> Figures:
        """MiB: the peak of the gateway's processes while a gigabyte passes, above the idle."""
        gateway = self._contest[EMBEDDED]
        idle = load.resident(gateway.pid)
        with watched(gateway.pid) as peaks:
            load.fetch(f"{gateway.url}/{LONG}", self._contest.token)
        return {"idle": idle / 2**20, "above_idle": (peaks.memory - idle) / 2**20}

    def _takes(self, each: Contestant, body: Body) -> bool:
        if each.name == BARE:  # what it leaves out is the same for any body
            return body.size < _SMALL
        if self._brief and (body.size > _WRK or body.kind not in READ_BY_PEERS):
            return each.name in (EMBEDDED, RAW)
        return not each.twin or body.kind in each.reads

    def _has(self, body: Body) -> bool:
        try:
            load.first_byte(f"{self._contest[RAW].url}/planted-{body.file}", self._contest.token)
        except RefusedError:
            return False
        return True

    def _run(self, each: Contestant, body: Body, seconds: float) -> Figures:
        url, token = each.url + body.path, self._contest.token
        time.sleep(_PAUSE)  # what the one before left to do is not this one's
        before = sum(map(processor, each.pids))
        with watched(*each.pids) as peaks:
            if body.size <= _WRK:
                connections = 32 if body.size < _SMALL else 8 if body.size < 1_000_000 else 4
                run = load.wrk(url, token, connections, seconds)
            else:
                run = load.fetch(url, token)
        spent = sum(map(processor, each.pids)) - before
        # What the service sent: of a body that is redacted less arrives than was worked on.
        worked = run.requests * (self._contest.bodies / body.file).stat().st_size
        return _figures(run, worked, spent, peaks.memory)

    def _show(self, name: str, found: dict[str, Any]) -> None:
        raw = found[RAW]["megabytes_per_second"]
        shown = ", ".join(
            f"{each} failed"
            if "failed" in row
            else f"{each} {row['megabytes_per_second'] / raw:.3f}"
            for each, row in found.items()
        )
        self._console.print(f"{name}: × raw aiohttp: {shown}")


def _figures(run: Load, worked: int, spent: float, memory: int) -> Figures:
    return {
        "requests_per_second": run.requests / run.seconds,
        "megabytes_per_second": worked / run.seconds / 1e6,
        "p50": run.p50,
        "p99": run.p99,
        "p999": run.p999,
        "processor_microseconds_per_request": spent / run.requests * 1e6,
        "processor_milliseconds_per_megabyte": spent / worked * 1e9,
        "peak_mebibytes": memory / 2**20,
    }


def _medians(runs: list[Figures]) -> Figures:
    return {name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]}


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]
