"""`python -m bench.flames`: where the gateway's time goes, for 2 KB and for 200 MB.

Draws `docs/flame-*.svg` with py-spy while the load runs, and sums the same samples by room for
`docs/performance.md` (`bench/flames.json`). Only root may look into the gateway's processes: they
are hardened against everybody else.
"""

import json
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import bodies, load
from bench.contestants import EMBEDDED, RAW, Contestant, contest
from bench.servers import tool, workspace
from bench.watching import own_processor

DOCS = Path(__file__).resolve().parent.parent / "docs"
RESULTS = Path(__file__).with_name("flames.json")
SECONDS, RATE = 10, 250
_WORDS = re.compile(r"<(title|text)\b[^>]*>[^<]*")
_FOLDERS = re.compile(r"(?<![\w/:])/(?:[\w.+-]+/)+")
_FRAME = re.compile(r"(?P<function>[^;(]+) \((?P<file>[^:)]+)(?::\d+)?\)")


def main() -> int:
    found: dict[str, dict[str, float]] = {}
    with workspace() as folder, workspace() as generated:
        generated.chmod(0o755)
        bodies.fill(generated, quick=True)
        with contest(generated, folder, peers=False) as running:
            gateway, token = running[EMBEDDED], running.token

            def small() -> None:
                load.wrk(f"{gateway.url}/2k.json", token, 32, 1)

            def large() -> None:
                load.fetch(f"{gateway.url}/200m.ndjson", token)

            for name, work in (("2k", small), ("200m", large)):
                with again_and_again(work):
                    found[name] = record(gateway.pid, DOCS / f"flame-{name}.svg", folder)
            costs = cost(running[EMBEDDED], token) | cost(running[RAW], token)
    found["2k, microseconds"] = costs
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    return 0


def cost(each: Contestant, token: str) -> dict[str, float]:
    """Microseconds of CPU for one exchange of 2 KB, by process. Without the zygote's: what readers
    have spent that it has seen to end is in its times."""
    pids = (each.pid, *load.descendants(each.pid))
    before = {pid: own_processor(pid) for pid in pids}
    run = load.wrk(f"{each.url}/2k.json", token, 32, SECONDS)
    costs: dict[str, float] = {}
    for pid in pids:
        if not Path(f"/proc/{pid}").exists():
            continue  # a reader that was idle, and ended
        spent = own_processor(pid) - before[pid]
        if part := _part(each, pid):
            costs[part] = costs.get(part, 0.0) + spent / run.requests * 1e6
    return {part: round(spent) for part, spent in costs.items() if spent >= 1}


def _part(each: Contestant, pid: int) -> str | None:
    """What a process is called, by its place in the gateway; None for the zygote."""
    if pid == each.pid:
        return f"{each.name}: event loop" if each.name == EMBEDDED else each.name
    command = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    found = re.search(r"gateway[.](decisionlog|policy|inspection)[.]", command)
    return f"{each.name}: {found[1]} process" if found else None


@contextmanager
def again_and_again(work: Callable[[], None]) -> Iterator[None]:
    """Do this until the block ends."""
    done = threading.Event()

    def repeat() -> None:
        while not done.is_set():
            work()

    worker = threading.Thread(target=repeat)
    worker.start()
    try:
        yield
    finally:
        done.set()
        worker.join()


def record(pid: int, picture: Path, folder: Path) -> dict[str, float]:
    """Draw the flames of a process and its children; the share of the samples by room."""
    raw = folder / "stacks"
    for form, path in (("flamegraph", picture), ("raw", raw)):
        command = [
            tool("py-spy"), "record", "--pid", str(pid), "--subprocesses", "--rate", str(RATE),
            "--duration", str(SECONDS), "--format", form, "--output", str(path), "--nonblocking",
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
    picture.write_text(placeless(picture.read_text()))
    return shares(raw.read_text())


def placeless(picture: str) -> str:
    """A picture without the folders of the machine it was made on."""
    return _WORDS.sub(lambda found: _FOLDERS.sub("", found[0]), picture)


def shares(stacks: str) -> dict[str, float]:
    """By the innermost of our modules in each stack, the share of all samples; largest first."""
    samples: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        samples[room(stack)] += int(count)
    total = sum(samples.values())
    return {name: round(each / total, 3) for name, each in samples.most_common() if each}


def room(stack: str) -> str:
    """The innermost frame of ours, as its room; aiohttp's and the interpreter's own otherwise."""
    for found in reversed([*_FRAME.finditer(stack)]):
        file = found["file"].rpartition("site-packages/")[2]
        if ours := re.search(r"gateway/(\w+)(?:/(\w+))?", file):
            return f"{ours[1]}.{ours[2]}" if ours[2] else ours[1]
        if "aiohttp/" in file:
            return "aiohttp"
    return "the event loop, and what it waits for"


if __name__ == "__main__":
    sys.exit(main())
