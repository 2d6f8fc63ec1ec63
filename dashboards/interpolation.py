"""Variables put into queries as Grafana does it.

Source: Grafana's Prometheus data source, `$__interval`, `$__rate_interval` and `$__range`
(https://grafana.com/docs/grafana/latest/datasources/prometheus/template-variables/).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_NAME = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_META = re.compile(r"[\\^$*+?.()|\[\]{}]")


@dataclass(frozen=True, slots=True)
class View:
    """What a viewer chose. Times in seconds; `chosen` are values of variables, all where one is
    not named."""

    range: float
    step: float
    scrape: float = 15.0
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def interpolated(self, text: str) -> str:
        """A query as Prometheus gets it. Raises KeyError over a variable that nobody knows."""
        return _NAME.sub(lambda found: self._value(found[1] or found[2]), text)

    def _value(self, name: str) -> str:
        match name:
            case "__interval":
                return f"{self.step:g}s"
            case "__rate_interval":
                return f"{max(self.step + self.scrape, 4 * self.scrape):g}s"
            case "__range":
                return f"{round(self.range)}s"
            case "job" | "namespace" | "instance" | "endpoint":
                return _alternatives(self.chosen.get(name, ()))
            case _:
                raise KeyError(name)


def _alternatives(values: Sequence[str]) -> str:
    """For `=~"…"`: all, one, or several values, with what is special in a regular expression
    escaped twice, as it stands between quotation marks."""
    if not values:
        return ".*"
    escaped = [_META.sub(lambda found: "\\\\" + found[0], value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
