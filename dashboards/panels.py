"""The words that the screen is written in."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Colour(StrEnum):
    """One meaning each, on every panel; told apart without red and green (Okabe and Ito, 2008)."""

    RELEASED = "#0072B2"
    REDACTED = "#E69F00"
    BLOCKED = "#D55E00"
    REFUSED = "#8C8C8C"
    OBSERVED = "#CC79A7"
    FIRST = "#56B4E9"
    SECOND = "#009E73"
    GOOD = "#009E73"
    WARNING = "#E69F00"
    BAD = "#D55E00"


class Unit(StrEnum):
    """Grafana's names of units."""

    COUNT = "short"
    PER_SECOND = "cps"
    PER_MINUTE = "cpm"
    EXCHANGES_PER_SECOND = "reqps"
    SECONDS = "s"
    BYTES = "bytes"
    BYTES_PER_SECOND = "Bps"
    SHARE = "percentunit"
    WHEN = "dateTimeAsIso"


class Kind(StrEnum):
    """How a panel shows its series."""

    LINES = "lines"
    STACK = "stack"
    COLUMNS = "columns"
    NUMBERS = "numbers"
    BARS = "bars"
    STATES = "states"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Query:
    """One question to Prometheus.

    `legend` is a name, or a template over labels ("{{endpoint}}"). `unit` puts the series on an
    axis of its own on the right. A `bound` is drawn dashed. `may_be_empty` says why no answer is an
    answer.
    """

    expr: str
    legend: str = ""
    colour: Colour | None = None
    unit: Unit | None = None
    exemplars: bool = False
    bound: bool = False
    may_be_empty: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """From where a value is a warning, and from where it is bad."""

    warning: float | None
    bad: float


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `good` is its description: what it shows and what good looks like.

    `width` in the grid's 24 columns; `alerts` have their runbooks linked from the panel; `columns`
    names a table's columns: label, or `Value`, to heading.
    """

    title: str
    kind: Kind
    width: int
    good: str
    queries: Sequence[Query]
    unit: Unit = Unit.COUNT
    limits: Limits | None = None
    alerts: Sequence[str] = ()
    columns: Sequence[tuple[str, str]] = ()
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A question, and the panels that answer it. A `folded` row opens at a click."""

    question: str
    panels: Sequence[Panel]
    height: int = 5
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top of the screen: the values of a label on a metric, or all of them."""

    name: str
    label: str
    metric: str


@dataclass(frozen=True, slots=True)
class Moment:
    """Vertical lines on every graph: each series' value is a time in seconds."""

    name: str
    expr: str
    title: str
    colour: Colour
    may_be_empty: str = ""
