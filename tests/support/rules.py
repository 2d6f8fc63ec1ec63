"""The shipped rule files, as values; and the same in a time where an hour is a minute."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.conftest import REPOSITORY

RULES = REPOSITORY / "helm" / "privacy-gateway" / "files" / "rules"
RECORDING, ALERTS = RULES / "recording.yaml", RULES / "alerts.yaml"

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_IN_EXPRESSION = re.compile(r"(\[|\boffset )(\d+)([smhdw])(?=\]|\s|\)|$)")
_DURATION = re.compile(r"(\d+)([smhdw])")


@dataclass(frozen=True)
class Rule:
    """One rule; `name` is what it records, or its alert."""

    name: str
    expression: str
    labels: dict[str, str]
    annotations: dict[str, str]
    hold: str
    alerts: bool


def load(path: Path) -> dict[str, Any]:
    """A YAML file as plain values."""
    content: dict[str, Any] = YAML(typ="safe").load(path)
    return content


def rules(*paths: Path) -> list[Rule]:
    """All rules of the files, in order."""
    return list(_rules(*paths))


def _rules(*paths: Path) -> Iterator[Rule]:
    for path in paths:
        for group in load(path)["groups"]:
            for rule in group["rules"]:
                yield Rule(
                    rule.get("alert") or rule["record"],
                    rule["expr"],
                    rule.get("labels", {}),
                    rule.get("annotations", {}),
                    rule.get("for", "0s"),
                    "alert" in rule,
                )


def scaled(content: dict[str, Any], factor: int) -> dict[str, Any]:
    """The same rules with every duration divided by `factor`: windows, offsets, `for`, intervals.

    Nothing else is touched, so that with a factor of 60 an incident that takes an hour is played in
    a minute against the expressions that ship. Numbers of seconds that an expression compares with
    (an age, a date) stay as they are. A duration never becomes shorter than a second.
    """

    def shorter(amount: str, unit: str) -> str:
        return f"{max(1, int(amount) * _SECONDS[unit] // factor)}s"

    def whole(text: str) -> str:
        found = _DURATION.fullmatch(text)
        assert found, text
        return shorter(*found.groups())

    def rule(each: dict[str, Any]) -> dict[str, Any]:
        expression = _IN_EXPRESSION.sub(
            lambda found: found.group(1) + shorter(found.group(2), found.group(3)), each["expr"]
        )
        hold = {"for": whole(each["for"])} if "for" in each else {}
        return {**each, "expr": expression, **hold}

    return {
        "groups": [
            {
                **group,
                **({"interval": whole(group["interval"])} if "interval" in group else {}),
                "rules": [rule(each) for each in group["rules"]],
            }
            for group in content["groups"]
        ]
    }
