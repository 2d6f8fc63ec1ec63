"""`docs/performance.md`, from what the contest measured: no number in it is typed by hand."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.bodies import BODIES
from bench.contestants import BARE, EMBEDDED, RAW

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"

INTRODUCTION = """\
# Performance

<!-- Written by python -m bench. Don't edit. -->

`make bench` runs this gateway and what one would take instead of it, one worker each, on the same
bodies from the same upstream, one after the other, in rounds; what stands here are medians. `make
bench QUICK=1` takes less than three minutes and shows the gates. **Only ratios within one run mean
anything on a shared machine**: read across a row, not down a column. MB are those that the service
sent, also where a part of them was dropped.

Of these only the gateway proves a token, asks a policy, keeps a record of what it did and reads
CSV, archives and coded bodies. *nginx + Lua + cjson* and *mitmproxy* parse JSON and compare each
record's owner with an account from a header; *Envoy + Lua* compares what stands at the owner's
place by a pattern and parses nothing. The others pass everything through unread.
*raw aiohttp* hands on what any proxy has to: method, target, fields and body of the request, and
status, fields and body of the answer as it comes. *aiohttp, bare*, for 2 KB only, asks for the path
and answers with the body at once, without a field: no proxy, but the least that aiohttp can do.
"""

QUICK = ": the quick contest, with one short round and the most telling bodies."
_LARGEST = 8

FLAMES = """\
## Where the time goes

`python -m bench.flames` samples all processes of the gateway with py-spy while a load runs.

What costs most of 2 KB, and what was done about it:

1. **HTTP in Python** (`aiohttp`, `wire`, `proxy/`, the event loop): connections of our own instead
   of the client's sessions, one write for head and body, no timer for each exchange.
2. **The decision log** (`decisionlog/`): an entry is durable before its first byte leaves. One
   sync serves all entries that wait, and another process renders, hashes and writes them.
3. **The decision** (`policy/rego_worker.py`): Rego, in a process of its own. Its answer is not kept
   for the next question: a policy may look at the time, and each question has its own. The library
   that ships runs as a compiled program ([ADR 19](adr/0019-the-library-runs-as-a-program.md)).

Nothing is left that stands out: [ADR 15](adr/0015-what-small-exchanges-cost.md) has the reckoning,
and [ADR 21](adr/0021-small-exchanges-in-compiled-code.md) a measured prototype of what would be
faster.

What costs most of 200 MB, and what was done about it:

1. **Reading the records** (`inspection/jsonmatcher.py`): most are matched by a pattern that was
   learnt from those before, which is faster than parsing them by jiter, the only parser that
   refuses duplicate names. [ADR 18](adr/0018-large-bodies-and-a-compiled-scanner.md) has what a
   compiled scanner would give.
2. **Whose they are** (`inspection/tally.py`, `locators.py`): the identifiers come out of the
   same search, and what follows from one is remembered from batch to batch.
3. **The way of the bytes** (`proxy/`, `spool`, the event loop): received past the parser into
   the spool's file, read there by the process that inspects, and sent from there by the system.
"""

_COLUMNS = (
    ("requests/s", "requests_per_second", 0),
    ("MB/s", "megabytes_per_second", 1),
    ("p50 ms", "p50", 1),
    ("p99 ms", "p99", 1),
    ("p99.9 ms", "p999", 1),
    ("CPU µs a request", "processor_microseconds_per_request", 0),
    ("CPU ms a MB", "processor_milliseconds_per_megabyte", 2),
    ("peak RSS MiB", "peak_mebibytes", 0),
)


def page(results: Mapping[str, Any], flames: Mapping[str, Mapping[str, float]]) -> str:
    """The whole page."""
    parts = [
        INTRODUCTION, _where(results), _gates(results["gates"]), _policy(results), _speed(results),
        _formats(results), _beside(results["latency"]), _flames(flames), _steps(results),
        _planted(results["planted"]["fates"]), _bodies(results["bodies"]),
    ]  # fmt: skip
    return "\n".join(part.rstrip() + "\n" for part in parts if part)


def _where(results: Mapping[str, Any]) -> str:
    machine, missing = results["machine"], results["missing"]
    versions = ", ".join(f"{name} {each}" for name, each in results["versions"].items())
    said = (
        f"Measured on {machine['cores']} cores ({machine['system']}, Python {machine['python']});"
        f" {versions}. One run, rounds: {results['rounds']}, {results['seconds'] / 60:.0f} minutes"
        f"{QUICK if results['quick'] else '.'}"
    )
    absent = [
        f"**{name} did not take part**: {why.splitlines()[0]}" for name, why in missing.items()
    ]
    return "\n\n".join([said, *absent])


def _gates(rows: Iterable[Mapping[str, Any]]) -> str:
    table = [
        (row["name"], "-" if row["value"] is None else f"{row['value']:g}", row["gate"],
         row["reach"] or "", "yes" if row["met"] else "**no**")
        for row in rows
    ]  # fmt: skip
    return "## Gates\n\n" + _table(("", "value", "gate", "reach for", "met"), table)


def _policy(results: Mapping[str, Any]) -> str:
    policy = results.get("policy", {})
    table = [
        (name, f"{row['value']:g}", row["gate"], "yes" if row["met"] else "**no**")
        for name, row in policy.get("gates", {}).items()
    ] + [(name, str(value), "", "") for name, value in policy.get("measured", {}).items()]
    return "### Decisions\n\n" + _table(("", "value", "gate", "met"), table) if table else ""


def _speed(results: Mapping[str, Any]) -> str:
    names = [each for each in next(iter(results["bodies"].values())) if each not in (RAW, BARE)]
    table = []
    for body, rows in results["bodies"].items():
        raw = rows[RAW]["megabytes_per_second"]
        table.append((body, *(_ratio(rows.get(name), raw) for name in names)))
    return (
        "## Speed, × raw aiohttp\n\n"
        "![Speed of each contestant as a multiple of raw aiohttp's, by body](performance-speed.png)"
        "\n\n" + _table(("MB/s", *names), table)
    )


FORMATS = """\
## Every format

