"""Where records may stand in a document."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inspection import locators
from gateway.model import Format
from gateway.workbench.infer.shapes import is_map, places, written
from gateway.workbench.infer.specimens import Contents


def found(*documents: Any) -> list[str]:
    return [place.locator for place in places(Format.JSON, [Contents(d) for d in documents])]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"a": 1}, ["$"]),
        ({"orders": [{"a": 1}], "tags": ["x"]}, ["$", "$.orders[*]"]),
        ([{"a": 1}], ["$", "$[*]"]),
        ({"data": {"items": [{"a": 1}]}}, ["$", "$.data.items[*]"]),
        ({"A1": {"x": 1}, "B2": {"x": 2}}, ["$", "$.*"]),
        ({"customer": {"id": 1}, "address": {"city": "x"}}, ["$"]),
        (
            {"customers": [{"id": 1, "orders": [{"sku": 1}]}]},
            ["$", "$.customers[*]", "$.customers[*].orders[*]"],
        ),
        ({"odd name": [{"a": 1}]}, ["$", "$['odd name'][*]"]),
    ],
)
def test_arrays_of_objects_and_maps_of_alike_ones_may_be_records(
    document: Any, expected: list[str]
) -> None:
    assert found(document) == expected


def test_places_of_all_samples_count_and_an_empty_one_holds_none() -> None:
    documents = [{"orders": []}, {"orders": [{"id": 1}]}]
    (_, orders) = places(Format.JSON, [Contents(each) for each in documents])
    assert orders.records == ((), ({"id": 1},))


def test_lines_and_rows_are_records_themselves() -> None:
    (place,) = places(Format.NDJSON, [Contents([{"a": 1}, {"a": 2}])])
    assert place.locator == "$" and len(place.records[0]) == 2


def test_many_unlike_objects_are_a_map_too() -> None:
    assert is_map({f"r{n}": {f"f{n}": 1} for n in range(8)})
    assert not is_map({f"r{n}": {f"f{n}": 1} for n in range(7)})
    assert not is_map({"a": {}, "b": {}})


@given(st.lists(st.one_of(st.text(max_size=9), st.sampled_from(locators.Wildcard)), max_size=5))
def test_what_is_written_compiles_to_the_same_steps(steps: list[locators.Step]) -> None:
    assert locators.compile(written(steps)) == tuple(steps)
