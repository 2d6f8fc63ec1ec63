"""The part of `docs/sizing.md` on ten thousand exports at once, from what the simulation found."""

from collections.abc import Mapping
from typing import Any

MEBI = 2**20


def section(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Its paragraphs and its table, in Markdown."""
    mix = ", ".join(
        f"{100 * share:g} % of {_size(int(size))}" for size, share in found["mix"].items()
    )
    refusals, greedy, others = found["refusals"], found["greedy"], found["others"]
    throughput, inside = found["throughput"], found["in_gateway"]
    memory, spool, places = found["memory"], found["spool"], found["places"]
    return (
        "## Ten thousand at once",
        f"`python -m bench.simulation` has {found['exports']:,} exports asked for in one moment by"
        f" {found['callers']} callers ({mix}; {found['bytes'] / 1e9:.0f} GB), one of whom asks for"
        f" {greedy['exports']:,}. Every tenth caller reads at 1 MB/s. The gateway's own admission"
        f" code runs on a clock that jumps, with the processor times above as the work, on"
        f" {found['cores']} cores and with the default settings. Whoever is answered 503 asks again"
        " when `Retry-After` says so, or up to twice as late.",
        _table(
            ("", "the model says", "simulated"),
            (
                (
                    "exports a second, until there are fewer than places",
                    f"{throughput['predicted']:g}",
                    f"{throughput['simulated']:g}",
                ),
                (
                    "memory above idle",
                    f"at most {_mebi(memory['bound'])}",
                    _mebi(memory["peak"]),
                ),
                ("bodies in the spool", f"at most {_mebi(spool['bound'])}", _mebi(spool["peak"])),
                ("exports in the gateway", f"at most {places['limit']}", str(places["peak"])),
                (
                    "of one caller",
                    f"at most {places['limit'] // 2}",
                    str(greedy["places_peak"]),
                ),
                ("exports served in the end", str(found["exports"]), str(found["served"])),
            ),
        ),
        "The model: exports a second = cores ÷ mean processor time of one; memory = `exchanges` ×"
        f" {_mebi(memory['bound'] // places['limit'], 1)}; fetched bodies fill half of"
        " `spool.limit`. The first line holds where the processor is what limits: with more of the"
        " largest bodies the room in the spool does, and fewer pass."
        f" What is refused costs about half a small export, and {sum(refusals.values()):,} refusals"
        f" are counted in the first line: {_told(refusals)}.",
        f"Nobody starves: an export is in the gateway for {inside['median']:g} s (median;"
        f" {inside['p99']:g} s at the 99th percentile). From the first request on, half of a"
        f" caller's exports are there after {others['median']} s; of the worst served caller after"
        f" {others['worst']} s, of the greedy one after {greedy['median']} s.",
    )


def _told(refusals: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} × {what}" for what, number in sorted(refusals.items()))


def _size(size: int) -> str:
    return f"{size / 1e6:g} MB" if size >= 1e6 else f"{size / 1e3:g} KB"


def _mebi(size: int, digits: int = 0) -> str:
    return f"{size / MEBI:,.{digits}f} MiB"


def _table(heads: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> str:
    rule = ("---", *("---:" for _ in heads[1:]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, rule, *rows))
