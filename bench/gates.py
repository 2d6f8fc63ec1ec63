"""What must hold: every gate of the project's speed, in this one file.

All are within one run. A `gate` is what was promised, `reach` what would be better, and `guard`
what continuous integration holds the quick contest against: lower where a gate is not met yet, and
with room for a noisy machine, so that what it catches is a change that made things slower.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.contestants import EMBEDDED, ENVOY_LUA, MITMPROXY, NGINX_LUA, OPA, RAW

Results = dict[str, Any]
Value = Callable[[Results], float]
"""Finds the value in the results. Raises KeyError where it was not measured."""


@dataclass(frozen=True, slots=True)
class Gate:
    """`sign` is `>=` or `<=`; `value` is compared with `gate`."""

    name: str
    sign: str
    gate: float
    value: Value
    reach: float | None = None
    guard: float | None = None

    def holds(self, value: float, bound: float) -> bool:
        return _COMPARED[self.sign](value, bound)


_COMPARED: dict[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le}


def of(body: str, what: str, one: str, other: str) -> Value:
    """How often the figure of one contestant holds that of another."""
    return lambda results: results["bodies"][body][one][what] / results["bodies"][body][other][what]


def either(what: str, one: str, other: str) -> Value:
    """The lower one of 10 MB JSON and 10 MB NDJSON."""
    each = [of(f"10 MB {kind}", what, one, other) for kind in ("JSON", "NDJSON")]
    return lambda results: min(value(results) for value in each)


def at(*path: str) -> Value:
    """A figure of the results by itself."""

    def find(results: Results) -> float:
        found: Any = results
        for name in path:
            found = found[name]
        return float(found)

    return find


_RATE, _SPEED = "requests_per_second", "megabytes_per_second"
_LARGE = "200 MB NDJSON"

GATES = (
    Gate("2 KB, embedded: requests/s, × raw aiohttp", ">=", 0.6,
         of("2 KB JSON", _RATE, EMBEDDED, RAW), reach=0.8, guard=0.2),
    Gate("2 KB, embedded: requests/s, × raw aiohttp, at the least", ">=", 0.4,
         of("2 KB JSON", _RATE, EMBEDDED, RAW)),
    Gate("2 KB, embedded: p99, × raw aiohttp", "<=", 1.8,
         of("2 KB JSON", "p99", EMBEDDED, RAW), guard=16),
    Gate("2 KB, embedded: requests/s, × mitmproxy", ">=", 5,
         of("2 KB JSON", _RATE, EMBEDDED, MITMPROXY)),
    Gate("2 KB, OPA: requests/s, × raw aiohttp", ">=", 0.35,
         of("2 KB JSON", _RATE, OPA, RAW), reach=0.5, guard=0.05),
    Gate("10 MB JSON and NDJSON: MB/s, × nginx + Lua", ">=", 2,
         either(_SPEED, EMBEDDED, NGINX_LUA), reach=4),
    Gate("10 MB JSON and NDJSON: MB/s, × Envoy + Lua", ">=", 1.3,
         either(_SPEED, EMBEDDED, ENVOY_LUA)),
    Gate("10 MB JSON and NDJSON: MB/s, × mitmproxy", ">=", 4,
         either(_SPEED, EMBEDDED, MITMPROXY)),
    Gate("200 MB NDJSON: MB/s, × raw aiohttp", ">=", 0.15,
         of(_LARGE, _SPEED, EMBEDDED, RAW), reach=0.3, guard=0.07),
    Gate("200 MB NDJSON: peak RSS, MiB", "<=", 100,
         at("bodies", _LARGE, EMBEDDED, "peak_mebibytes"), guard=110),
    Gate("200 MB NDJSON, a third dropped: MB/s, × raw aiohttp", ">=", 0.13,
         of(f"{_LARGE}, a third dropped", _SPEED, EMBEDDED, RAW), reach=0.25, guard=0.05),
    Gate("CSV: MB/s, × raw aiohttp", ">=", 0.06,
         of("10 MB CSV", _SPEED, EMBEDDED, RAW), reach=0.25, guard=0.04),
    Gate("ZIP by manifest: MB/s, × raw aiohttp", ">=", 0.6,
         of("100 MB ZIP by manifest", _SPEED, EMBEDDED, RAW), reach=0.8, guard=0.2),
    Gate("ZIP, inflated: MB/s of the archive, × raw aiohttp", ">=", 0.13,
         of("200 MB of recordings in a ZIP, inflated", _SPEED, EMBEDDED, RAW), reach=0.25,
         guard=0.05),
    Gate("small requests during 200 MB: p99, × idle", "<=", 2,
         at("latency", "ratio"), reach=1.3),
    Gate("stream release, first record of 200 MB: ms above raw aiohttp", "<=", 50,
         at("stream", "above_raw"), reach=5),
    Gate("planted foreign records blocked, share of all modes", ">=", 1,
         at("planted", "share"), guard=1),
    Gate("1 GB NDJSON: MiB above idle", "<=", 64, at("memory", "above_idle"), guard=64),
    Gate("failed requests while policies are replaced", "<=", 0, at("reload", "failed")),
    Gate("scrape of 100 endpoints, ms", "<=", 20, at("scrape", "worst")),
    Gate("start until ready, embedded, s", "<=", 1, at("startup", "seconds")),
)  # fmt: skip


def judged(results: Results) -> list[dict[str, Any]]:
    """Each gate with its value, and whether it holds; without a value where that is not there."""
    rows = []
    for gate in GATES:
        try:
            value: float | None = round(gate.value(results), 3)
        except KeyError:
            value = None
        rows.append(
            {
                "name": gate.name,
                "value": value,
                "gate": f"{gate.sign} {gate.gate}",
                "met": value is not None and gate.holds(value, gate.gate),
                "reach": None if gate.reach is None else f"{gate.sign} {gate.reach}",
            }
        )
    return rows


def slower(results: Results) -> list[str]:
    """What is beyond its guard, in words."""
    found = []
    for gate in GATES:
        if gate.guard is None:
            continue
        try:
            value = gate.value(results)
        except KeyError:
            found.append(f"{gate.name}: not measured")
            continue
        if not gate.holds(value, gate.guard):
            found.append(f"{gate.name}: {value:.3f}, and not {gate.sign} {gate.guard}")
    return found
