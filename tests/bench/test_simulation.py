"""Many exports at once, with the gateway's own admission: the cost model holds, and nobody starves.

A small simulation is run here, and the recorded one of ten thousand is held against the same.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from bench import simulation, virtual
from bench.simulation import CALLERS, PER_EXCHANGE, RECORDED, RESULTS, TOLERANCE
from bench.simulation_page import section
from gateway.proxy.settings import ClientSettings
from gateway.spool import SpoolSettings

RECORD: Mapping[str, Any] = json.loads(RECORDED.read_text())


@pytest.fixture(scope="module")
def small() -> Mapping[str, Any]:
    return simulation.run(RECORD, 5_000, ClientSettings(exchanges=300))


@pytest.fixture(params=["small", "recorded"])
def found(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    if request.param == "small":
        return request.getfixturevalue("small")  # type: ignore[no-any-return]
    return json.loads(RESULTS.read_text())  # type: ignore[no-any-return]


def test_the_recorded_one_is_of_ten_thousand() -> None:
    found = json.loads(RESULTS.read_text())
    assert (found["exports"], found["callers"]) == (10_000, CALLERS)


def test_none_is_lost_and_what_is_refused_is_told_to_come_back(found: Mapping[str, Any]) -> None:
    assert found["served"] == found["exports"]
    assert found["refusals"].keys() <= {
        "client.exchanges",
        "the caller has its share of client.exchanges",
        "the caller has its share of spool.limit",
        "no room within spool.wait",
    }
    assert sum(found["refusals"].values()) > 0, "a simulation in which nothing is scarce"


def test_as_many_are_served_as_the_cost_model_predicts(found: Mapping[str, Any]) -> None:
    throughput = found["throughput"]
    assert throughput["simulated"] == pytest.approx(throughput["predicted"], rel=TOLERANCE)


def test_memory_spool_and_places_stay_within_what_is_configured(found: Mapping[str, Any]) -> None:
    for what in ("memory", "spool"):
        assert 0 < found[what]["peak"] <= found[what]["bound"]
    assert found["places"]["peak"] <= found["places"]["limit"]


def test_the_greedy_caller_waits_for_itself_and_nobody_for_it(found: Mapping[str, Any]) -> None:
    assert found["greedy"]["places_peak"] <= found["places"]["limit"] // 2
    assert found["others"]["worst"] < found["greedy"]["median"]


def test_where_the_spool_is_scarce_it_is_never_overdrawn_and_all_are_served() -> None:
    room = SpoolSettings(limit=500 * 10**6, wait=1.0)
    found = simulation.run(RECORD, 300, room=room)
    assert found["served"] == 300
    assert found["spool"]["peak"] <= found["spool"]["limit"]
    assert "no room within spool.wait" in found["refusals"]


def test_the_memory_of_an_exchange_is_no_more_than_was_measured() -> None:
    """The bound is of blocks; what 32 at once took above 8, for which all processes are there
    already, was less for each."""
    cells = {(each["format"], each["size"], each["together"]): each for each in RECORD["cells"]}
    more = [
        (each["memory_peak"] - cells[kind, size, 8]["memory_peak"]) / (together - 8)
        for (kind, size, together), each in cells.items()
        if together > 8
    ]
    assert max(more) <= PER_EXCHANGE


def test_hours_pass_in_no_time_and_who_waits_in_vain_is_told() -> None:
    async def day() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert virtual.run(day()) == pytest.approx(86_400)
    assert time.monotonic() - began < 60

    async def in_vain() -> None:
        await asyncio.Event().wait()

    with pytest.raises(virtual.Stuck):
        virtual.run(in_vain())


def test_every_number_of_the_section_is_what_was_found(small: Mapping[str, Any]) -> None:
    text = "\n".join(section(small))
    assert "5,000 exports" in text
    predicted, simulated = small["throughput"].values()
    assert f"| {predicted:g} | {simulated:g} |" in text
    assert f"{small['greedy']['median']} s." in text
