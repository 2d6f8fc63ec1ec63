"""What a bundle itself names: its words, and the builtins it reads texts with.

A lexer is enough for the words, and better than a syntax tree: a name after a dot is a key too
(`claims.realm.roles`), and one word too many does no harm. A constant that a rule only computes
(`concat`, `sprintf`) is not found.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from gateway.policy.bundle import Bundle, load, shipped

Constant = str | int | float

_TOKEN = re.compile(
    r"""
      (?P<comment> \#[^\n]* )
    | (?P<text> "(?:[^"\\\n]|\\.)*" )
    | (?P<raw> `[^`]*` )
    | (?P<number> (?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?) )
    | (?P<call> [A-Za-z_]\w*(?:\.[A-Za-z_]\w*)* (?=\() )
    | (?P<name> [A-Za-z_]\w* )
    """,
    re.VERBOSE | re.ASCII,
)

_INSIDE = re.compile(
    r"""
      (?:regex|glob|strings|base64|base64url|hex|urlquery|crypto|io\.jwt|net|semver|units)\.\w+(?:\.\w+)*
    | startswith|endswith|contains|indexof|indexof_n|lower|upper|split|concat|substring|replace
    | trim|trim_left|trim_right|trim_prefix|trim_suffix|trim_space
    | sprintf|format_int|to_number|json\.unmarshal|yaml\.unmarshal
    """,
    re.VERBOSE | re.ASCII,
)
"""Builtins that read inside a text, or make one text of several."""


def words(bundle: Bundle) -> frozenset[Constant]:
    """Every text and number that the bundle names, and perhaps some that it doesn't."""
    found: set[Constant] = set()
    for text in bundle.modules.values():
        for kind, token in _tokens(text):
            match kind:
                case "text":
                    found.update(_decoded(token))
                case "raw":
                    found.add(token[1:-1])
                case "number":
                    found.update(_numbers(token))
                case "call":
                    found.update(token.split("."))
                case "name":
                    found.add(token)
    found.update(_leaves(bundle.data))
    return frozenset(found)


def readers(bundle: Bundle) -> Mapping[str, tuple[str, ...]]:
    """Builtins that read inside texts → where they are called, as `file:line`.

    Without the modules that ship: they read so in what the deployment's data says, and an
    identifier only as a whole. But where there are masks, they look at the names of fields.
    """
    found: dict[str, list[str]] = {}
    known = dict(load(shipped()).modules)
    if _masks(bundle.data):
        known.pop(_PAYLOAD, None)
    for name, text in bundle.modules.items():
        if known.get(name) == text:
            continue
        for match in _TOKEN.finditer(text):
            if match.lastgroup == "call" and _INSIDE.fullmatch(match[0]):
                place = f"{name}:{text.count(chr(10), 0, match.start()) + 1}"
                found.setdefault(match[0], []).append(place)
    return {builtin: tuple(places) for builtin, places in sorted(found.items())}


_PAYLOAD = "privacy/lib/payload/payload.rego"


def _masks(data: Mapping[str, Any]) -> bool:
    """Whether the deployment has a restriction that masks fields."""
    match data:
        case {"privacy": {"deployment": {"restrictions": dict() as restrictions}}}:
            return bool(restrictions.keys() & {"third_person_fields", "never_disclose"})
        case _:
            return False


_JSON_NUMBER = re.compile(r"(?:0|[1-9]\d{0,30})(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(text):
        if match.lastgroup is not None:
            yield match.lastgroup, match[0]


def _numbers(token: str) -> Iterable[int | float]:
    """A number with either sign; none for what no question can hold."""
    if not _JSON_NUMBER.fullmatch(token):
        return ()
    value = msgspec.json.decode(token)
    return (value, -value) if abs(value) < 2**63 else ()


def _decoded(token: str) -> Iterable[str]:
    """Rego's quoted texts are JSON's."""
    try:
        return (msgspec.json.decode(token.encode(), type=str),)
    except (msgspec.DecodeError, UnicodeError):
        return ()


_NAMES = re.compile(r"""[^$.*'"\[\]\\]+""")
_INTEGER = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)


def _leaves(document: Any) -> Iterator[Constant]:
    """Every key, text and number of a data document; the names in a mask (`$.contacts[*].phone`),
    and the number that a register's key stands for (`{"number": {"42": ...}}`)."""
    stack = [document]
    while stack:
        match stack.pop():
            case bool() | None:
                continue
            case str() as text:
                yield text
                if text.startswith("$"):
                    yield from _NAMES.findall(text)
            case int() | float() as leaf:
                yield leaf
            case dict() as members:
                yield from members
                yield from (int(key) for key in members if _INTEGER.fullmatch(key))
                stack.extend(members.values())
            case list() as members:
                stack.extend(members)
