"""Panels drawn with matplotlib, as near to Grafana's as a still picture needs.

Each function draws one kind of panel into its place: titles, units, thresholds, legends and fixed
colours are the JSON's; what Grafana would colour by name is coloured by name here, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from dashboards.answers import Model, Series
from dashboards.units import written

INK, PALE, GRID, PAPER, GROUND = "#24292e", "#6e7781", "#e4e7eb", "#ffffff", "#f4f5f5"
NAMES = (
    "#332288", "#44AA99", "#DDCC77", "#882255", "#117733", "#88CCEE", "#AA4499", "#999933",
    "#CC6677", "#661100", "#6699CC", "#BBBBBB",
)  # fmt: skip
"""Tol's muted colours, for whatever has no meaning of its own: told apart by every kind of eye, and
from the screen's fixed ones."""


@dataclass(frozen=True, slots=True)
class Place:
    """A panel's rectangle in pixels from the top left, and the picture's size."""

    left: float
    top: float
    width: float
    height: float
    canvas: tuple[float, float]

    def inside(self, left: float, top: float, right: float, bottom: float) -> "Place":
        """With these margins."""
        return Place(
            self.left + left,
            self.top + top,
            self.width - left - right,
            self.height - top - bottom,
            self.canvas,
        )

    def axes(self, figure: Figure) -> Axes:
        across, down = self.canvas
        at = (
            self.left / across,
            1 - (self.top + self.height) / down,
            self.width / across,
            self.height / down,
        )
        return figure.add_axes(at)


@dataclass(slots=True)
class Colours:
    """One colour for each name, on all panels."""

    given: dict[str, str] = field(default_factory=dict)

    def of(self, panel: Model, series: Series) -> str:
        for override in panel["fieldConfig"]["overrides"]:
            if override["matcher"]["options"] != series.ref:
                continue
            for each in override["properties"]:
                if each["id"] == "color":
                    return str(each["value"]["fixedColor"])
        return self.given.setdefault(series.name, NAMES[len(self.given) % len(NAMES)])


def property_of(panel: Model, ref: str, name: str, otherwise: Any = None) -> Any:
    """An override of one query's series, such as its unit."""
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == ref:
            for each in override["properties"]:
                if each["id"] == name:
                    return each["value"]
    return otherwise


def threshold_colour(panel: Model, value: float) -> str:
    """The colour of the highest threshold that `value` reached."""
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    reached = [step for step in steps if step["value"] is None or value >= step["value"]]
    return str(reached[-1]["color"])


def frame(figure: Figure, place: Place, panel: Model) -> Place:
    """The white card with its title; returns what is left for the panel itself."""
    card = place.axes(figure)
    card.set_facecolor(PAPER)
    card.set_xticks([])
    card.set_yticks([])
    for spine in card.spines.values():
        spine.set_color(GRID)
    card.text(
        10 / place.width, 1 - 16 / place.height, panel["title"],
        fontsize=9.5, color=INK, weight="bold", va="center", transform=card.transAxes,
    )  # fmt: skip
    return place.inside(8, 30, 8, 8)


def graph(
    figure: Figure,
    place: Place,
    panel: Model,
    series: Sequence[Series],
    colours: Colours,
    moments: Mapping[str, Sequence[float]],
    span: tuple[float, float],
) -> None:
    """Lines, areas on one another, or columns, with the legend on the right as Grafana puts it."""
    shown = sorted(series, key=lambda each: each.ref)
    legend = 40 + 5.6 * min(22, max((len(each.name) for each in shown), default=0))
    right = [s for s in shown if property_of(panel, s.ref, "custom.axisPlacement") == "right"]
    inner = place.inside(50, 4, legend + (52 if right else 6), 18)
    axes = inner.axes(figure)
    custom = panel["fieldConfig"]["defaults"]["custom"]
    unit = panel["fieldConfig"]["defaults"]["unit"]
    stacked = custom.get("stacking", {}).get("mode") == "normal"
    columns = custom.get("drawStyle") == "bars"
    twin = axes.twinx() if right else None
    if stacked:
        _stack(axes, panel, shown, colours, columns=columns)
    else:
        for each in shown:
            on = twin if twin is not None and each in right else axes
            dashed = property_of(panel, each.ref, "custom.lineStyle") is not None
            on.plot(
                each.times, each.values, color=colours.of(panel, each), linewidth=1.4,
                linestyle=(0, (5, 4)) if dashed else "solid", solid_joinstyle="round",
            )  # fmt: skip
    _scales(axes, unit, span)
    if twin is not None:
        other = property_of(panel, right[0].ref, "unit")
        _scales(twin, other, span, grid=False)
    for index, at in enumerate(moments.values()):
        for when in at:
            if span[0] < when < span[1]:
                axes.axvline(
                    when, color=("#0072B2", "#8C8C8C")[index % 2],
                    linewidth=1, linestyle=(0, (2, 2)), zorder=5,
                )  # fmt: skip
    _legend(figure, place, legend, panel, shown, colours)


