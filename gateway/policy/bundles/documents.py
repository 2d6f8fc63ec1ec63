"""Data documents: strict JSON or YAML, bounded, each at its folder's place in `data`."""

import math
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import jiter
import msgspec

from gateway.policy.bundles.faults import BundleError

ROOT = "privacy"
DEPLOYMENT = "deployment"
"""The deployment's own settings are at `data.privacy.deployment`."""

DATA_FILES = ("data.json", "data.yaml", "data.yml")

_MAX_YAML = 1 << 20
"""YAML is read in Python, some seconds a megabyte: larger data belongs in JSON."""
_MAX_VALUES = 2_000_000
_MAX_DEPTH = 32

_UNFIT: Mapping[type, str] = {
    int: "an integer beyond 64 bits, which the engines don't hold exactly",
    float: "a number that is none (infinite, or not a number)",
    dict: "an object with a key that is no text: write it in quotes",
}
_OTHER = "a {}, which JSON doesn't have: write it in quotes"

_LITERAL: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
    float_hook=lambda number: msgspec.Raw(number.encode())
)
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)


def parse(place: str, content: bytes) -> Any:
    """The value of a document; `place` names it, and its suffix says how it is written.

    Duplicate keys, which OPA doesn't see, are refused. Raises BundleError.
    """
    is_json = place.endswith(".json")
    if not is_json and len(content) > _MAX_YAML:
        raise BundleError(place, f"more than {_MAX_YAML} bytes of YAML: use JSON")
    try:
        if is_json:
            return strict_json(place, content)
        document = _yaml(place, content)
    except RecursionError:
        raise BundleError(place, "nested too deeply") from None
    _check_values(place, document)
    return document


def _yaml(place: str, content: bytes) -> Any:
    from ruamel.yaml import YAML  # more than a MiB, for what few bundles have
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text(place, content))
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1} column {mark.column + 1}" if mark else "somewhere"
        raise BundleError(place, f"not strict YAML, {where}") from None


def strict_json(place: str, content: bytes) -> Any:
    """The value of a JSON text, without duplicate keys and without numbers that are none."""
    _check_size(place, content)
    try:
        document = jiter.from_json(content, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        # Of jiter's text only the place: the rest may quote data.
        found = re.search(r"line \d+ column \d+", str(error))
        raise BundleError(place, f"not strict JSON, {found[0] if found else 'somewhere'}") from None
    _check_values(place, document)
    return document


def canonical(place: str, content: bytes) -> bytes:
    """A document as OPA hashes it: keys in order, no white space, numbers as they were written.

    Go's encoder writes U+2028 and U+2029 as escapes, and that is all it does differently from
    msgspec's. Duplicate keys are not refused here: that is left to `parse`.
    """
    if place.endswith((".yaml", ".yml")):
        value = parse(place, content)
    else:
        _check_size(place, content)
        try:
            value = _LITERAL.decode(content)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            raise BundleError(place, "not strict JSON") from None
    encoded = msgspec.json.encode(value, order="sorted")
    return encoded.replace("\u2028".encode(), rb"\u2028").replace("\u2029".encode(), rb"\u2029")


def text(place: str, content: bytes) -> str:
    """UTF-8, or BundleError."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(place, f"not UTF-8 at byte {error.start}") from None


def _check_size(place: str, content: bytes) -> None:
    """Refuses too many values before they are made: `[[],[],...` takes 30 times its size in memory.

    Every value but the first stands behind a comma or an opening bracket.
    """
    if _structure(content) > _MAX_VALUES and _structure(_TEXT.sub(b"", content)) > _MAX_VALUES:
        raise BundleError(place, "too many values, or nested too deeply")


def _structure(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _check_values(place: str, document: Any) -> None:
    """Level by level. Values count as they are when written out: YAML aliases can stand for
    billions, and for themselves."""
    level, left = [document], _MAX_VALUES - 1
    for _ in range(_MAX_DEPTH + 1):
        inner: list[Any] = []
        for value in level:
            kind = type(value)
            if kind is dict and {str}.issuperset(map(type, value)):
                left -= len(value)
                inner.extend(value.values() if left >= 0 else ())
            elif kind is list:
                left -= len(value)
                inner.extend(value if left >= 0 else ())
            elif not _is_simple(kind, value):
                raise BundleError(place, _UNFIT.get(kind, _OTHER.format(kind.__name__)))
        if left < 0:
            break
        if not inner:
            return
        level = inner
    raise BundleError(place, "too many values, or nested too deeply")


def _is_simple(kind: type, value: Any) -> bool:
    if kind is int:
        return -(2**63) <= int(value) < 2**63
    if kind is float:
        return math.isfinite(value)
    return kind is str or kind is bool or value is None


def placed(data: dict[str, Any], place: str, name: str, document: Any) -> dict[str, Any]:
    """The data with the document of the file `name` at its folder's path. Raises BundleError."""
    parts = PurePosixPath(name).parent.parts
    # `opa build` writes all data into one document at the top.
    inside = parts[0] == ROOT if parts else isinstance(document, dict) and set(document) <= {ROOT}
    if not inside:
        raise BundleError(place, f"data outside the root {ROOT}")
    for part in reversed(parts):
        document = {part: document}
    return _merged(data, document, place)


def _merged(one: dict[str, Any], other: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Both together; a new object, since YAML aliases make parts of a document the same object."""
    merged = dict(one)
    for key, value in other.items():
        there = merged.get(key)
        if key not in merged:
            merged[key] = value
        elif isinstance(there, dict) and isinstance(value, dict):
            merged[key] = _merged(there, value, place)
        else:
            raise BundleError(place, "data in the place of another data document")
    return merged


def parse_deployment(place: str, content: bytes) -> dict[str, Any]:
    """A deployment document. Raises BundleError."""
    document = parse(place, content)
    if not isinstance(document, dict):
        raise BundleError(place, "expected an object, as in policies/schemas/deployment.json")
    return document


def overlaid(data: dict[str, Any], place: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The data with another deployment document. Raises BundleError."""
    within = data.get(ROOT, {})
    if not isinstance(within, dict):
        raise BundleError(place, "the bundle's data has no place for it")
    return {**data, ROOT: {**within, DEPLOYMENT: document}}
