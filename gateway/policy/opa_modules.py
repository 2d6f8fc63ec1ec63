"""What the modules that OPA runs may call; pure.

OPA is asked for its compiled modules (`GET /v1/policies`): names are resolved in them, so that what
is checked is what OPA runs, and nothing has to be parsed twice. Only what the decision can reach
counts: an OPA may serve other policies, too.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.policy.capabilities import forbidden, withheld
from gateway.policy.engine import QUERY

_ENTRYPOINT = tuple(QUERY.split("."))
_ID = re.compile(r"[\w./-]{1,200}", re.ASCII)

Path = tuple[str, ...]


class _Package(msgspec.Struct):
    path: list[dict[str, Any]]


class _Ast(msgspec.Struct):
    package: _Package
    rules: msgspec.Raw = msgspec.Raw(b"[]")


class _Module(msgspec.Struct):
    id: str
    ast: _Ast


class _Policies(msgspec.Struct):
    result: list[_Module]


_POLICIES = msgspec.json.Decoder(_Policies)


def module_fault(policies: bytes) -> str | None:
    """Which module that the decision can reach uses a builtin that no policy may use; None if none
    does. Raises ValueError where `policies` is not what OPA answers."""
    waiting = [
        (module.id, _constant(module.ast.package.path), module.ast.rules)
        for module in _POLICIES.decode(policies).result
    ]
    reached: list[Path] = [_ENTRYPOINT]
    while reached:
        path = reached.pop()
        here = [each for each in waiting if _overlap(each[1], path)]
        waiting = [each for each in waiting if not _overlap(each[1], path)]
        for name, _, rules in here:
            for reference in set(_references(msgspec.json.decode(rules))):
                if reference[0] == "data":
                    reached.append(reference)
                elif builtin := withheld(reference):
                    where = name if _ID.fullmatch(name) else "a module"
                    return f"{where}: {forbidden(builtin)}"
    return None


def _overlap(one: Path, other: Path) -> bool:
    """Whether asking for one can evaluate the other: one is above the other, or the same."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _references(tree: Any) -> Iterator[Path]:
    left = [tree]
    while left:
        match left.pop():
            case {"type": "ref", "value": list(terms)}:
                yield _constant(terms)
                left.extend(terms)
            case dict() as node:
                left.extend(node.values())
            case list() as nodes:
                left.extend(nodes)


def _constant(terms: list[dict[str, Any]]) -> Path:
    """`data.a.b[x].c` → data, a, b: what is named for certain."""
    parts: list[str] = []
    for number, term in enumerate(terms):
        match term:
            case {"type": "string", "value": str(name)}:
                parts.append(name)
            case {"type": "var", "value": str(name)} if number == 0:
                parts.append(name)
            case _:
                break
    return tuple(parts) or ("",)