`python -m bench.formats`: the bodies of the end-to-end tests, grown; every record says whose it is.
They are small, so that what one record (or member) costs weighs more than in most exports.

"""


def _formats(results: Mapping[str, Any]) -> str:
    table = [
        (name, f"{row['bytes']:,}", f"{row['records']:,}", f"{row['gateway']:.1f}",
         f"{row['raw']:.0f}", f"{row['ratio']:.3f}")
        for name, row in results.get("formats", {}).items()
    ]  # fmt: skip
    headings = ("", "bytes", "records", "MB/s", "raw aiohttp, MB/s", "×")
    return FORMATS + _table(headings, table) if table else ""


BESIDE = """\
## Small requests beside 200 MB

A hundred a second, by themselves and while 200 MB are passed through (the gateway: and read). The
service and both callers share the cores with them.

"""


def _beside(latency: Mapping[str, Any]) -> str:
    table = [
        (name, f"{row['idle']:.1f}", f"{row['during']:.1f}", f"{row['ratio']:.2f}")
        for name, row in ((EMBEDDED, latency), (RAW, latency["raw"]))
    ]
    return BESIDE + _table(("", "p99 ms", "beside 200 MB", "×"), table)


STEPS = """\
### The gateway's own code in 2 KB

`python -m bench.steps`: each step called by itself, again and again. What the event loop spends
beyond these is asyncio, aiohttp's parser, the system's calls, and the two processes that are asked.

"""


def _steps(results: Mapping[str, Any]) -> str:
    table = [
        (process, name, f"{cost:.1f}")
        for process, costs in results.get("steps", {}).items()
        for name, cost in (*costs.items(), ("**together**", sum(costs.values())))
    ]
    return STEPS + _table(("", "", "µs"), table) if table else ""


def _ratio(row: Mapping[str, Any] | None, raw: float) -> str:
    if row is None:
        return "not read"
    return "failed" if "failed" in row else f"{row['megabytes_per_second'] / raw:.2f}"


def _flames(found: Mapping[str, Mapping[str, float]]) -> str:
    parts = [FLAMES.rstrip()]
    costs = [(part, f"{spent:.0f}") for part, spent in found["2k, microseconds"].items()]
    parts.append(_table(("2 KB, 32 callers", "CPU µs an exchange"), costs))
    for name in ("2k", "200m"):
        shares = found[name]
        table = [(room, f"{share:.0%}") for room, share in list(shares.items())[:_LARGEST]]
        title = {"2k": "2 KB of JSON, 32 callers", "200m": "200 MB of NDJSON, one caller"}[name]
        shown = f"[The flames](flame-{name}.svg), and the samples by room, all processes together:"
        parts.append(f"### {title}\n\n{shown}\n\n" + _table(("", "share"), table))
    return "\n\n".join(parts)


def _planted(fates: Mapping[str, Mapping[str, str]]) -> str:
    names = list(next(iter(fates.values())))
    table = [
        (body, *(found.get(name, "not read") for name in names)) for body, found in fates.items()
    ]
    return (
        "## One foreign record\n\n"
        "Each body once more, with one record of somebody else at a random place. *cut*: the head"
        " was out already, and the connection ends before the body does.\n\n"
        + _table(("", *names), table)
    )


def _bodies(found: Mapping[str, Mapping[str, Any]]) -> str:
    parts = [
        "## Each body\n\n"
        "![Processor time for each megabyte, by contestant](performance-processor.png)"
    ]
    sizes = {body.name: body for body in BODIES}
    for body, rows in found.items():
        table = []
        for name, row in rows.items():
            if "failed" in row:
                table.append((name, f"failed: {row['failed']}", *[""] * (len(_COLUMNS) - 1)))
            else:
                table.append((name, *(f"{row[key]:,.{digits}f}" for _, key, digits in _COLUMNS)))
        coded = f", served as {sizes[body].coding}" if sizes[body].coding else ""
        headings = ("", *(heading for heading, _, _ in _COLUMNS))
        parts.append(f"### {body}{coded}\n\n" + _table(headings, table))
    return "\n\n".join(parts)


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [_row(headings := tuple(headings)), _row("---" for _ in headings), *map(_row, rows)]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
