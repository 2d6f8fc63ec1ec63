"""How many cores the gateway may use: those it may be scheduled on, within its cgroup's quota.

A container's limit of CPU is a quota of time, which `os.cpu_count` knows nothing of: a process for
each core of a large node would only be throttled.

Sources: sched_getaffinity(2); https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max);
https://docs.kernel.org/scheduler/sched-bwc.html (cgroup v1).
"""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MOST = 64


def cores(root: Path = Path("/")) -> int:
    """At least 1, at most 64; a part of a core counts as one."""
    allowed = len(os.sched_getaffinity(0))
    return max(1, min([MOST, allowed, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """Those of the cgroup that this process is in, and of the ones around it, in cores."""
    for folder in _groups(root):
        with suppress(OSError, ValueError, ZeroDivisionError):
            quota, period = (folder / "cpu.max").read_text().split()
            if quota != "max":
                yield int(quota) / int(period)
    for name in ("cpu", "cpu,cpuacct"):
        folder = root / "sys/fs/cgroup" / name
        with suppress(OSError, ValueError, ZeroDivisionError):
            microseconds = int((folder / "cpu.cfs_quota_us").read_text())
            if microseconds > 0:
                yield microseconds / int((folder / "cpu.cfs_period_us").read_text())


def _groups(root: Path) -> Iterator[Path]:
    """The folders of cgroup v2; in a container there is most likely only one, its own root."""
    top = root / "sys/fs/cgroup"
    yield top
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            number, _, path = line.split(":", 2)
            if number == "0":
                inside = Path(path.lstrip("/"))
                yield from (top / each for each in (inside, *inside.parents) if each != Path())
