"""What Prometheus answers to the dashboard's queries, panel by panel.

Everything is read from the JSON that Grafana gets, not from the code that wrote it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dashboards.interpolation import View

Model = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Series:
    """One line: labels, the legend's name, times and values. An instant one has one value."""

    ref: str
    name: str
    labels: Mapping[str, str]
    times: Sequence[float]
    values: Sequence[float]


class Source(Protocol):
    """A Prometheus. (`tests.support.prometheus`)"""

    async def query(self, expression: str, at: float | None = None) -> Sequence[Any]: ...

    async def query_range(
        self, expression: str, start: float, end: float, step: float
    ) -> Sequence[Mapping[str, Any]]: ...


def panels(board: Model, *, folded: bool = True) -> Iterator[Model]:
    """All panels that ask something; without the folded rows' if not `folded`."""
    for panel in board["panels"]:
        if panel["type"] != "row":
            yield panel
        elif folded:
            yield from panel.get("panels", ())


async def ask(source: Source, target: Model, view: View, end: float) -> list[Series]:
    """One query's answer, at `end` or over the view's range before it."""
    expression, ref = view.interpolated(target["expr"]), target["refId"]
    template = target["legendFormat"]
    if target["instant"]:
        return [
            Series(ref, named(template, each.labels), each.labels, (end,), (each.value,))
            for each in await source.query(expression, end)
        ]
    found = await source.query_range(expression, end - view.range, end, view.step)
    return [
        Series(
            ref,
            named(template, each["metric"]),
            each["metric"],
            [float(at) for at, _ in each["values"]],
            [float(value) for _, value in each["values"]],
        )
        for each in found
    ]


def named(template: str, labels: Mapping[str, str]) -> str:
    """ "{{endpoint}}" → "orders"; Grafana's `__auto` names all labels."""
    if template == "__auto":
        return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))
    for name, value in labels.items():
        template = template.replace("{{" + name + "}}", value)
    return template
