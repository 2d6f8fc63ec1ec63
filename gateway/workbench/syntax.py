"""Rego's syntax tree, as far as the tools need it: which rules there are, and where they stand."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

TESTS = "_test.rego"
"""How the names of files of tests end."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it is written: `statements` are the lines on which each statement of each body
    starts, `key` the constant that a `contains` adds, `value` the constant that it assigns."""

    package: tuple[str, ...]
    name: str
    file: str
    line: int
    is_function: bool
    key: str | None
    value: str | None
    statements: tuple[tuple[int, ...], ...]

    @property
    def lines(self) -> frozenset[int]:
        return frozenset((self.line, *(line for body in self.statements for line in body)))

    @property
    def is_test(self) -> bool:
        """Whether it stands in a file of tests."""
        return self.file.endswith(TESTS)


def rules(ast: bytes | str) -> Iterator[Rule]:
    """The rules of every module in a syntax tree of regorus (JSON)."""
    for module in msgspec.json.decode(ast):
        package = tuple(_path(module["ast"]["package"]["refr"]))
        for rule in module["ast"]["rules"]:
            (body,) = rule.values()
            kind, head = next(iter(body["head"].items())) if "head" in body else ("Default", body)
            yield Rule(
                package=package,
                name=_path(head["refr"])[0],
                file=module["source"]["file"],
                line=body["span"]["line"],
                is_function=kind == "Func",
                key=_constant(head.get("key")),
                value=_constant((head.get("assign") or head).get("value")),
                statements=tuple(
                    tuple(statement["span"]["line"] for statement in each["query"]["stmts"])
                    for each in body.get("bodies", ())
                ),
            )


def _path(ref: Any) -> list[str]:
    """`a.b["c"][d]` → a, b, c and `*` for what is not constant."""
    match ref:
        case {"Var": {"value": str(name)}}:
            return [name]
        case {"RefDot": {"refr": inner, "field": [_, str(name)]}}:
            return [*_path(inner), name]
        case {"RefBrack": {"refr": inner, "index": {"String": {"value": str(name)}}}}:
            return [*_path(inner), name]
        case {"RefBrack": {"refr": inner}}:
            return [*_path(inner), "*"]
    return ["*"]


def _constant(expression: Any) -> str | None:
    match expression:
        case {"String": {"value": str(text)}}:
            return text
    return None


def metadata(lines: Sequence[str]) -> tuple[str, str]:
    """Title and legal basis in the METADATA of a module's package."""
    comment: list[str] = []
    for line in lines:
        if line.startswith("package"):
            break
        comment = [*comment, line.removeprefix("#")[1:]] if line.startswith("#") else []
    text = "\n".join(comment)
    title = re.search(r"^title: *(.{1,200})$", text, re.MULTILINE)
    basis = re.search(r"^ +legal_basis: *(.{1,200})$", text, re.MULTILINE)
    return title[1] if title else "", basis[1] if basis else ""