def _clock(at: float, _: int | None) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def _stack(
    axes: Axes, panel: Model, shown: Sequence[Series], colours: Colours, *, columns: bool
) -> None:
    times = sorted({at for each in shown for at in each.times})
    floor = [0.0] * len(times)
    for each in shown:
        known = dict(zip(each.times, each.values, strict=True))
        top = [low + max(0.0, known.get(at, 0.0)) for low, at in zip(floor, times, strict=True)]
        colour = colours.of(panel, each)
        if columns:
            wide = 0.8 * (times[1] - times[0]) if len(times) > 1 else 1.0
            heights = [high - low for low, high in zip(floor, top, strict=True)]
            axes.bar(times, heights, wide, bottom=floor, color=colour, linewidth=0)
        else:
            axes.fill_between(times, floor, top, color=colour, alpha=0.75, linewidth=0)
        floor = top


def _scales(axes: Axes, unit: str, span: tuple[float, float], *, grid: bool = True) -> None:
    axes.set_facecolor("none")
    axes.set_xlim(*span)
    _, top = axes.get_ylim()
    axes.set_ylim(0, 1.05 * top if top > 0 else 1)
    axes.set_yticks(_round_values(axes.get_ylim()[1], unit))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, unit)))
    start, end = span
    narrow = axes.bbox.width < 320
    shares = (0.16, 0.5, 0.84) if narrow else (0.1, 0.3, 0.5, 0.7, 0.9)
    axes.set_xticks([start + (end - start) * share for share in shares])
    axes.xaxis.set_major_formatter(FuncFormatter(_clock))
    axes.tick_params(labelsize=7.5, colors=PALE, length=0, pad=3)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if grid:
        axes.grid(color=GRID, linewidth=0.8)


def _round_values(top: float, unit: str) -> list[float]:
    """Some four, up to the top of the axis; bytes are round in powers of 1,024."""
    size = 1.0
    if unit in ("bytes", "Bps"):
        while top / size >= 1024:
            size *= 1024
    ticks = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(0, top / size)
    return [float(tick) * size for tick in ticks if tick * size <= top]


