"""What a process and its descendants cost, from /proc: processor time, memory, spooled bytes."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import load

_TICK = os.sysconf("SC_CLK_TCK")
_LOOK = 0.1


@dataclass(slots=True)
class Peaks:
    """The most seen while somebody looked, bytes."""

    memory: int = 0
    spool: int = 0


def processor(pid: int) -> float:
    """Seconds of a process, its descendants, and those of them that ended."""
    return sum(map(own_processor, (pid, *load.descendants(pid))))


def own_processor(pid: int) -> float:
    """Seconds of a process and of those of its children that ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # ended meanwhile: its parent has its time
        return 0.0
    return sum(map(int, fields[11:15])) / _TICK


def spooled(pid: int) -> int:
    """Bytes of the unlinked files that the main process holds open."""
    total = 0
    for number in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if number.readlink().name.endswith("(deleted)"):
                total += number.stat().st_size
        except OSError:  # closed meanwhile
            continue
    return total


@contextmanager
def watched(*pids: int) -> Iterator[Peaks]:
    """Look at the memory of these and their descendants, and at their spool, until the block
    ends."""
    peaks, done = Peaks(), threading.Event()

    def watch() -> None:
        while True:
            peaks.memory = max(peaks.memory, sum(map(load.resident, pids)))
            peaks.spool = max(peaks.spool, sum(map(spooled, pids)))
            if done.wait(_LOOK):
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        done.set()
        watcher.join()
