"""The page on performance is what was measured, and says who didn't take part."""

import copy
import json

from bench.__main__ import RESULTS
from bench.bodies import BODIES
from bench.contestants import EMBEDDED, MITMPROXY, RAW
from bench.flames import RESULTS as FLAMES
from bench.gates import judged
from bench.page import PAGE, page
from tests.bench.test_gates import MEASURED

SHARES = {
    "2k": {"aiohttp": 0.4, "wire": 0.3},
    "200m": {"inspection.jsontext": 0.9},
    "2k, microseconds": {"gateway: event loop": 400.0, "raw aiohttp": 150.0},
}


def test_the_page_is_what_was_measured() -> None:
    assert PAGE.read_text() == page(
        json.loads(RESULTS.read_text()), json.loads(FLAMES.read_text())
    ), "python -m bench --page"


def test_the_gates_of_the_results_are_judged_from_their_figures() -> None:
    results = json.loads(RESULTS.read_text())
    assert results["gates"] == judged(results)


def test_every_body_and_gate_has_its_row() -> None:
    results = {**MEASURED, "gates": judged(MEASURED)}
    written = page(results, SHARES)
    for body in BODIES:
        assert f"### {body.name}" in written
    for row in results["gates"]:
        assert f"| {row['name']} |" in written


def test_what_the_raw_pass_through_makes_of_a_large_body_stands_beside_the_gateway_s() -> None:
    written = page({**MEASURED, "gates": judged(MEASURED)}, SHARES)
    assert f"| {EMBEDDED} | 1.0 | 1.2 | 1.20 |\n| {RAW} | 1.0 | 3.0 | 3.00 |" in written


def test_every_format_has_its_row() -> None:
    row = {"bytes": 4_000_000, "records": 20_000, "gateway": 12.34, "raw": 400.0, "ratio": 0.031}
    written = page({**MEASURED, "gates": judged(MEASURED), "formats": {"csv": row}}, SHARES)
    assert "| csv | 4,000,000 | 20,000 | 12.3 | 400 | 0.031 |" in written


def test_every_step_has_its_row_and_all_of_them_a_sum() -> None:
    costs = {"event loop": {"admit the request": 7.5, "inspect the body": 40.0}}
    written = page({**MEASURED, "gates": judged(MEASURED), "steps": costs}, SHARES)
    assert "| event loop | inspect the body | 40.0 |" in written
    assert "| event loop | **together** | 47.5 |" in written


def test_who_is_missing_or_failed_is_named() -> None:
    results = copy.deepcopy(MEASURED)
    results["missing"] = {"Envoy": "there is no envoy"}
    results["bodies"]["10 MB JSON"][MITMPROXY] = {"failed": "timed out"}
    written = page({**results, "gates": judged(results)}, SHARES)
    assert "**Envoy did not take part**: there is no envoy" in written
    assert "failed: timed out" in written
    assert f"| {RAW} | 100 | 100.0 | 1.0 |" in written
    assert "| inspection.jsontext | 90% |" in written
