"""The pictures of `docs/performance.md`, as PNG and SVG, from what the contest measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "privacy-gateway"  # the same figures, the same file

from matplotlib import pyplot as plt  # noqa: E402 - after the choice of what draws
from matplotlib.axes import Axes  # noqa: E402

from bench.contestants import (  # noqa: E402
    EMBEDDED,
    ENVOY_LUA,
    ENVOY_PLAIN,
    MITMPROXY,
    NGINX_LUA,
    NGINX_PLAIN,
    OPA,
    PAIR,
    RAW,
)

FOLDER = Path(__file__).resolve().parent.parent / "docs"
SHOWN = (
    "2 KB JSON", "100 KB JSON", "10 MB JSON", "10 MB NDJSON", "200 MB NDJSON", "10 MB CSV",
    "100 MB ZIP by manifest",
)  # fmt: skip
_COLOURS = {
    EMBEDDED: "#0b6e4f", OPA: "#5fb49c", PAIR: "#0a9396", RAW: "#555555", NGINX_PLAIN: "#c9c9c9",
    NGINX_LUA: "#d1495b", ENVOY_PLAIN: "#e0e0e0", ENVOY_LUA: "#edae49", MITMPROXY: "#7768ae",
}  # fmt: skip


def draw(results: Mapping[str, Any], folder: Path = FOLDER) -> None:
    """Write `performance-speed` and `performance-processor`."""
    bodies = {name: rows for name, rows in results["bodies"].items() if name in SHOWN}
    ratios = {
        body: {
            name: row["megabytes_per_second"] / rows[RAW]["megabytes_per_second"]
            for name, row in rows.items()
            if "failed" not in row
        }
        for body, rows in bodies.items()
    }
    spent = {
        body: {
            name: row["processor_milliseconds_per_megabyte"]
            for name, row in rows.items()
            if "failed" not in row
        }
        for body, rows in bodies.items()
    }
    _bars(folder / "performance-speed", ratios, "speed, × raw aiohttp (log)", 1.0)
    _bars(folder / "performance-processor", spent, "CPU milliseconds a megabyte (log)", None)


def _bars(
    path: Path, groups: Mapping[str, Mapping[str, float]], label: str, line: float | None
) -> None:
    figure, axes = plt.subplots(figsize=(12, 5.5), layout="constrained")
    width = 0.84 / len(_COLOURS)
    for place, (name, colour) in enumerate(_COLOURS.items()):
        points = [
            (group + (place - len(_COLOURS) / 2 + 0.5) * width, values[name])
            for group, values in enumerate(groups.values())
            if name in values
        ]
        if points:
            where, heights = zip(*points, strict=True)
            axes.bar(where, heights, width, color=colour, label=name, edgecolor="white", lw=0.4)
    _dressed(axes, list(groups), label, line)
    for kind in ("png", "svg"):
        figure.savefig(path.with_suffix(f".{kind}"), dpi=110, metadata=_UNDATED[kind])
    plt.close(figure)


_UNDATED: dict[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None}}


def _dressed(axes: Axes, groups: list[str], label: str, line: float | None) -> None:
    axes.set_yscale("log")
    axes.set_ylabel(label)
    axes.set_xticks(range(len(groups)), groups)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    if line is not None:
        axes.axhline(line, color="#555555", lw=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, 1.14), frameon=False)
