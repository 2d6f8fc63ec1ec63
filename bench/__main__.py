"""`python -m bench [--quick]`: runs the contest and writes `bench/results.json`."""

import argparse
import concurrent.futures
import json
import os
import platform
import statistics
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import bodies, load, policy, reload, scrape
from bench.contestants import Contestant, contest, workspace

RESULTS = Path(__file__).with_name("results.json")
GATES: dict[str, tuple[str, float]] = {
    "2 KB JSON, requests/s": (">=", 0.4),
    "10 MB JSON, bytes/s": (">=", 0.12),
    "100 MB ZIP by manifest, bytes/s": (">=", 0.4),
    "1 GB NDJSON, MiB above idle": ("<=", 64),
    "small p99 during 200 MB, x idle": ("<=", 4),
    "failed requests during reloads": ("<=", 0),
    "scrape of 100 endpoints, ms": ("<=", scrape.GATE),
}
console = Console()


def throughput(
    path: str, connections: int, seconds: int, rounds: int, pick: Callable[[load.Throughput], float]
) -> Callable[[list[Contestant], str], dict[str, float]]:
    """Interleaved rounds of one body; each contestant's median."""

    def measure(contestants: list[Contestant], token: str) -> dict[str, float]:
        runs: dict[str, list[float]] = {each.name: [] for each in contestants}
        for number in range(rounds + 1):  # the first round warms up
            for each in contestants:
                result = load.wrk(each.url + path, token, connections, seconds if number else 1)
                if number:
                    runs[each.name].append(pick(result))
        return {name: statistics.median(values) for name, values in runs.items()}

    return measure


def memory_above_idle(gateway: Contestant, token: str, path: str) -> float:
    """MiB: the peak of the gateway's processes while one body passes, above the idle before."""
    idle, peak, done = load.resident(gateway.pid), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, load.resident(gateway.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        load.fetch(gateway.url + path, token)
    finally:
        done.set()
        watcher.join()
    return (peak - idle) / 2**20


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def latency_during(gateway: Contestant, token: str, rounds: int) -> dict[str, float]:
    """The p99 of small requests, idle and while 200 MB pass; medians of the rounds, seconds."""
    idle: list[float] = []
    busy: list[float] = []
    url = gateway.url + "/2k.json"
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        for _ in range(rounds):
            idle.append(p99(load.latencies(url, token, rate=100, count=300)))
            export = pool.submit(load.fetch, gateway.url + "/200m.ndjson", token)
            taken: list[float] = []
            while not export.done():
                taken += load.latencies(url, token, rate=100, count=25)
            export.result()
            busy.append(p99(taken))
    return {"idle": statistics.median(idle), "during": statistics.median(busy)}


def machine() -> dict[str, object]:
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    quick = parser.parse_args().quick
    rounds, seconds = (1, 3) if quick else (3, 6)
    requests, size = lambda run: run.requests, lambda run: run.bytes
    plan = {
        "2 KB JSON, requests/s": throughput("/2k.json", 32, seconds, rounds, requests),
        "10 MB JSON, bytes/s": throughput("/10m.json", 4, seconds, rounds, size),
        "100 MB ZIP by manifest, bytes/s": throughput("/100m.zip", 2, seconds, rounds, size),
    }
    work: dict[str, dict[str, float]] = {}
    gates: dict[str, float] = {}
    with workspace() as folder, workspace() as generated:
        generated.chmod(0o755)
        console.print("generating the bodies")
        bodies.make(generated)
        with contest(generated, folder) as (contestants, token):
            gateway = contestants[0]
            for name, measure in plan.items():
                console.print(name)
                work[name] = measure(contestants, token)
                gates[name] = work[name]["gateway"] / work[name]["raw aiohttp"]
                console.print(f"  {gates[name]:.3f} x raw", work[name])
            console.print("memory")
            gates["1 GB NDJSON, MiB above idle"] = memory_above_idle(gateway, token, "/1g.ndjson")
            console.print("latency")
            latency = latency_during(gateway, token, rounds)
            work["2 KB JSON, p99 seconds"] = latency
            gates["small p99 during 200 MB, x idle"] = latency["during"] / latency["idle"]
    console.print("reload")
    work["reload"] = reload.measure(4.0 * seconds)
    gates["failed requests during reloads"] = work["reload"]["failed"]
    console.print("scrape")
    scrapes = scrape.run()
    work |= {f"scrape, {name}": figures for name, figures in scrapes.items()}
    gates["scrape of 100 endpoints, ms"] = max(figures["ms"] for figures in scrapes.values())
    return report(work, gates, policy.run(console, quick))


def report(
    work: dict[str, dict[str, float]], gates: dict[str, float], decisions: dict[str, Any]
) -> int:
    """Write the results, print them, and say whether every gate holds."""
    met = {
        name: value >= GATES[name][1] if GATES[name][0] == ">=" else value <= GATES[name][1]
        for name, value in gates.items()
    }
    rows = {
        name: {"value": round(value, 3), "gate": " ".join(map(str, GATES[name])), "met": met[name]}
        for name, value in gates.items()
    }
    results = {"machine": machine(), "measured": work, "gates": rows, "policy": decisions}
    RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    table = Table("gateway against raw aiohttp, one run", "value", "gate", "met")
    for name, row in rows.items():
        table.add_row(name, str(row["value"]), str(row["gate"]), "yes" if row["met"] else "NO")
    console.print(table)
    return 0 if all(met.values()) and all(row["met"] for row in decisions["gates"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
