"""A process of its own, in which bombs go off: `python -m tests.bombs.child FORMAT FIRST LAST`.

It prints one line of JSON for each: the code or `ok`, the processor's seconds, the bytes of memory
that were taken on top, and the bytes that were inflated. The first line is of an honest body.
"""

import json
import random
import resource
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

from gateway.errors import BadUpstream
from gateway.inspection import work
from gateway.inspection.formats import FORMATS
from gateway.inspection.inflation import Inflation
from gateway.inspection.settings import Limits
from gateway.inspection.source import InMemory
from gateway.model import Format
from gateway.response import Payload
from tests.bombs.bodies import Bomb, bomb, honest
from tests.fuzz.seeds import SEEDS
from tests.support.scratches import scratch

LIMITS = Limits(body=1 << 20, decoded=2 << 20, record=256 << 10, subjects=1000, members=100_000)
SIZE = 8 << 20
MOST = 2 << 30
"""Bytes of address space: what goes wrong ends this process and nothing else."""


def main(form: Format, first: int, last: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST, MOST))
    body = honest(form, LIMITS.decoded // 2)
    for _ in range(2):  # what is only paid for once is paid in the first round
        found = measured(form, Bomb(body, (), len(body)))
    print(json.dumps(found), flush=True)
    for seed in range(first, last):
        print(json.dumps(measured(form, bomb(form, random.Random(seed), SIZE))), flush=True)


def measured(form: Format, found: Bomb) -> dict[str, Any]:
    """What reading this body takes."""
    produced = 0
    count = Inflation.count

    def counted(inflation: Inflation, decoded: int, received: int) -> None:
        nonlocal produced
        produced += decoded
        count(inflation, decoded, received)

    reader = FORMATS[form]
    boundary = "b" if form is Format.MULTIPART else None
    payload = Payload(reader.media_types[0], codings=found.codings, boundary=boundary)
    task = work.Task(payload, SEEDS[form][0], LIMITS)
    before, began = _forget_the_peak(), time.process_time()
    with mock.patch.object(Inflation, "count", counted):
        try:
            with scratch(LIMITS.decoded) as file:
                work.inspect(InMemory(found.body), task, file)
            code = "ok"
        except BadUpstream as refusal:
            code = str(refusal.code)
    return {
        "code": code,
        "seconds": time.process_time() - began,
        "memory": max(0, _status("VmHWM") - before),
        "produced": produced,
        "content": found.content,
    }


def _forget_the_peak() -> int:
    """The memory in use, from which the peak counts anew (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (each for each in status if each.startswith(f"{name}:"))
    return int(line.split()[1]) << 10


if __name__ == "__main__":
    main(Format(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
