"""A gateway's worth of appends in a process of its own, to be killed, or to run out of space.

    python -m tests.decisionlog.appender kill FOLDER PIECE   until it is killed
    python -m tests.decisionlog.appender full FOLDER 0       into a file size limit, and out again

Prints an exchange id only after its append returned. PIECE > 0 writes so many bytes at a time, so
that a kill finds a line half written.
"""

import asyncio
import os
import resource
import sys
from pathlib import Path

from gateway.errors import Unavailable
from tests.decisionlog.support import FaultyDisk, decision_log, released


async def append_until_killed(folder: Path, piece: int) -> None:
    faulty = FaultyDisk(folder / "disk") if piece else None
    if faulty:
        faulty.piece = piece
    log = decision_log(folder, faulty=faulty)
    await log.start()

    async def exchanges(number: int) -> None:
        count = 0
        while True:
            count += 1
            exchange_id = f"{os.getpid()}-{number}-{count}"
            await log.append(released(exchange_id))
            os.write(1, f"{exchange_id}\n".encode())

    await asyncio.gather(*map(exchanges, range(16)))


async def append_into_a_full_disk(folder: Path) -> None:
    log = decision_log(folder)
    await log.start()
    limit = (folder / "decisions.jsonl").stat().st_size + 10_000
    resource.prlimit(log.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    count, refusals = 0, 0
    while refusals < 3:
        count += 1
        try:
            await log.append(released(f"full-{count}"))
        except Unavailable as refusal:
            refusals += 1
            os.write(1, f"refused {refusal.note}\n".encode())
        else:
            os.write(1, f"full-{count}\n".encode())
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(log.pid, resource.RLIMIT_FSIZE, unlimited)
    while not log.ready():
        await asyncio.sleep(0.005)
    await log.append(released("after"))
    os.write(1, b"after\n")
    await log.stop()


if __name__ == "__main__":
    mode, where, size = sys.argv[1:]
    if mode == "kill":
        asyncio.run(append_until_killed(Path(where), int(size)))
    else:
        asyncio.run(append_into_a_full_disk(Path(where)))
