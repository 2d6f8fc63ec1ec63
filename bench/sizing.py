"""`python -m bench.sizing [--quick | --page]`: what an export costs, by format, size and how many
at once.

Processor time and memory of all of the gateway's processes, from /proc, and what the spool holds.
Writes `bench/sizing.json`, has ten thousand exports simulated with it (`bench.simulation`), and
writes of both `docs/sizing.md` and a part of `docs/deploy.md`; with `--page` only these, anew.
"""

import argparse
import itertools
import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from bench import bodies, load, simulation
from bench.guarded import SPECS, gateway_config, token_and_keys
from bench.machine import machine
from bench.servers import NGINX, STATIC, free_port, nginx_binary, started, workspace
from bench.sizing_page import DEPLOY, PAGE, deploy, page
from bench.watching import Peaks, processor, watched

RESULTS = Path(__file__).with_name("sizing.json")
FORMATS = ("json", "ndjson", "csv", "zip")
SIZES = {"2k": 2_000, "100k": 100_000, "1m": 1_000_000, "10m": 10_000_000, "200m": 200_000_000}
TOGETHER = (1, 8, 32)
MOST_HELD, MOST_HELD_QUICKLY = 2 * 10**9, 4 * 10**8
"""Bytes in flight at once, beyond which a cell is left out: it would only measure the disk."""
ENOUGH, MANY = 20_000_000, 400
"""Bytes that a cell asks for, in no more than so many exports; and at least one for each caller."""
console = Console()


@dataclass(frozen=True, slots=True)
class Cell:
    """What one format, size and number at once cost. Processor time in seconds, the rest bytes."""

    format: str
    size: int
    together: int
    exports: int
    seconds: float
    processor_per_export: float
    processor_per_megabyte: float
    memory_peak: int
    spool_peak: int


def measure(pid: int, url: str, token: str, size: int, together: int) -> tuple[int, float, Peaks]:
    """Ask for a body, so many at once; returns how many, their processor time, the peaks."""
    each = max(1, min(MANY, ENOUGH // size) // together)
    with watched(pid) as peaks:
        before = processor(pid)
        callers = [
            threading.Thread(target=_call, args=(url, token, each, size)) for _ in range(together)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        spent = processor(pid) - before
    return each * together, spent, peaks


def _call(url: str, token: str, count: int, size: int) -> None:
    """One caller, one connection. Ends the program where anything but the whole body came."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=300)
    for _ in range(count):
        connection.request("GET", parts.path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        got, last = 0, b""
        while chunk := answer.read(2**20):
            got, last = got + len(chunk), chunk
        if answer.status != 200 or got < size / 2:
            console.print(f"{url}: {answer.status}, {got} bytes: {last[-200:]!r}")
            os._exit(1)
    connection.close()


def fill(folder: Path) -> dict[str, int]:
    """Write every body; returns its real size by name."""
    sizes = {}
    for name, size in SIZES.items():
        path = folder / f"{name}.json"
        path.write_bytes(bodies.orders(size))
        bodies.lines(folder / f"{name}.ndjson", size, block=min(3_000, max(1, size // 3_000)))
        bodies.rows(folder / f"{name}.csv", size)
        samples = min(60_000, size // 4)
        bodies.archive(folder / f"{name}.zip", max(1, round(size / (samples + 300))), samples)
        for kind in FORMATS:
            sizes[f"{name}.{kind}"] = (folder / f"{name}.{kind}").stat().st_size
    return sizes


def configuration(folder: Path, port: int, admin: int, upstream: int) -> dict[str, object]:
    """The contest's, with an endpoint for each body."""
    config = gateway_config(folder, port, admin, upstream)
    # What is measured is work, on a machine that may be busy; nothing may be refused for lateness.
    config["inspection"] = {"deadline": "10m"}
    config["policy"]["deadline"] = "60s"  # type: ignore[index]
    config["endpoints"] = [
        {"name": f"{kind}-{name}", "path": f"/{name}.{kind}", "body": SPECS[kind]}
        for name in SIZES
        for kind in FORMATS
    ]
    return config


def run(most_held: int) -> dict[str, object]:
    """All cells. Exits where nginx is missing or an export is refused."""
    cells: list[Cell] = []
    with workspace() as folder, workspace() as generated:
        generated.chmod(0o755)
        console.print("generating the bodies")
        sizes = fill(generated)
        token = token_and_keys(folder)
        upstream, port, admin = free_port(), free_port(), free_port()
        nginx = folder / "nginx.conf"
        nginx.write_text(
            NGINX.format(
                modules="", folder=folder, port=upstream, upstream=upstream,
                location=STATIC.format(bodies=generated),
            )
        )  # fmt: skip
        config = folder / "gateway.yaml"
        config.write_text(json.dumps(configuration(folder, port, admin, upstream)))
        gateway = [sys.executable, "-m", "gateway", "run", "--config", str(config)]
        with (
            started([nginx_binary(), "-c", str(nginx)], f"http://127.0.0.1:{upstream}/2k.json"),
            started(gateway, f"http://127.0.0.1:{admin}/readyz") as pid,
        ):
            time.sleep(1)
            idle = load.resident(pid)
            for kind, name, together in itertools.product(FORMATS, SIZES, TOGETHER):
                size = sizes[f"{name}.{kind}"]
                if size * together > most_held:
                    continue
                start = time.monotonic()
                url = f"http://127.0.0.1:{port}/{name}.{kind}"
                exports, spent, peaks = measure(pid, url, token, size, together)
                cell = Cell(
                    kind, size, together, exports, round(time.monotonic() - start, 3),
                    round(spent / exports, 6), round(spent / exports / size * 1e6, 6),
                    peaks.memory, peaks.spool,
                )  # fmt: skip
                cells.append(cell)
                console.print(cell)
            settled = load.resident(pid)
    return {
        "machine": machine(),
        "memory_idle": idle,
        "memory_after": settled,
        "cells": [asdict(cell) for cell in cells],
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.sizing", description=__doc__)
    parser.add_argument("--page", action="store_true", help="write only the pages, anew")
    parser.add_argument("--quick", action="store_true", help="leave out the most bytes at once")
    asked = parser.parse_args()
    if not asked.page:
        results = run(MOST_HELD_QUICKLY if asked.quick else MOST_HELD)
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
        simulation.main()
    results = json.loads(RESULTS.read_text())
    PAGE.write_text(page(results, json.loads(simulation.RESULTS.read_text())))
    DEPLOY.write_text(deploy(DEPLOY.read_text(), results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
