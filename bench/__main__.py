"""`python -m bench [--quick | --guard | --page]`: runs the contest, and writes what it measured."""

import argparse
import json
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import bodies, flames, formats, load, page, plots, policy, reload, scrape, startup, steps
from bench.bodies import BODIES
from bench.contest import Runs
from bench.contestants import EMBEDDED, RAW, Contest, contest
from bench.gates import judged, slower
from bench.machine import machine
from bench.servers import workspace

RESULTS = Path(__file__).with_name("results.json")
console = Console()


def measure(quick: bool, guarding: bool, rounds: int = 3) -> dict[str, Any]:
    """Everything that one run of the contest measures."""
    rounds, seconds = (1, 2.0) if quick else (rounds, 2.0)
    began = time.monotonic()
    with workspace() as folder, workspace() as generated:
        generated.chmod(0o755)
        console.print("generating the bodies")
        bodies.fill(generated, quick)
        with contest(generated, folder, peers=not guarding) as running:
            for name, why in running.missing.items():
                console.print(f"{name} does not take part: {why}")
            runs = Runs(running, console, rounds, seconds, brief=quick)
            results: dict[str, Any] = {
                "machine": machine(),
                "quick": quick,
                "rounds": rounds,
                "versions": {"gateway": version("privacy-gateway"), "aiohttp": version("aiohttp")},
                "missing": running.missing,
                "bodies": {
                    body.name: runs.body(body) for body in BODIES if body.quick or not quick
                },
                "planted": runs.planted(),
                "latency": runs.latency(),
                "memory": runs.memory(),
                "stream": stream(running),
            }
    if not quick:
        console.print("formats, reload, scrape, policy")
        results["formats"] = formats.measure()
        results["reload"] = reload.measure(4.0 * seconds)
        scrapes = scrape.run()
        worst = max(figures["ms"] for figures in scrapes.values())
        results["scrape"] = {"worst": worst, "formats": scrapes}
        results["policy"] = policy.run(console, quick)
    console.print("start")
    results["startup"] = startup.measure()
    results["steps"] = steps.measure()
    results["seconds"] = round(time.monotonic() - began)
    results["gates"] = judged(results)
    return results


def stream(running: Contest) -> dict[str, float]:
    """Milliseconds until the first byte of a streamed 200 MB, above the raw pass-through."""
    taken: dict[str, list[float]] = {EMBEDDED: [], RAW: []}
    for _ in range(11):
        for name, path in ((EMBEDDED, "/stream-200m.ndjson"), (RAW, "/200m.ndjson")):
            taken[name].append(load.first_byte(running[name].url + path, running.token) * 1e3)
    ours, raw = (statistics.median(taken[name]) for name in (EMBEDDED, RAW))
    return {"gateway": ours, "raw": raw, "above_raw": ours - raw}


def show(results: dict[str, Any]) -> bool:
    """Print every gate; whether all of them hold."""
    table = Table("one run", "value", "gate", "met")
    for row in results["gates"]:
        value = "-" if row["value"] is None else f"{row['value']:g}"
        table.add_row(row["name"], value, row["gate"], "yes" if row["met"] else "NO")
    console.print(table)
    decisions = results.get("policy", {}).get("gates", {})
    return all(row["met"] for row in (*results["gates"], *decisions.values()))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_true", help="fewer bodies, one short round")
    how.add_argument("--guard", action="store_true", help="no peers; fails beyond a guard")
    how.add_argument("--page", action="store_true", help="only the page and the plots, anew")
    parser.add_argument("--rounds", type=int, default=3, help="of a full one (default: 3)")
    chosen = parser.parse_args()
    if chosen.page:
        written(json.loads(RESULTS.read_text()))
        return 0
    results = measure(chosen.quick or chosen.guard, chosen.guard, chosen.rounds)
    met = show(results)
    if chosen.guard:
        for each in (found := slower(results)):
            console.print(f"slower than it may be: {each}", style="red")
        return 1 if found else 0
    RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    written(results)
    return 0 if met else 1


def written(results: dict[str, Any]) -> None:
    """Write the page and the plots from what was measured."""
    page.PAGE.write_text(page.page(results, json.loads(flames.RESULTS.read_text())))
    plots.draw(results)


if __name__ == "__main__":
    sys.exit(main())
