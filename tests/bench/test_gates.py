"""Gates: what they find in the results, and what they say where something isn't there."""

import copy
from typing import Any

import pytest

from bench.bodies import BODIES
from bench.contestants import EMBEDDED, ENVOY_LUA, MITMPROXY, NGINX_LUA, OPA, RAW
from bench.gates import GATES, judged, slower

FIGURES = {
    "requests_per_second": 100.0, "megabytes_per_second": 100.0, "p50": 1.0, "p99": 1.0,
    "p999": 1.0, "processor_microseconds_per_request": 100.0,
    "processor_milliseconds_per_megabyte": 1.0, "peak_mebibytes": 90.0,
}  # fmt: skip
MEASURED: dict[str, Any] = {
    "machine": {"cores": 2, "python": "3.11.7", "system": "Linux x86_64"},
    "quick": False,
    "rounds": 3,
    "seconds": 600,
    "versions": {"gateway": "1.0"},
    "missing": {},
    "bodies": {
        body.name: {
            name: dict(FIGURES)
            for name in (EMBEDDED, OPA, RAW, NGINX_LUA, ENVOY_LUA, MITMPROXY)
        }
        for body in BODIES
    },
    "planted": {"share": 1.0, "fates": {"2 KB JSON": {EMBEDDED: "blocked", RAW: "released"}}},
    "latency": {
        "idle": 1.0, "during": 1.2, "ratio": 1.2,
        "raw": {"idle": 1.0, "during": 3.0, "ratio": 3.0},
    },
    "memory": {"idle": 100.0, "above_idle": 20.0},
    "stream": {"gateway": 5.0, "raw": 2.0, "above_raw": 3.0},
    "reload": {"failed": 0},
    "scrape": {"worst": 12.0},
    "startup": {"seconds": 0.9},
}  # fmt: skip


@pytest.fixture
def results() -> dict[str, Any]:
    return copy.deepcopy(MEASURED)


def rows(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in judged(results)}


def test_every_gate_finds_its_value(results: dict[str, Any]) -> None:
    assert all(row["value"] is not None for row in judged(results))
    assert not rows(results)["2 KB, embedded: requests/s, × mitmproxy"]["met"]
    results["bodies"]["2 KB JSON"][MITMPROXY]["requests_per_second"] = 1.0
    assert rows(results)["2 KB, embedded: requests/s, × mitmproxy"]["met"]


def test_a_gate_holds_at_its_bound_and_not_beyond(results: dict[str, Any]) -> None:
    name = "2 KB, embedded: requests/s, × raw aiohttp"
    figures = results["bodies"]["2 KB JSON"][EMBEDDED]
    figures["requests_per_second"] = 60.0
    assert rows(results)[name] == {
        "name": name, "value": 0.6, "gate": ">= 0.6", "met": True, "reach": ">= 0.8",
    }  # fmt: skip
    figures["requests_per_second"] = 59.0
    assert not rows(results)[name]["met"]


def test_what_was_not_measured_is_not_met(results: dict[str, Any]) -> None:
    results["bodies"]["10 MB JSON"][NGINX_LUA] = {"failed": "no memory"}
    del results["reload"]
    for name in (
        "10 MB JSON and NDJSON: MB/s, × nginx + Lua",
        "failed requests while policies are replaced",
    ):
        assert rows(results)[name]["value"] is None and not rows(results)[name]["met"]


def test_the_slower_one_of_two_bodies_counts(results: dict[str, Any]) -> None:
    results["bodies"]["10 MB NDJSON"][EMBEDDED]["megabytes_per_second"] = 50.0
    assert rows(results)["10 MB JSON and NDJSON: MB/s, × nginx + Lua"]["value"] == 0.5


def test_a_guard_catches_what_became_slower(results: dict[str, Any]) -> None:
    assert slower(results) == []
    results["bodies"]["10 MB CSV"][EMBEDDED]["megabytes_per_second"] = 0.1
    results["planted"]["share"] = 0.9
    assert [each.partition(":")[0] for each in slower(results)] == [
        "CSV", "planted foreign records blocked, share of all modes",
    ]  # fmt: skip


def test_a_guarded_figure_that_is_not_there_is_a_fault(results: dict[str, Any]) -> None:
    del results["memory"]
    assert slower(results) == ["1 GB NDJSON: MiB above idle: not measured"]


def test_no_guard_asks_for_more_than_its_gate() -> None:
    for gate in GATES:
        if gate.guard is not None:
            assert gate.holds(gate.gate, gate.guard), gate.name
        if gate.reach is not None:
            assert gate.holds(gate.reach, gate.gate), gate.name
