"""Tests for regorus: what a `with` puts in place is computed before the statement that it is in.

regorus forgets the value of a rule that it first needed for a `with` as soon as that `with` holds
(0.13): in `p == {mine} with input as {"subjects": [mine]}` the first `mine` is undefined, and half
of all honest tests are written like that. Computed in a statement of its own it stays known:

    hoisted_1__ := {"subjects": [mine]}; p == {mine} with input as hoisted_1__

The meaning is the same, except that an undefined replacement under a `not` fails the test instead
of passing it. Only tests have `with`; policies are never rewritten.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

_SCALARS = frozenset({"String", "RawString", "Number", "Bool", "Null"})
_NAMES = frozenset({"Var", "RefDot", "RefBrack"})

_AS = re.compile(rb"\bas\s+")

_Edit = tuple[int, int, bytes]
"""Replace the bytes from one offset to another."""


def hoisted(text: str, ast: bytes | str) -> str:
    """A module with its replacements hoisted; `ast` is regorus' syntax tree of it alone (JSON).

    Lines can move: places in the result are not places in `text`.
    """
    (module,) = msgspec.json.decode(ast)
    hoist = _Hoist(text.encode(), module["ast"])
    source = hoist.source
    for begin, end, new in sorted(hoist.edits(), reverse=True):
        source = source[:begin] + new + source[end:]
    return source.decode()


class _Hoist:
    def __init__(self, source: bytes, tree: Any) -> None:
        self.source, self._tree, self._number = source, tree, 0
        self._functions = {
            head["refr"]["Var"]["value"]
            for rule in tree["rules"]
            for body in rule.values()
            for kind, head in body.get("head", {}).items()
            if kind == "Func" and "Var" in head["refr"]
        }

        strings = list(_strings(tree))
        self._begins = {span["start"] for span in strings}
        self._ends = {span["end"] for span in strings}

    def edits(self) -> Iterator[_Edit]:
        return self._in(self._tree["rules"], None)

    def _in(self, node: Any, bare: Any) -> Iterator[_Edit]:
        """The edits inside a node. `bare` is the query that it belongs to, where that is a rule's
        body without braces."""
        match node:
            case {"query": {"stmts": [_]} as query, "is_else": _}:
                begin = query["span"]["start"]
                yield from self._in(
                    query["stmts"], None if self.source[begin : begin + 1] == b"{" else query
                )
            case {"span": span, "literal": literal, "with_mods": [_, *_] as modifiers}:
                yield from self._statement(span, modifiers, bare)
                yield from self._in(literal, None)
            case dict():
                for value in node.values():
                    yield from self._in(value, bare)
            case list():
                for value in node:
                    yield from self._in(value, bare)

    def _statement(self, span: Any, modifiers: list[Any], bare: Any) -> Iterator[_Edit]:
        before = b""
        for modifier in modifiers:
            ((kind, value),) = modifier["as"].items()
            if not self._movable(kind, value, modifier["refr"]):
                continue
            self._number += 1
            name = b"hoisted_%d__" % self._number
            begin, end = self._value(modifier)
            before += b"%b := %b; " % (name, self.source[begin:end])
            yield begin, end, name
        begin, end = self._reach(span)
        if before and bare is not None:
            yield begin, begin, b"{ " + before
            yield end, end, b" }"
        elif before:
            yield begin, begin, before

    def _value(self, modifier: Any) -> tuple[int, int]:
        """Where the replacement stands. Its own span can't be trusted: that of an object begins at
        its last key."""
        (target,) = modifier["refr"].values()
        _, end = self._reach(modifier["span"])
        match = _AS.search(self.source, target["span"]["end"], end)
        assert match is not None
        return match.end(), end

    def _reach(self, span: Any) -> tuple[int, int]:
        """From where to where a node is written: regorus leaves out the quotes of a string that it
        begins or ends with."""
        begin, end = span["start"], span["end"]
        return begin - (begin in self._begins), end + (end in self._ends)

    def _movable(self, kind: str, value: Any, target: Any) -> bool:
        """Whether the replacement is a value; a function in the place of another has none."""
        if kind in _SCALARS:
            return False
        if kind not in _NAMES:
            return True
        return kind == "Var" and value["value"] not in self._functions and _is_document(target)


def _strings(node: Any) -> Iterator[Any]:
    """The spans of all literal strings."""
    match node:
        case {"String": {"span": span}} | {"RawString": {"span": span}}:
            yield span
        case dict():
            for value in node.values():
                yield from _strings(value)
        case list():
            for value in node:
                yield from _strings(value)


def _is_document(target: Any) -> bool:
    """Whether what is replaced is part of `input` or `data`, and not a builtin."""
    while isinstance(target, dict) and "Var" not in target:
        (inner,) = target.values()
        target = inner.get("refr")
    return isinstance(target, dict) and target["Var"]["value"] in ("input", "data")