def _legend(
    figure: Figure,
    place: Place,
    width: float,
    panel: Model,
    shown: Sequence[Series],
    colours: Colours,
) -> None:
    names = list(dict.fromkeys((each.name, colours.of(panel, each)) for each in shown))
    box = place.inside(place.width - width + 6, 2, 0, 0).axes(figure)
    box.axis("off")
    line = 15.5 / place.height
    most = int(place.height // 15.5)
    for row, (name, colour) in enumerate(names[:most]):
        y = 1 - line * (row + 0.5)
        box.plot([0, 12 / width], [y, y], color=colour, linewidth=3, transform=box.transAxes,
                 solid_capstyle="butt", clip_on=False)  # fmt: skip
        text = name if len(name) <= 22 else name[:21] + "…"
        box.text(18 / width, y, text, fontsize=8, color=INK, va="center", transform=box.transAxes)


def numbers(figure: Figure, place: Place, panel: Model, series: Sequence[Series]) -> None:
    """Big values with their names, side by side or in two lines."""
    columns = 1 if place.width < 320 else 2
    rows = -(-len(series) // columns)
    axes = place.axes(figure)
    axes.axis("off")
    for index, each in enumerate(series):
        row, column = divmod(index, columns)
        x, y = (column + 0.5) / columns, 1 - (row + 0.5) / rows
        value = each.values[-1]
        unit = property_of(panel, each.ref, "unit", panel["fieldConfig"]["defaults"]["unit"])
        colour = threshold_colour(panel, value)
        if columns == 1:
            axes.text(0.04, y, each.name, fontsize=10, color=INK, va="center")
            axes.text(0.96, y, written(value, unit), fontsize=17, color=colour, va="center",
                      ha="right", weight="bold")  # fmt: skip
            continue
        axes.text(x, y + 0.06, written(value, unit), fontsize=19, color=colour, ha="center",
                  va="center", weight="bold")  # fmt: skip
        axes.text(x, y - 0.15, each.name, fontsize=8.5, color=INK, ha="center", va="center")


def bars(figure: Figure, place: Place, panel: Model, series: Sequence[Series]) -> None:
    """One bar for each value, coloured by threshold, against the most or the biggest."""
    defaults = panel["fieldConfig"]["defaults"]
    most = defaults.get("max") or max((each.values[-1] for each in series), default=1) or 1
    axes = place.inside(96, 0, 62, 0).axes(figure)
    axes.axis("off")
    axes.set_xlim(0, 1)
    axes.set_ylim(max(5, len(series)) - 0.4, -0.6)
    for row, each in enumerate(series):
        value = each.values[-1]
        colour = threshold_colour(panel, value)
        axes.barh(row, 1, 0.62, color=GRID)
        axes.barh(row, min(1.0, max(0.0, value / most)), 0.62, color=colour)
        name = each.name if len(each.name) <= 15 else each.name[:14] + "…"
        axes.text(-0.02, row, name, fontsize=8.5, color=INK, ha="right", va="center")
        axes.text(1.02, row, written(value, defaults["unit"]), fontsize=9, color=colour,
                  va="center", weight="bold")  # fmt: skip


def states(
    figure: Figure,
    place: Place,
    panel: Model,
    series: Sequence[Series],
    span: tuple[float, float],
) -> None:
    """A line for each series in the colours of its states."""
    mapped = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    axes = place.inside(92, 0, 6, 18).axes(figure)
    shown = sorted(series, key=lambda each: each.name)
    for row, each in enumerate(shown):
        step = min((b - a for a, b in zip(each.times, each.times[1:], strict=False)), default=1)
        for at, value in zip(each.times, each.values, strict=True):
            colour = mapped[f"{value:g}"]["color"]
            axes.barh(row, step, 0.74, left=at - step, color=colour, linewidth=0)
    _scales(axes, "short", span, grid=False)
    axes.set_ylim(max(1, len(shown)) - 0.5, -0.5)
    axes.set_yticks(range(len(shown)), [each.name for each in shown], fontsize=8, color=INK)


def table(figure: Figure, place: Place, panel: Model, series: Sequence[Series]) -> None:
    """The queries' rows, merged by their labels, in the columns that the panel names."""
    headings = panel["transformations"][-1]["options"]["renameByName"]
    lines: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
    several = len(panel["targets"]) > 1
    for each in series:
        line = lines.setdefault(tuple(sorted(each.labels.items())), dict(each.labels))
        heading = f"Value #{each.ref}" if several else "Value"
        unit = property_of(panel, headings.get(heading, ""), "unit", "short")
        line[heading] = written(each.values[-1], unit)
    rows = list(lines.values())
    for order in panel["options"].get("sortBy", ()):
        (name,) = (name for name, shown in headings.items() if shown == order["displayName"])
        rows.sort(key=lambda line: line.get(name, ""))
    axes = place.axes(figure)
    axes.axis("off")
    axes.set_xlim(0, 1)
    axes.set_ylim(place.height, 0)
    starts = _columns([[line.get(name, "") for name in headings] for line in rows],
                      list(headings.values()))  # fmt: skip
    for x, heading in zip(starts, headings.values(), strict=True):
        axes.text(x, 10, heading, fontsize=8.5, color=PALE, va="center", weight="bold")
    axes.plot([0, 1], [21, 21], color=GRID, linewidth=1)
    fitting = int((place.height - 24) // 19)
    for row, line in enumerate(rows[:fitting]):
        for x, name in zip(starts, headings, strict=True):
            linked = name == "alertname"
            axes.text(x, 32 + row * 19, line.get(name, ""), fontsize=8.5, va="center",
                      color="#0072B2" if linked else INK)  # fmt: skip
    if not rows:
        axes.text(0.5, place.height / 2, "none", fontsize=10, color=PALE, ha="center")


def _columns(rows: Sequence[Sequence[str]], headings: Sequence[str]) -> list[float]:
    """Where each column starts, by the longest text in it."""
    longest = [
        max(len(text) for text in column) + 2 for column in zip(headings, *rows, strict=True)
    ]
    starts = [0.01]
    for width in longest[:-1]:
        starts.append(starts[-1] + 0.98 * width / sum(longest))
    return starts
