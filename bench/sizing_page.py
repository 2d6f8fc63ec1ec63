"""`docs/sizing.md`, from what was measured: no number in it is typed by hand."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.simulation_page import section

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, DEPLOY = DOCS / "sizing.md", DOCS / "deploy.md"
BEGIN, END = "<!-- sizing: written by python -m bench.sizing; do not edit -->", "<!-- /sizing -->"
MEBI, BIG = 2**20, 900_000
SMALL_RATE, BIG_RATE, BIG_TOGETHER, ROOM = 20, 0.5, 8, 1.5
"""The worked example: exports a second, small and big, big ones at once, and headroom."""

Cell = Mapping[str, Any]


def page(results: Mapping[str, Any], simulated: Mapping[str, Any]) -> str:
    """The whole page, as Markdown; `simulated` is what `bench.simulation` found."""
    cells: Sequence[Cell] = results["cells"]
    machine = results["machine"]
    parts = [
        "# Sizing",
        "<!-- written by python -m bench.sizing; do not edit -->",
        "What one export costs: processor time and memory of all of the gateway's processes, by"
        " format, body size and how many are under way at once."
        f" Measured on {machine['cores']} cores ({machine['system']}, Python {machine['python']})"
        " with everything on one machine; memory is proportional set size, so that pages that"
        " processes share are counted once. `make sizing` measures again, on yours.",
        "## Processor time",
        "Milliseconds of processor time for one export, where so many were under way at once. The"
        " last column is the price of a megabyte, where the size is what costs. Cores needed ="
        " exports a second × time of one.",
        _table(
            ("format", "size", *(f"{n} at once, ms" for n in _together(cells)), "ms per MB"),
            (
                (
                    kind,
                    _size(size),
                    *(
                        _number(1000 * row[n]["processor_per_export"]) if n in row else "–"
                        for n in _together(cells)
                    ),
                    _number(1000 * row[min(row)]["processor_per_megabyte"]) if size >= BIG else "–",
                )
                for (kind, size), row in _rows(cells).items()
            ),
        ),
        "Small exports cost what an exchange costs (token, policy, log); from about a megabyte on,"
        " reading the body is nearly all of it. One process runs the event loop, and can't use more"
        " than one core; bodies above `inspection.inline` are read in `inspection.workers`"
        " processes of their own.",
        "## Memory",
        f"Idle, all processes hold {_mebi(results['memory_idle'])} together. The table shows the"
        " peak of all processes, and behind it the peak of the spool. `–`: not measured, because"
        " so much under way at once would have measured the disk.",
        _table(
            ("format", "size", *(f"{n} at once" for n in _together(cells))),
            (
                (
                    kind,
                    _size(size),
                    *(
                        f"{_mebi(row[n]['memory_peak'])} + {_mebi(row[n]['spool_peak'])}"
                        if n in row
                        else "–"
                        for n in _together(cells)
                    ),
                )
                for (kind, size), row in _rows(cells).items()
            ),
        ),
        f"After all of it, the processes held {_mebi(results['memory_after'])}.",
        "**A spool in memory is memory.** The spool holds what waits for its verdict: bodies above"
        " `spool.memory`, once while they are inspected, and twice while a redacted one is written."
        " On a disk that is disk. On an `emptyDir` with `medium: Memory` it counts against the"
        " container's memory limit, like everything else in the container, and `sizeLimit` must be"
        " within that limit.",
        "## Worked example",
        *_example(results),
        *section(simulated),
    ]
    return "\n\n".join(_wrapped(part) for part in parts) + "\n"


def deploy(text: str, results: Mapping[str, Any]) -> str:
    """`docs/deploy.md` with its part on sizing written anew. Raises ValueError without a place."""
    before, after = text.index(BEGIN), text.index(END)
    return "\n\n".join((text[:before] + BEGIN, *_excerpt(results), text[after:]))


def _excerpt(results: Mapping[str, Any]) -> tuple[str, ...]:
    rows = _rows(results["cells"])
    machine = results["machine"]
    return (
        _wrapped(
            f"Measured on {machine['cores']} cores ({machine['system']}): one export at a time; in"
            f" [sizing](sizing.md) there is more, and how to measure yours. Idle, a gateway's"
            f" processes hold {_mebi(results['memory_idle'])}."
        ),
        _table(
            ("format", "size", "processor time, ms", "memory of the processes", "spool"),
            (
                (
                    kind,
                    _size(size),
                    _number(1000 * row[1]["processor_per_export"]),
                    _mebi(row[1]["memory_peak"]),
                    _mebi(row[1]["spool_peak"]),
                )
                for (kind, size), row in rows.items()
                if size >= BIG
            ),
        ),
    )


def _wrapped(part: str) -> str:
    """Prose in lines of 100 characters; tables, code and lists as they are."""
    return part if part.startswith(("#", "|", "```", "- ")) else textwrap.fill(part, 100)


def _example(results: Mapping[str, Any]) -> tuple[str, ...]:
    cells: Sequence[Cell] = results["cells"]
    small = _nearest(cells, "json", 100_000, BIG_TOGETHER)
    big = _nearest(cells, "ndjson", 10_000_000, BIG_TOGETHER)
    cores = SMALL_RATE * small["processor_per_export"] + BIG_RATE * big["processor_per_export"]
    request = _up(1000 * cores * ROOM, 50)
    processes = max(small["memory_peak"], big["memory_peak"])
    spool = 2 * BIG_TOGETHER * big["size"]
    idle = _up(results["memory_idle"] * ROOM / MEBI, 16)
    spool_mebi = _up(spool / MEBI, 16)
    limit = _up(processes * ROOM / MEBI, 16) + spool_mebi
    return (
        f"A service answers {SMALL_RATE} exports a second of {_size(small['size'])} JSON, and"
        f" now and then ({BIG_RATE:g} a second, up to {BIG_TOGETHER} at once) one of"
        f" {_size(big['size'])} NDJSON, some of them redacted. The spool is in memory.",
        f"- processor: {SMALL_RATE} × {_number(1000 * small['processor_per_export'])} ms +"
        f" {BIG_RATE:g} × {_number(1000 * big['processor_per_export'])} ms ="
        f" {_number(cores)} cores; with half as much again for peaks: {request}m.\n"
        f"- memory of the processes: at most {_mebi(processes)}; with half as much again:"
        f" {_up(processes * ROOM / MEBI, 16)} MiB.\n"
        f"- spool: {BIG_TOGETHER} bodies of {_size(big['size'])}, twice, because a redacted one"
        f" is held beside its original: {spool_mebi} MiB. More is refused with `spool_full`,"
        " never waited for.",
        "```yaml\n"
        "resources:\n"
        f"  requests: {{cpu: {request}m, memory: {idle + spool_mebi}Mi}}\n"
        f"  limits: {{memory: {limit}Mi}}     # {limit - spool_mebi} for the processes,"
        f" {spool_mebi} for the spool\n"
        "```",
        "No processor limit: a throttled event loop holds up every exchange, and"
        " `privacy_gateway_event_loop_lag_seconds` shows it.",
    )


def _nearest(cells: Iterable[Cell], kind: str, size: int, together: int) -> Cell:
    return min(
        (each for each in cells if each["format"] == kind and each["together"] == together),
        key=lambda each: abs(math.log(each["size"] / size)),
    )


def _rows(cells: Iterable[Cell]) -> dict[tuple[str, int], dict[int, Cell]]:
    rows: dict[tuple[str, int], dict[int, Cell]] = {}
    for cell in cells:
        rows.setdefault((cell["format"], cell["size"]), {})[cell["together"]] = cell
    return rows


def _together(cells: Iterable[Cell]) -> list[int]:
    return sorted({cell["together"] for cell in cells})


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---", "---", *["---:"] * (len(heads) - 2)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _size(count: int) -> str:
    for size, name in ((10**6, "MB"), (10**3, "KB")):
        if count >= size / 2:
            return (
                f"{count / size:.2g} {name}" if count < 100 * size else f"{count / size:.0f} {name}"
            )
    return f"{count} bytes"


def _mebi(count: int) -> str:
    return f"{count / MEBI:.0f} MiB"


def _number(value: float) -> str:
    """Two digits that count."""
    if value == 0:
        return "0"
    places = max(0, 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{places}f}"


def _up(value: float, step: int) -> int:
    return step * math.ceil(value / step)
