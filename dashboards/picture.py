"""The screen as a picture: the JSON's panels in their places, with a real Prometheus' answers."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from matplotlib.figure import Figure

from dashboards import drawing
from dashboards.answers import Model, Series, Source, ask, panels
from dashboards.drawing import GRID, GROUND, INK, PALE, PAPER, Place
from dashboards.interpolation import View

WIDE, HIGH, TOP, GAP = 1920, 1080, 84, 8
DENSITY = 100
COLUMNS = 24


async def answered(
    board: Model, source: Source, view: View, end: float
) -> tuple[dict[int, list[Series]], dict[str, list[float]]]:
    """Panel id → its series; annotation → its moments in seconds."""
    found: dict[int, list[Series]] = {}
    for panel in panels(board, folded=False):
        asked = [ask(source, target, view, end) for target in panel["targets"]]
        found[panel["id"]] = [series for each in await asyncio.gather(*asked) for series in each]
    moments = {
        each["name"]: [
            value / 1000
            for line in await source.query_range(
                view.interpolated(each["expr"]), end - view.range, end, view.step
            )
            for value in sorted({float(text) for _, text in line["values"]})
        ]
        for each in board["annotations"]["list"]
    }
    return found, moments


def drawn(
    board: Model,
    answers: Mapping[int, Sequence[Series]],
    moments: Mapping[str, Sequence[float]],
    span: tuple[float, float],
    target: Path,
) -> None:
    """Write the PNG, 1920 by 1080."""
    figure = Figure(figsize=(WIDE / DENSITY, HIGH / DENSITY), dpi=DENSITY, facecolor=GROUND)
    _head(figure, board, span)
    colours = drawing.Colours()
    lines = [each for each in board["panels"] if not each.get("collapsed")]
    bottom = max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in lines)
    for panel in lines:
        place = _place(panel["gridPos"], bottom)
        if panel["type"] == "row":
            _question(figure, place, panel["title"])
            continue
        series = answers[panel["id"]]
        inner = drawing.frame(figure, place, panel)
        match panel["type"]:
            case "timeseries":
                drawing.graph(figure, inner, panel, series, colours, moments, span)
            case "stat":
                drawing.numbers(figure, inner, panel, series)
            case "bargauge":
                drawing.bars(figure, inner, panel, series)
            case "state-timeline":
                drawing.states(figure, inner, panel, series, span)
            case "table":
                drawing.table(figure, inner, panel, series)
            case unknown:
                raise ValueError(unknown)
    figure.savefig(target, metadata={"Software": None})


def _place(grid: Mapping[str, int], bottom: int) -> Place:
    column = (WIDE - 2 * GAP) / COLUMNS
    line = (HIGH - TOP - GAP) / bottom
    return Place(
        GAP + grid["x"] * column + GAP / 2,
        TOP + grid["y"] * line + GAP / 2,
        grid["w"] * column - GAP,
        grid["h"] * line - GAP,
        (WIDE, HIGH),
    )


def _head(figure: Figure, board: Model, span: tuple[float, float]) -> None:
    axes = Place(0, 0, WIDE, TOP, (WIDE, HIGH)).axes(figure)
    axes.axis("off")
    axes.set_xlim(0, WIDE)
    axes.set_ylim(TOP, 0)
    axes.text(16, 24, board["title"], fontsize=14, color=INK, va="center", weight="bold")
    axes.text(210, 25, board["description"], fontsize=10.5, color=PALE, va="center")
    times = [datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S") for at in span]
    axes.text(WIDE - 16, 24, f"{times[0]} to {times[1]} UTC", fontsize=10, color=INK,
              va="center", ha="right")  # fmt: skip
    x = 16
    for variable in board["templating"]["list"]:
        if variable.get("hide"):
            continue
        value = "default" if variable["type"] == "datasource" else "All"
        text = f"{variable['label']}: {value}"
        box = {"boxstyle": "square,pad=0.45", "facecolor": PAPER, "edgecolor": GRID}
        axes.text(x + 8, 60, text, fontsize=9, color=INK, va="center", bbox=box)
        x += 34 + round(7.2 * len(text))


def _question(figure: Figure, place: Place, question: str) -> None:
    axes = place.axes(figure)
    axes.axis("off")
    axes.text(2 / place.width, 0.45, question, fontsize=12, color=INK, weight="bold",
              va="center", transform=axes.transAxes)  # fmt: skip
