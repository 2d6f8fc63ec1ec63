"""Environment variables that take the place of single values in the configuration file.

    PRIVACY_GATEWAY_UPSTREAM=http://127.0.0.1:3000            upstream
    PRIVACY_GATEWAY_POLICY__ENGINE=opa                        policy.engine
    PRIVACY_GATEWAY_IDENTITY__ISSUERS__0__JWKS=jwks.json      identity.issuers[0].jwks

A name that means nothing is a fault: a variable that silently does nothing is a setting that
somebody believes in. So is one for a setting of `FILE_ONLY`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from gateway.config.faults import Fault, Place
from gateway.config.keys import Items, KeyPath, Leaf, Named, Section, Shape
from gateway.config.nodes import scalar
from gateway.config.wording import did_you_mean

PREFIX = "PRIVACY_GATEWAY_"

# Kubernetes sets these for every Service in the namespace, also for one named privacy-gateway.
_OF_KUBERNETES = re.compile(
    r"([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?"
    r"|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)


SHORT_FORMS: Mapping[KeyPath, str] = {("upstream",): "url", ("policy", "shadow"): "bundle"}
"""Sections that may be written as a bare text, and the key that the text then stands for."""


FILE_ONLY = frozenset({("endpoints", "enforcement"), ("endpoints", "observe_until")})
"""Settings, without the places in lists, that only the file can have, where they are reviewed: a
variable names an endpoint by its place, and would switch off another one's enforcement as soon as
somebody puts a new one before it."""


@dataclass(frozen=True, slots=True)
class Override:
    """One value from the environment."""

    variable: str
    path: KeyPath
    value: Any


def overrides(
    environ: Mapping[str, str], root: Section, document: Any
) -> tuple[list[Override], list[Fault]]:
    """The values that the environment sets in `document`, and the variables that mean nothing."""
    known = {_name(path): (path, leaf) for path, leaf in _settable(root, document, ())}
    known |= {_name(path): known[_name((*path, key))] for path, key in SHORT_FORMS.items()}
    found: list[Override] = []
    faults: list[Fault] = []
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        if variable in known:
            path, leaf = known[variable]
            if tuple(part for part in path if isinstance(part, str)) in FILE_ONLY:
                message = "this is set in the file only; no variable can change it"
                faults.append(Fault(Place(variable), path, message))
                continue
            twin = next((other.variable for other in found if other.path == path), None)
            if twin:
                faults.append(Fault(Place(variable), path, f"{twin} already sets this"))
            found.append(Override(variable, path, _value(environ[variable], leaf)))
        elif not _OF_KUBERNETES.fullmatch(variable.removeprefix(PREFIX)):
            message = f"no setting has this variable{did_you_mean(variable, known)}"
            faults.append(Fault(Place(variable), (), message))
    return found, faults


def written_out(document: Any) -> Any:
    """A copy of `document` without short forms."""
    for path, key in SHORT_FORMS.items():
        value = document
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str):
            document = _put(document, path, {key: value})
    return document


def applied(document: Any, override: Override) -> Any:
    """A copy of `document` with one value in its place; mappings on the way are made."""
    return _put(document, override.path, override.value)


def _put(document: Any, path: KeyPath, value: Any) -> Any:
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(document, list) and isinstance(head, int):
        return [
            _put(item, rest, value) if index == head else item
            for index, item in enumerate(document)
        ]
    if document is None:
        document = {}
    if not isinstance(document, dict):
        return document  # the file has something else in the place of a mapping, and a fault for it
    return {**document, head: _put(document.get(head), rest, value)}


def _settable(shape: Shape, document: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Leaf | Items]]:
    """Every single value, of lists those of the items that the file has."""
    match shape:
        case Section(keys=keys):
            for name, key in keys.items():
                inside = document.get(name) if isinstance(document, dict) else None
                yield from _settable(key.shape, inside, (*path, name))
        case Items(each=Section() as each):
            for index, item in enumerate(document if isinstance(document, list) else ()):
                yield from _settable(each, item, (*path, index))
        case Items(each=Leaf()) | Leaf():
            yield path, shape
        case Items() | Named():
            return
        case _:
            assert_never(shape)


def _name(path: KeyPath) -> str:
    return PREFIX + "__".join(str(part).upper() for part in path)


def _value(text: str, shape: Leaf | Items) -> Any:
    """Text as it is; where a number or true or false belongs, what YAML would read."""
    if not isinstance(shape, Leaf) or shape.kind not in (int, float, bool) or shape.unit.value:
        return text
    try:
        return scalar(text)
    except ValueError:
        return text
