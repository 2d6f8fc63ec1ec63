"""What a PromQL expression names: metrics with their matchers, and the labels it groups by.

Not a parser of PromQL: Prometheus itself is that, and `promtool check rules` has been there first.
It splits an expression that is known to be right into words, and tells which of them are metrics.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<range>\[[^\]]*\])
    |(?P<number>(?:\d+(?:ms|[smhdwy]))+|\d+(?:\.\d+)?(?:e[+-]?\d+)?)
    |(?P<word>[A-Za-z_:][A-Za-z0-9_:]*)
    |(?P<sign>=~|!~|!=|==|<=|>=|[{}()=<>,+*/%^@-])
    |(?P<gap>\s+)""",
    re.VERBOSE,
)
_LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan", *_LISTS}


@dataclass(frozen=True)
class Matcher:
    label: str
    sign: str
    value: str


@dataclass(frozen=True)
class Selector:
    metric: str
    matchers: tuple[Matcher, ...]


@dataclass(frozen=True)
class Names:
    """`labels` are those of by, on, group_left and the like."""

    selectors: tuple[Selector, ...]
    labels: frozenset[str]


def names(expression: str) -> Names:
    """Raises ValueError where a character is no part of any word."""
    tokens = list(_tokens(expression))
    selectors: list[Selector] = []
    labels: set[str] = set()
    at = 0
    while at < len(tokens):
        kind, text = tokens[at]
        following = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        at += 1
        if kind != "word":
            continue
        if text in _LISTS and following == "(":
            end = _closing(tokens, at, ")")
            labels |= {word for kind, word in tokens[at:end] if kind == "word"}
            at = end
        elif text.lower() not in _WORDS and following != "(":
            inside: list[tuple[str, str]] = []
            if following == "{":
                end = _closing(tokens, at, "}")
                inside, at = tokens[at + 1 : end], end
            selectors.append(Selector(text, _matchers(inside)))
    # A function's or an aggregation's name is followed by its arguments or, in the form
    # `sum by (x) (…)`, by a list.
    aggregations = {
        tokens[n][1] for n in range(len(tokens) - 1) if tokens[n + 1][1] in {"by", "without"}
    }
    return Names(
        tuple(each for each in selectors if each.metric not in aggregations), frozenset(labels)
    )


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(expression):
        found = _TOKEN.match(expression, at)
        if found is None or found.lastgroup is None:
            raise ValueError(f"no PromQL from here: {expression[at : at + 20]!r}")
        at = found.end()
        if found.lastgroup not in {"gap", "range"}:
            yield found.lastgroup, found.group()


def _closing(tokens: list[tuple[str, str]], at: int, bracket: str) -> int:
    return next(n for n in range(at, len(tokens)) if tokens[n][1] == bracket)


def _matchers(tokens: list[tuple[str, str]]) -> tuple[Matcher, ...]:
    texts = [text for _, text in tokens if text != ","]
    return tuple(
        Matcher(texts[n], texts[n + 1], texts[n + 2][1:-1]) for n in range(0, len(texts), 3)
    )
