"""Strict JSON (RFC 8259): bytes → values, and where in the bytes a value's children stand.

jiter reads every value, because it alone refuses what others settle silently, each in its own
way: duplicate names, lone surrogates, invalid UTF-8, NaN, control characters, data after the end.
msgspec only finds places in text that jiter has accepted, where no two readers differ.
"""

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import partial
from typing import Any, NamedTuple

import jiter
import msgspec

from gateway.errors import BadUpstream, Code
from gateway.inspection.locators import Steps, Wildcard

SPACE = b" \t\n\r"

BOM = b"\xef\xbb\xbf"
"""One may stand before a document; RFC 8259 section 8.1 lets a parser ignore it."""


class Container(Enum):
    """The two kinds of values that have children."""

    ARRAY = (b"[", b"]")
    OBJECT = (b"{", b"}")

    def __init__(self, opener: bytes, closer: bytes) -> None:
        self.opener, self.closer = opener, closer


class Child(NamedTuple):
    """An element or member in the text of its container: offsets.

    `begin` to `end` is all between two commas, `value_begin` to `value_end` the value alone.
    """

    name: str | None
    begin: int
    value_begin: int
    value_end: int
    end: int


_parse = partial(jiter.from_json, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")


def _deepest() -> int:
    """In how many containers jiter reads a value: a constant of its build, which may change."""
    for depth in range(128, 1024):
        try:
            _parse(b"[" * depth + b"1" + b"]" * depth)
        except ValueError:
            return depth - 1
    raise RuntimeError("jiter has no depth limit")


_DEEPEST = _deepest()

_MAX_NODES = 1 << 20
_FREE = 1 << 20
"""Values cost 20 to 60 times their bytes once parsed: texts beyond 1 MiB may hold a million."""

_SHORT = 4096
"""Bytes up to which counting brackets is cheaper than a text that stands deep."""


def parse(text: bytes, depth: int, offset: int = 0) -> Any:
    """The one value that `text` is, with no other value in more than `depth` containers.

    `offset` is where the text stands in the body, for the operator. Raises BadUpstream:
    BODY_AMBIGUOUS for a duplicate name, BODY_TOO_COMPLEX past the depth or a million values,
    BODY_MALFORMED for anything else that is not strict JSON.
    """
    if len(text) > _FREE:
        _check_nodes(text, offset)
    # Without so many brackets (those inside texts included) it can't be too deep.
    if text.count(b"[") + text.count(b"{") > depth:
        values = _within(text, Container.ARRAY, depth, offset)
        if len(values) != 1:
            raise malformed(offset)
        return values[0]
    try:
        return _parse(text)
    except ValueError as error:
        raise _refusal(error, offset) from None


def parse_into(values: list[Any], texts: Iterable[bytes], depth: int) -> None:
    """Append the value of each text; after a refusal, the first text without a value caused it."""
    add = values.append
    for text in texts:
        if len(text) > _FREE or text.count(b"[") + text.count(b"{") > depth:
            add(parse(text, depth))
            continue
        try:
            add(_parse(text))
        except ValueError as error:
            raise _refusal(error, 0) from None


def parse_items(text: bytes, container: Container, depth: int, offset: int = 0) -> Any:
    """The list or dict that `text`, one or more items and the commas between them, makes.

    It proves that `text` begins and ends between items of one container: a parser that had read
    so far would be there, and nowhere else. Raises BadUpstream as `parse` does.
    """
    if len(text) > _FREE:
        _check_nodes(text, offset)
    return _within(text, container, depth, offset)


def _within(text: bytes, container: Container, depth: int, offset: int) -> Any:
    # jiter's own depth limit counts: so many arrays around the text leave `depth` levels for it.
    if depth < 0:
        raise too_deep()
    levels = max(0, _DEEPEST - 1 - depth)
    if len(text) < _SHORT and text.count(b"[") + text.count(b"{") <= depth:
        levels = 0
    whole = b"".join((b"[" * levels, container.opener, text, container.closer, b"]" * levels))
    try:
        value = _parse(whole)
    except ValueError as error:
        raise _refusal(error, offset) from None
    # A text such as `1],[2` would close arrays that are not its own and open others in their
    # place: then one of them has two elements.
    for _ in range(levels):
        if len(value) != 1:
            raise malformed(offset)
        value = value[0]
    if not value:
        raise malformed(offset)
    return value


def _check_nodes(text: bytes, offset: int) -> None:
    if text.count(b",") + text.count(b"[") + text.count(b"{") > _MAX_NODES:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, f"a million values in one, at byte {offset}")


def _refusal(error: ValueError, offset: int) -> BadUpstream:
    # jiter tells causes apart only by text, which may quote the body: nothing of it goes on.
    message = str(error)
    if message.startswith("Detected duplicate key"):
        return BadUpstream(Code.BODY_AMBIGUOUS, f"a duplicate name, after byte {offset}")
    if message.startswith("recursion limit exceeded"):
        return too_deep()
    return malformed(offset)


def malformed(offset: int) -> BadUpstream:
    """The refusal of what is not JSON at all."""
    return BadUpstream(Code.BODY_MALFORMED, f"not strict JSON, after byte {offset}")


def too_deep() -> BadUpstream:
    """The refusal of nesting."""
    return BadUpstream(Code.BODY_TOO_COMPLEX, "nested beyond limits.depth")


_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_GAP = re.compile(rb"[ \t\n\r]*+")
_NAME = re.compile(rb'[ \t\n\r]*+"[^"\\]*+(?:\\.[^"\\]*+)*+"[ \t\n\r]*+:[ \t\n\r]*+', re.DOTALL)


def plausible(text: bytes, container: Container) -> bool:
    """Whether `text` may be items of a container: ten times faster than to prove it."""
    decoder = _ELEMENTS if container is Container.ARRAY else _MEMBERS
    try:
        decoder.decode(b"".join((container.opener, text, container.closer)))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True


def children(text: bytes, begin: int, end: int) -> Iterator[Child]:
    """Where the children of the container `text[begin:end]` stand; jiter has accepted the text."""
    is_object = text[begin] == ord("{")
    try:
        decoder: msgspec.json.Decoder[Any] = _MEMBERS if is_object else _ELEMENTS
        raws = decoder.decode(memoryview(text)[begin:end])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise malformed(begin) from None
    at, pattern = begin + 1, _NAME if is_object else _GAP
    for name, raw in raws.items() if isinstance(raws, dict) else ((None, raw) for raw in raws):
        value_begin = _end(pattern, text, at)
        value_end = value_begin + len(raw)
        stop = _end(_GAP, text, value_end)
        yield Child(name, at, value_begin, value_end, stop)
        at = stop + 1
    if raws and at != end:
        raise malformed(begin)


def _end(pattern: re.Pattern[bytes], text: bytes, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def trimmed(text: bytes) -> tuple[int, int]:
    """Where the text begins and ends without white space around it."""
    end = len(text.rstrip(SPACE))
    return end - len(text[:end].lstrip(SPACE)), end


def places(text: bytes, begin: int, end: int, steps: Steps) -> Iterator[tuple[int, int]]:
    """Where the values stand that `steps` lead to from the value `text[begin:end]`."""
    if not steps:
        yield begin, end
        return
    step, container = steps[0], text[begin : begin + 1]
    if container == (b"[" if step is Wildcard.ELEMENTS else b"{"):
        for child in children(text, begin, end):
            if isinstance(step, Wildcard) or step == child.name:
                yield from places(text, child.value_begin, child.value_end, steps[1:])
                if child.name == step:
                    return
