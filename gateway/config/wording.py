"""Faults in plain words: what pydantic found, and what was probably meant.

No value is quoted, except a short one that stands where only a closed set may stand.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, assert_never

from pydantic_core import ErrorDetails

from gateway.config.faults import Finding
from gateway.config.keys import Items, KeyPath, Leaf, Named, Section, Shape, Unit, at, spell

_SHORT = 40


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean `x`?`, or nothing where none is near."""
    by_fold = {each.lower().replace("-", "_"): each for each in known}
    near = get_close_matches(word.lower().replace("-", "_"), by_fold, n=1)
    return f"; did you mean `{by_fold[near[0]]}`?" if near else ""


def unknown_key(path: KeyPath, root: Section) -> str:
    """The message for a key that its mapping doesn't have."""
    name = str(path[-1])
    parent = at(root, path[:-1])
    if not isinstance(parent, Section):
        return "unknown key"
    suggestion = did_you_mean(name, parent.keys)
    if suggestion:
        return f"unknown key{suggestion}"
    elsewhere = [where for where in _everywhere(root, ()) if where[-1] == name]
    if len(elsewhere) == 1:
        return f"unknown key here; did you mean `{spell(elsewhere[0])}`?"
    return f"unknown key; the keys here are {_listed(parent.keys)}"


def _everywhere(shape: Shape, path: KeyPath) -> Iterator[KeyPath]:
    """The path of every key outside lists and free mappings."""
    if isinstance(shape, Section):
        for name, key in shape.keys.items():
            yield (*path, name)
            yield from _everywhere(key.shape, (*path, name))


def found(value: Any) -> str:
    """What kind of value stands there, in plain words."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int():
            return "a number"
        case float():
            return "a fraction"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a mapping"


def reworded(errors: Sequence[ErrorDetails], document: Any, root: Section) -> list[Finding]:
    """Pydantic's errors about `document` as findings, without its jargon and without values.

    Of several about one value only the first is kept: the others are about other forms that the
    value might have had. What is said of a list's length yields to what is said of its items.
    """
    findings: dict[tuple[KeyPath, bool], Finding] = {}
    lengths: set[KeyPath] = set()
    for error in errors:
        finding = _reworded(error, document, root)
        findings.setdefault((finding.path, finding.on_key), finding)
        if error["type"] in ("too_short", "too_long"):
            lengths.add(finding.path)
    inner = {path[:length] for path, _ in findings for length in range(len(path))}
    return [finding for finding in findings.values() if finding.path not in lengths & inner]


def _reworded(error: ErrorDetails, document: Any, root: Section) -> Finding:
    path, value, absent = _followed(error["loc"], document)
    shape = at(root, path)
    match error["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            return Finding(path, unknown_key(path, root), on_key=True)
        case "missing" | "missing_argument":
            return Finding(path, "required, but missing")
        case _ if error["loc"][-1:] == ("[key]",):
            return Finding(path, f"the key {_wrong(error, shape, value)}", on_key=True)
        case _ if absent:
            return Finding(path, "not acceptable")
        case _:
            return Finding(path, _wrong(error, shape, value))


def _followed(loc: Sequence[int | str], document: Any) -> tuple[KeyPath, Any, bool]:
    """The YAML path of an error's location, and what stands there.

    A location also names what pydantic did on the way (`function-before`, the place in a list that
    was made of one value): whatever the document doesn't have is left out, except a missing key.
    """
    path: KeyPath = ()
    value, absent = document, False
    for index, part in enumerate(loc):
        is_item = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if is_item or (isinstance(value, Mapping) and part in value):
            path, value = (*path, part), value[part]
        elif isinstance(value, Mapping) and index == len(loc) - 1 and part != "[key]":
            path, value, absent = (*path, part), None, True
    return path, value, absent


def _wrong(error: ErrorDetails, shape: Shape | None, value: Any) -> str:
    context = error.get("ctx", {})
    unit = shape.unit.value if isinstance(shape, Leaf) else ""
    match error["type"]:
        case "value_error" | "assertion_error":
            return str(context["error"])
        case "enum" | "literal_error":
            return _not_one_of(re.findall(r"'([^']*)'", context["expected"]), value)
        case "string_pattern_mismatch":
            return f"must match the pattern {context['pattern']}"
        case "string_too_short" if context["min_length"] == 1:
            return "must not be empty"
        case "string_too_short" | "string_too_long":
            bounds = [context.get(bound) for bound in ("min_length", "max_length")]
            side = "fewer" if bounds[0] is not None else "more"
            number = bounds[0] if bounds[0] is not None else bounds[1]
            return f"must not have {side} than {number} characters"
        case "string_unicode":
            return "not valid Unicode"
        case "too_short":
            return f"at least {context['min_length']} needed"
        case "too_long":
            return f"at most {context['max_length']} allowed"
        case "greater_than_equal":
            return f"must be at least {context['ge']}{unit}"
        case "greater_than":
            return f"must be more than {context['gt']}{unit}"
        case "less_than_equal":
            return f"must be at most {context['le']}{unit}"
        case "less_than":
            return f"must be less than {context['lt']}{unit}"
        case "bool_type" | "bool_parsing" if isinstance(value, str):
            return "expected true or false; in YAML 1.2 everything else is text"
        case "string_type" | "path_type" if isinstance(value, bool | int | float):
            return f"expected text, found {found(value)}: put it in quotes"
        case _:
            return f"expected {_expected(error['type'], shape)}, found {found(value)}"


def _not_one_of(choices: Sequence[str], value: Any) -> str:
    if len(choices) == 1:
        return f"expected `{choices[0]}`, the only choice there is"
    if not isinstance(value, str):
        return f"expected one of {_listed(choices)}, found {found(value)}"
    suggestion = did_you_mean(value, choices)
    said = f"`{value}` is" if len(value) <= _SHORT and value.isprintable() else "this is"
    return f"{said} not one of {_listed(choices)}{suggestion}"


def _expected(kind: str, shape: Shape | None) -> str:
    simple = {
        "bool": "true or false",
        "int": "a whole number",
        "float": "a number",
        "string": "text",
        "path": "text",
        "tuple": "a list",
        "list": "a list",
        "dict": "a mapping",
        "mapping": "a mapping",
        "dataclass": "a mapping",
    }
    prefix = kind.split("_", maxsplit=1)[0]
    if prefix in simple:
        return simple[prefix]
    match shape:
        case Section() | Named():
            return "a mapping"
        case Items():
            return "a list"
        case Leaf():
            return "another value" if shape.unit is Unit.NONE else f"a value in {shape.unit.value}"
        case None:
            return "another value"
        case _:
            assert_never(shape)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
