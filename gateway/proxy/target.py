"""Request-target → segments and query, in one reading; and their one spelling.

The policy decides on the decoded segments, and the upstream gets a target spelled from them, so
that both mean the same resource. Whatever another server might decode again, fold, split or cut
off is refused: dot segments, encoded slashes, double encoding, path parameters, fragments.
"""

import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import quote, unquote_to_bytes

import msgspec

from gateway.errors import BadRequest, Code

_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,=:@%/-]*", re.ASCII)
_QUERY = re.compile(r"[A-Za-z0-9._~!$&'()*+,=:@%/?-]*", re.ASCII)
_TWO_READINGS = re.compile(r"[;\\#\[\]]")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SEPARATORS = re.compile(r"[/\\%;?#]")
_DOTS = frozenset({"", ".", ".."})
_NAME = re.compile(r"[A-Za-z0-9_.:$~-]{1,128}", re.ASCII)

_SAFE_IN_SEGMENT = "!$&'()*+,=:@"
_SAFE_IN_NAME = "$:"
_SAFE_IN_VALUE = "!$'()*,:@/"

_OVERRIDES = frozenset({"_method"})
"""Query names by which some frameworks let a GET be a DELETE."""


class Target(msgspec.Struct, frozen=True):
    """`path` are decoded segments, `query` every value by name, `spelled` the one spelling."""

    path: tuple[str, ...]
    query: Mapping[str, tuple[str, ...]]
    spelled: str


def read_target(target: str) -> Target:
    """Raises BadRequest for anything but one origin-form (RFC 9112 section 3.2.1)."""
    if not target.startswith("/"):
        raise BadRequest(Code.REQUEST_MALFORMED, "the target isn't in origin-form")
    raw_path, question, raw_query = target.partition("?")
    path = _path(raw_path)
    # Without an escape a path is spelled already: its characters were checked.
    spelled = raw_path
    if "%" in raw_path:
        spelled = "/" + "/".join(quote(segment, safe=_SAFE_IN_SEGMENT) for segment in path)
    if not question:
        return Target(path, {}, spelled)
    query = _query(raw_query)
    pairs = ((name, value) for name, values in query.items() for value in values)
    return Target(path, query, spelled + "?" + "&".join(_pair(*pair) for pair in pairs))


def _path(raw: str) -> tuple[str, ...]:
    _check_characters(raw, _PATH, "the path")
    if raw == "/":
        return ()
    if "%2e" in raw.lower():
        raise BadRequest(Code.REQUEST_AMBIGUOUS, "the path has an encoded dot")
    path = tuple([_decode(segment, "the path") for segment in raw[1:].split("/")])
    # Some servers fold compatibility characters first: U+FF0F is a slash to them.
    folded = path if "%" not in raw else [unicodedata.normalize("NFKC", text) for text in path]
    if not _DOTS.isdisjoint(folded) or _SEPARATORS.search("".join(folded)):
        raise BadRequest(Code.REQUEST_AMBIGUOUS, "a path segment can be read in two ways")
    return path


def _query(raw: str) -> Mapping[str, tuple[str, ...]]:
    _check_characters(raw, _QUERY, "the query")
    query: dict[str, tuple[str, ...]] = {}
    spellings: dict[str, str] = {}
    for pair in raw.split("&"):
        raw_name, _, raw_value = pair.partition("=")
        name, value = _decode_form(raw_name), _decode_form(raw_value)
        if not _NAME.fullmatch(name) or name.lower() in _OVERRIDES or _ESCAPE.search(value):
            raise BadRequest(Code.REQUEST_AMBIGUOUS, "a query pair can be read in two ways")
        values = query.get(name, ())
        # One framework takes the first value, another the last, a third folds the case.
        if spellings.setdefault(name.lower(), name) != name or any(old != value for old in values):
            raise BadRequest(Code.REQUEST_AMBIGUOUS, "a query name has two values")
        query[name] = (*values, value)
    return query


def _pair(name: str, value: str) -> str:
    return f"{quote(name, safe=_SAFE_IN_NAME)}={quote(value, safe=_SAFE_IN_VALUE)}"


def _check_characters(raw: str, allowed: re.Pattern[str], what: str) -> None:
    if allowed.fullmatch(raw):
        return
    code = Code.REQUEST_AMBIGUOUS if _TWO_READINGS.search(raw) else Code.REQUEST_MALFORMED
    raise BadRequest(code, f"{what} has a character that must be encoded or absent")


def _decode_form(raw: str) -> str:
    return _decode(raw.replace("+", " "), "the query")


def _decode(raw: str, what: str) -> str:
    if "%" not in raw:
        return raw
    if _BROKEN_ESCAPE.search(raw):
        raise BadRequest(Code.REQUEST_MALFORMED, f"{what} has a broken escape")
    try:
        text = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest(Code.REQUEST_MALFORMED, f"{what} isn't UTF-8") from None
    if _CONTROL.search(text):
        raise BadRequest(Code.REQUEST_MALFORMED, f"{what} has a control character")
    return text
