"""Every call in a bundle's Rego leads somewhere that the engine knows and a policy may go.

regorus finds a missing function only when a question reaches the call, OPA when it loads the
bundle; here it is found before either. Works on regorus' syntax trees (`Engine.get_ast_as_json`)
and imports nothing of regorus.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.policy.capabilities import Capabilities, forbidden, withheld
from gateway.policy.faults import RegoFault


@dataclass(frozen=True, slots=True)
class Module:
    """One parsed module. `text` is its source: an import's alias is only a place in the tree."""

    name: str
    text: bytes
    tree: Any

    @property
    def package(self) -> tuple[str, ...]:
        return ("data", *path(self.tree["package"]["refr"]))


def parsed(trees: Sequence[Any]) -> list[Module]:
    """The modules of regorus' list of syntax trees."""
    return [
        Module(tree["source"]["file"], tree["source"]["contents"].encode(), tree["ast"])
        for tree in trees
    ]


def call_faults(modules: Sequence[Module], capabilities: Capabilities) -> Iterator[RegoFault]:
    """A fault for each call of what nobody defines or may use, and for each mention of a builtin
    that no policy may use."""
    functions = {(*module.package, *name) for module in modules for name in rule_names(module.tree)}
    for module in modules:
        aliases = _aliases(module)
        said: set[tuple[str, int, int]] = set()
        for node in _nodes(module.tree["rules"]):
            name = path(_reference(node))
            if "Call" in node:
                message = _call_fault(name, module.package, aliases, functions, capabilities)
            else:
                message = _mention_fault(name)
            line, column = _place(_reference(node))
            if message and (message, line, column) not in said:
                said.add((message, line, column))
                yield RegoFault(module.name, message, line, column)


def _call_fault(
    name: tuple[str, ...],
    package: tuple[str, ...],
    aliases: Mapping[str, tuple[str, ...]],
    functions: set[tuple[str, ...]],
    capabilities: Capabilities,
) -> str | None:
    dotted = ".".join(name)
    if "*" in name:
        return "the name of a function must be constant"
    if name[0] == "data" or name[0] in aliases:
        whole = (*aliases.get(name[0], (name[0],)), *name[1:])
        return None if whole in functions else f"no function is called {dotted}"
    if refusal := _mention_fault(name):
        return refusal  # even where a rule has the same name: the two engines needn't agree whose
    if (*package, *name) in functions or dotted in capabilities.callable:
        return None
    return capabilities.refusal(dotted) or f"no function is called {dotted}"


def _mention_fault(name: tuple[str, ...]) -> str | None:
    # One word can be a variable of the policy's own; a call of it is held against the capabilities.
    builtin = withheld(name, shortest=2)
    return forbidden(builtin) if builtin else None


def rule_names(tree: Any) -> Iterator[tuple[str, ...]]:
    """The name of each rule of a module, as far as it is constant."""
    for rule in tree["rules"]:
        (body,) = rule.values()
        (head,) = body["head"].values() if "head" in body else (body,)
        yield path(head["refr"])


def _aliases(module: Module) -> dict[str, tuple[str, ...]]:
    """What the imports of data stand for."""
    aliases: dict[str, tuple[str, ...]] = {}
    for each in module.tree["imports"]:
        name = path(each["refr"])
        if name[0] == "data":
            alias = each.get("as")
            word = module.text[alias["start"] : alias["end"]].decode() if alias else name[-1]
            aliases[word] = name
    return aliases


def _nodes(tree: Any) -> Iterator[Any]:
    """Every call and reference of a syntax tree. Without recursion: a module may nest deeply."""
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            if "Call" in node or "RefDot" in node or "RefBrack" in node:
                yield node
            left.extend(node.values())
        elif isinstance(node, list):
            left.extend(node)


def _reference(node: Any) -> Any:
    return node["Call"]["fcn"] if "Call" in node else node


def path(reference: Any) -> tuple[str, ...]:
    """`a.b["c"][d]` → a, b, c and `*`, which is no name, for what is not constant."""
    parts: list[str] = []
    while True:
        match reference:
            case {"Var": {"value": str(name)}}:
                return tuple(reversed([*parts, name]))
            case {"RefDot": {"refr": inner, "field": [_, str(name)]}}:
                parts.append(name)
            case {"RefBrack": {"refr": inner, "index": {"String": {"value": str(name)}}}}:
                parts.append(name)
            case {"RefBrack": {"refr": inner}}:
                parts.append("*")
            case _:
                return tuple(reversed([*parts, "*"]))
        reference = inner


def _place(reference: Any) -> tuple[int, int]:
    """Line and column where a reference begins; its own span points at its last dot."""
    while True:
        match reference:
            case {"RefDot": {"refr": inner}} | {"RefBrack": {"refr": inner}}:
                reference = inner
            case {"Var": {"span": {"line": int(line), "col": int(column)}}}:
                return line, column
            case _:
                return 0, 0
