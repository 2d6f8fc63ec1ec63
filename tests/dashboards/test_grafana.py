"""The JSON: current, read back by Grafana's own types, one screen high, and no panel on another."""

import json
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard

from dashboards.__main__ import TARGET
from dashboards.answers import panels
from dashboards.grafana import COLUMNS, placed, rendered
from dashboards.panels import Kind, Panel, Row

FULL_HD = 1080
BROWSER_AND_BARS = 150
"""Pixels that a browser in full screen and Grafana's own bars take."""
LINE, BETWEEN = 30, 8
"""Pixels of a grid unit and of the space below it (GRID_CELL_HEIGHT and GRID_CELL_VMARGIN)."""


@pytest.fixture(scope="module")
def board() -> dict[str, Any]:
    model: dict[str, Any] = json.loads(rendered())
    return model


def test_the_file_in_the_chart_is_what_the_code_says() -> None:
    assert TARGET.read_text() == rendered(), "run: python -m dashboards"


def test_grafanas_own_types_read_it_back_without_losing_anything(board: dict[str, Any]) -> None:
    register_default_plugins()
    read = dashboard.Dashboard.from_json(board)
    again = json.loads(json.dumps(read, cls=JSONEncoder))
    for each in (*again["links"], *again["annotations"]["list"]):
        each.pop("placement")  # see grafana.rendered
    assert again == board


def test_the_main_part_fits_on_one_screen(board: dict[str, Any]) -> None:
    unfolded = [each["gridPos"] for each in board["panels"] if not each.get("collapsed")]
    lines = max(place["y"] + place["h"] for place in unfolded)
    assert lines * (LINE + BETWEEN) <= FULL_HD - BROWSER_AND_BARS + BETWEEN


def every(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows, and panels in them and between them."""
    return [*board["panels"], *(each for row in board["panels"] for each in row.get("panels", ()))]


def test_no_panel_lies_on_another_and_each_line_is_full(board: dict[str, Any]) -> None:
    cells = [
        (x, y)
        for place in (each["gridPos"] for each in every(board))
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    for line in {y for _, y in cells}:
        assert {x for x, y in cells if y == line} == set(range(COLUMNS))


@pytest.mark.parametrize("key", ["id", "title"])
def test_ids_and_titles_are_unique(board: dict[str, Any], key: str) -> None:
    values = [each[key] for each in every(board)]
    assert len(values) == len(set(values))


def test_a_name_with_a_meaning_has_one_colour_everywhere(board: dict[str, Any]) -> None:
    meanings = {"released", "redacted", "blocked", "refused", "observed"}
    seen: dict[str, set[str]] = {}
    for panel in panels(board):
        fixed = {
            override["matcher"]["options"]: each["value"]["fixedColor"]
            for override in panel["fieldConfig"]["overrides"]
            for each in override["properties"]
            if each["id"] == "color"
        }
        for target in panel["targets"]:
            if target["legendFormat"] in meanings and panel["title"] != "Bytes":
                seen.setdefault(target["legendFormat"], set()).add(fixed[target["refId"]])
    assert set(seen) == meanings
    assert all(len(colours) == 1 for colours in seen.values())
    assert len({*map(frozenset, seen.values())}) == len(meanings)


def test_each_panel_says_what_good_looks_like(board: dict[str, Any]) -> None:
    for panel in panels(board):
        assert "Good" in panel["description"] or "incident" in panel["description"], panel["title"]


def test_a_row_that_leaves_a_gap_is_an_error() -> None:
    half = Panel("half", Kind.LINES, 12, "Good.", ())
    with pytest.raises(ValueError, match="ends at column 12"):
        list(placed(Row("?", [half]), 0))
    with pytest.raises(ValueError, match="does not fit"):
        list(placed(Row("?", [half, Panel("wide", Kind.LINES, 13, "Good.", ())]), 0))
    assert [place.x for _, place in placed(Row("?", [half, half]), 0)] == [0, 12]
