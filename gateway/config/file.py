"""A YAML file → plain values that know their lines."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.config.faults import ConfigFaults, Fault, Place, excerpt
from gateway.config.keys import KeyPath
from gateway.config.nodes import (
    MAX_DEPTH,
    MAX_VALUES,
    List,
    Map,
    Mark,
    Node,
    Scalar,
    Stop,
    compose,
)

MAX_SIZE = 1 << 20
"""Bytes of a configuration file."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says: `value` is made of dict, list, str, int, float, bool and None.

    `values` and `keys` tell where each value and each key stands; `faults` are those that left
    something to go on with.
    """

    source: str
    value: Any
    values: Mapping[KeyPath, Mark]
    keys: Mapping[KeyPath, Mark]
    lines: tuple[str, ...]
    faults: tuple[Fault, ...]

    def place(self, path: KeyPath, on_key: bool = False) -> Place:
        """Where a path stands; of one that is missing, where the mapping around it begins."""
        if path in self.values and not (on_key and path in self.keys):
            return _place(self.source, self.lines, self.values[path])
        while path and path not in self.keys and path not in self.values:
            path = path[:-1]
        mark = self.keys.get(path) or self.values.get(path)
        return _place(self.source, self.lines, mark) if mark and path else Place(self.source)


def read(file: Path) -> Document:
    """Read and parse a file. Raises ConfigFaults where there is nothing to go on with."""
    source = str(file)
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_SIZE + 1)
    except OSError as error:
        raise _unreadable(source, f"can't be read: {error.strerror}") from None
    if len(data) > MAX_SIZE:
        raise _unreadable(source, f"more than {MAX_SIZE >> 20} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _unreadable(source, "not UTF-8", line, 1) from None
    return parse(text, source)


def parse(text: str, source: str) -> Document:
    """The values of a YAML text. Raises ConfigFaults where there is nothing to go on with."""
    lines = tuple(re.split(r"\r\n|\r|\n", text))
    values = _Values()
    try:
        node, notes = compose(text)
        value = values.of(node, ()) if node else None
    except Stop as stop:
        raise ConfigFaults([Fault(_place(source, lines, stop.mark), (), stop.message)]) from None
    repeated = [
        Fault(_place(source, lines, mark), path, message) for mark, path, message in values.faults
    ]
    faults = (Fault(_place(source, lines, mark), (), message) for mark, message in notes)
    return Document(source, value, values.marks, values.keys, lines, (*faults, *repeated))


def _place(source: str, lines: tuple[str, ...], mark: Mark) -> Place:
    line, column = mark
    shown = excerpt(lines[line - 1], column) if line <= len(lines) else ""
    return Place(source, line, column, shown)


def _unreadable(
    source: str, message: str, line: int | None = None, column: int | None = None
) -> ConfigFaults:
    return ConfigFaults([Fault(Place(source, line, column), (), message)])


class _Values:
    """Makes plain values of nodes, bounded: an alias can stand for billions."""

    def __init__(self) -> None:
        self.marks: dict[KeyPath, Mark] = {}
        self.keys: dict[KeyPath, Mark] = {}
        self.faults: list[tuple[Mark, KeyPath, str]] = []
        self._left = MAX_VALUES

    def of(self, node: Node, path: KeyPath) -> Any:
        self._left -= 1
        if self._left < 0:
            raise Stop(node.mark, f"more than {MAX_VALUES} values, aliases written out")
        if len(path) > MAX_DEPTH:
            raise Stop(node.mark, "nested too deeply")
        self.marks[path] = node.mark
        match node:
            case Scalar(value=value):
                return value
            case List(items=items):
                return [self.of(item, (*path, index)) for index, item in enumerate(items)]
            case Map(items=pairs):
                return self._mapping(pairs, path)

    def _mapping(self, pairs: list[tuple[str, Mark, Node]], path: KeyPath) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for name, mark, node in pairs:
            if name in mapping:
                message = f"this key is already in line {self.keys[(*path, name)][0]}"
                self.faults.append((mark, (*path, name), message))
                continue
            self.keys[(*path, name)] = mark
            mapping[name] = self.of(node, (*path, name))
        return mapping
