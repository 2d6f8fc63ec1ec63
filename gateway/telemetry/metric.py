"""What a metric is: a name, a kind, labels of closed sets, and words for whoever reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import prod

from gateway.telemetry.histogram import CLASSIC


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Merge(StrEnum):
    """What several processes' numbers are together. (`merging`)"""

    SUM = "sum"
    MAX = "max"
    MIN = "min"


@dataclass(frozen=True, slots=True)
class Label:
    """`values` is the closed set. Where the configuration names them, `source` says what, and
    `values` are those that come on top."""

    name: str
    values: tuple[str, ...]
    source: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """`name` as it is scraped; `means` in one sentence, `do` what an operator does about it;
    `merge` what the numbers of several processes are together."""

    name: str
    kind: Kind
    labels: tuple[Label, ...]
    means: str
    do: str = ""
    merge: Merge = Merge.SUM

    @property
    def help(self) -> str:
        return f"{self.means} {self.do}".rstrip()

    def most(self, sources: Mapping[str, int]) -> int:
        """The most lines of a scrape, where the configuration names so many of each source."""
        series = prod(
            len(label.values) + (sources[label.source] if label.source else 0)
            for label in self.labels
        )
        return series * (len(CLASSIC) + 3 if self.kind is Kind.HISTOGRAM else 1)
