"""The picture: drawn whole from answers, whatever is missing in them."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from dashboards.answers import Series, panels
from dashboards.drawing import Colours, threshold_colour
from dashboards.grafana import rendered
from dashboards.panels import Colour
from dashboards.picture import HIGH, WIDE, drawn

BOARD: dict[str, Any] = json.loads(rendered())
SPAN = (1_544_000_000.0, 1_544_000_200.0)


def answers(several: int) -> dict[int, list[Series]]:
    """So many series for each query of each panel; values 1 and 0, which are states, too."""
    return {
        panel["id"]: [
            Series(target["refId"], f"name-{n}", {"endpoint": f"name-{n}"},
                   [SPAN[0], SPAN[1]], [1.0, float(n % 2)])
            for target in panel["targets"] for n in range(several)
        ]
        for panel in panels(BOARD, folded=False)
    }  # fmt: skip


@pytest.mark.parametrize("several", [0, 1, 30])
def test_it_is_as_big_as_the_screen(tmp_path: Path, several: int) -> None:
    target = tmp_path / "screen.png"
    drawn(BOARD, answers(several), {"Policy went live": [SPAN[0] + 50]}, SPAN, target)
    data = target.read_bytes()
    assert data.startswith(b"\x89PNG") and struct.unpack(">II", data[16:24]) == (WIDE, HIGH)


def panel(title: str) -> Any:
    return next(each for each in panels(BOARD) if each["title"] == title)


@pytest.mark.parametrize(
    ("share", "colour"),
    [(0.2, Colour.GOOD), (0.7, Colour.WARNING), (0.89, Colour.WARNING), (1.2, Colour.BAD)],
)
def test_a_value_has_the_colour_of_its_threshold(share: float, colour: Colour) -> None:
    assert threshold_colour(panel("Share of each limit"), share) == colour


def test_a_name_keeps_its_colour_from_panel_to_panel() -> None:
    colours = Colours()
    first = Series("A", "orders", {}, [0], [1])
    again = colours.of(panel("Misdeliveries stopped, by endpoint"), first)
    assert colours.of(panel("Slowest endpoints, added, 95 %"), first) == again
    blocked = Series("C", "blocked", {}, [0], [1])
    assert colours.of(panel("Exchanges, by how they ended"), blocked) == Colour.BLOCKED
