"""What the gateway's processes take of the machine: the main one, and those of each part.

Read from /proc at each scrape. Whoever sizes a pod needs the sum: the main process alone says
nothing of the bodies and the policy, which are in other ones.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.telemetry.catalogue import CHILD_CPU, CHILD_MEMORY, CHILD_PROCESSES, PROCESS
from gateway.telemetry.metrics import Reading

_TICK, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
_STARTED, _UTIME, _STIME, _RSS = 19, 11, 12, 21
"""Fields of /proc/pid/stat behind the command's name (proc_pid_stat(5), from the third on)."""

if TYPE_CHECKING:
    from prometheus_client import ProcessCollector

Pids = Callable[[], Iterable[int]]


def main_process() -> Iterator[Reading]:
    """What prometheus_client's ProcessCollector says, as everywhere."""
    values = {
        sample.name: sample.value for family in _collector().collect() for sample in family.samples
    }
    for metric in PROCESS:
        if metric.name in values:
            yield Reading(metric, values[metric.name])


@cache
def _collector() -> "ProcessCollector":
    """At the first scrape: what comes with it, an HTTP server among it, is no part of a start."""
    from prometheus_client import ProcessCollector

    return ProcessCollector(registry=None)


class Parts:
    """The children, by part. CPU time is that of the living and of those that were seen to live: a
    counter doesn't fall."""

    def __init__(self, pids: Mapping[str, Pids], proc: Path = Path("/proc")) -> None:
        self._pids, self._proc = pids, proc
        self._spent: dict[str, dict[tuple[int, int], float]] = {part: {} for part in pids}
        self._gone = dict.fromkeys(pids, 0.0)

    def readings(self) -> Iterator[Reading]:
        for part in self._pids:
            processes, memory = self.see(part)
            cpu = self._gone[part] + sum(self._spent[part].values())
            yield Reading(CHILD_PROCESSES, processes, (part,))
            yield Reading(CHILD_MEMORY, memory, (part,))
            yield Reading(CHILD_CPU, cpu, (part,))

    def see(self, part: str) -> tuple[int, int]:
        """Count what a part has spent up to now; how many of its processes live, and their bytes.
        Of a process that ends between two scrapes nothing would be counted otherwise."""
        living: dict[tuple[int, int], float] = {}
        memory, listed = 0, tuple(self._pids[part]())
        for pid in listed:
            if found := self._look(pid):
                started, cpu, resident = found
                living[pid, started] = cpu
                memory += resident
        spent = self._spent[part] | living
        gone = [child for child in spent if child[0] not in listed]
        self._gone[part] += sum(map(spent.pop, gone))
        self._spent[part] = spent
        return len(living), memory

    def _look(self, pid: int) -> tuple[int, float, int] | None:
        """When it started, its CPU seconds, its bytes; None where it is gone or hidden."""
        try:
            text = (self._proc / str(pid) / "stat").read_bytes()
        except OSError:
            return None
        fields = text[text.rindex(b")") + 2 :].split()
        cpu = (int(fields[_UTIME]) + int(fields[_STIME])) / _TICK
        return int(fields[_STARTED]), cpu, int(fields[_RSS]) * _PAGE
