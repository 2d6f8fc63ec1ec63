"""Whether a PDF is as it left its writer (ISO 32000-2 section 7.5): what is where, once.

Readers mend PDFs, each in its own way: where the table of objects is wrong, some search for one
object and some build the whole table anew, of all that looks like an object or like a part of the
table. What such a search finds must be what the table says. So there is one table, and no update
behind it; each object in use stands where the table says, and nowhere in the file does another
one; each stream that holds objects is used by the table, for all that it holds.

A search looks into texts and streams, too, and so does this: a PDF with `7 0 obj` in a text is
refused. What is packed or coded hides nothing but the objects that are listed.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from gateway.errors import BadUpstream, Code

OBJECTS = 100_000
_PACKED = 1 << 25
"""Bytes that all streams which hold objects may unfold to."""
_LINE = 20
"""Bytes of an entry in a table of objects."""

_HEAD = re.compile(rb"%PDF-(?:1\.[0-7]|2\.0)[\r\n ]")
_TAIL = re.compile(rb"[\r\n]startxref[ ]?(?:\r\n|\r|\n)([0-9]{1,10})[ ]?(?:\r\n|\r|\n)%%EOF\s*\Z")
_TABLE = re.compile(
    rb"xref[ ]?(?:\r\n|\r|\n)0 ([0-9]{1,7})[ ]?(?:\r\n|\r|\n)"
    rb"((?:[0-9]{10} [0-9]{5} [fn](?: \r| \n|\r\n))*+)[\r\n]*+trailer"
)
"""Section 7.5.4: one subsection, of lines of twenty bytes; MuPDF has an empty one behind them."""
_TRAILER = re.compile(rb"(?<![A-Za-z])trailer(?![A-Za-z])")

_OBJECT = re.compile(rb"([0-9]{1,10})[\0\s]++([0-9]{1,5})[\0\s]++obj(?![A-Za-z])")
_LOOKS_LIKE_ONE = re.compile(rb"[-+.0-9][\0\s]++[-+.0-9]++[\0\s]*+obj(?![A-Za-z])")
_BEHIND_A_COMMENT = re.compile(
    rb"%[^\r\n%]*+[\r\n][\0\s]*+(?:[-+.0-9]++[\0\s]*+)?obj(?=[\0\s()<>\[\]{}/%])"
)
"""A comment is as good as a space; where it begins is not asked, which would take a reader."""


def _spelt(name: str) -> bytes:
    """A name, each of whose characters may be an escape (section 7.3.5)."""
    return b"/" + b"".join(b"(?:%c|#(?i:%02x))" % (each, each) for each in name.encode())


_KINDS = re.compile(_spelt("ObjStm") + b"|" + _spelt("XRef"))
"""Streams that say where objects are, by their types."""


def check_ends(data: bytes) -> int:
    """Where the table of objects begins, as the end says. What costs nothing is checked here,
    before a library reads anything."""
    if not _HEAD.match(data):
        raise BadUpstream(Code.BODY_MALFORMED, "a PDF without its beginning")
    tail = _TAIL.search(data[-128:])
    if tail is None:
        raise BadUpstream(Code.BODY_MALFORMED, "a PDF without its end")
    begin = int(tail[1])
    if data.count(b"startxref") > 1 or len(_TRAILER.findall(data)) > 1:
        raise _ambiguous("a PDF of several revisions or tables")
    if len(data) - begin > _LINE * OBJECTS:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, "a PDF of too many objects")
    return begin


def check(data: bytes, begin: int, reader: Any) -> frozenset[int]:
    """The numbers of all objects. `reader` is pypdf's, which unfolds streams; it mends, too, but
    what it would find elsewhere is refused here."""
    packed: dict[int, tuple[int, int]] = {}
    if table := _TABLE.match(data, begin):
        places = _listed(table)
        streams = set()
    else:
        number, places, packed = _coded(data, begin, reader)
        streams = {number}
    if 0 in places or 0 in packed:
        raise _mended()
    _check_places(data, places)
    holders = {holder for holder, _ in packed.values()}
    _check_streams(data, places, streams | holders)
    if _held(reader, places, holders) != packed:
        raise _ambiguous("a PDF with packed objects that its table doesn't know")
    return frozenset(places) | frozenset(packed)


def _listed(table: re.Match[bytes]) -> dict[int, int]:
    """Object → place, by the lines of a table. Quartz has numbers in use for which it wrote no
    object, at 0; who searches for them finds nothing, either."""
    lines = table[2]
    if len(lines) != _LINE * int(table[1]):
        raise _mended()
    places = {}
    for number, at in enumerate(range(0, len(lines), _LINE)):
        place = int(lines[at : at + 10])
        if place and lines[at + 17 : at + 18] == b"n":
            places[number] = place
            if lines[at + 11 : at + 16] != b"00000":
                raise _ambiguous("an object of a PDF that has been another one before")
    return places


def _coded(
    data: bytes, begin: int, reader: Any
) -> tuple[int, dict[int, int], dict[int, tuple[int, int]]]:
    """The number of the table, which is an object itself (section 7.5.8), object → place, and
    object → the stream that holds it and its place among those there."""
    found = _OBJECT.match(data, begin)
    number = int(found[1]) if found else -1
    stream: Any = reader.get_object(number) if found else {}
    if stream.get("/Type") != "/XRef" or _TRAILER.search(data):
        raise _mended()
    if "/Prev" in stream:
        raise _ambiguous("a PDF of several revisions or tables")
    size, widths = int(stream["/Size"]), [int(width) for width in stream["/W"]]
    content = bytes(stream.get_data())
    whole = list(stream.get("/Index", [0, size])) == [0, size]
    if len(widths) != 3 or min(widths) < 0 or not whole or len(content) != sum(widths) * size:
        raise _mended()
    if size > OBJECTS:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, "a PDF of too many objects")
    places, packed = {}, {}
    for each, (kind, where, which) in enumerate(_entries(content, widths)):
        if kind == 1 and which == 0:
            places[each] = where
        elif kind == 2:
            packed[each] = (where, which)
        elif kind != 0:
            raise _mended()
    if places.get(number) != begin:
        raise _mended()
    return number, places, packed


def _entries(content: bytes, widths: list[int]) -> Iterator[tuple[int, int, int]]:
    kind, where, which = widths
    for at in range(0, len(content), kind + where + which):
        begin, end = at + kind, at + kind + where
        yield (
            int.from_bytes(content[at:begin]) if kind else 1,
            int.from_bytes(content[begin:end]),
            int.from_bytes(content[end : end + which]),
        )


def _check_places(data: bytes, places: dict[int, int]) -> None:
    """At each place is the object of that number, and at no other place is one."""
    ends = set()
    for number, place in places.items():
        found = _OBJECT.match(data, place)
        before = data[place - 1 : place]
        if not found or (int(found[1]), int(found[2])) != (number, 0) or before in b"-+.0123456789":
            raise _mended()
        ends.add(found.end())
    strange = any(found.end() not in ends for found in _LOOKS_LIKE_ONE.finditer(data))
    if strange or _BEHIND_A_COMMENT.search(data):
        raise _ambiguous("an object of a PDF that its table doesn't know")


def _check_streams(data: bytes, places: dict[int, int], known: set[int]) -> None:
    """No object but the known ones says where others are."""
    order = sorted((place, number) for number, place in places.items())
    for found in _KINDS.finditer(data):
        at = bisect_right(order, (found.start(),))
        if not at or order[at - 1][1] not in known:
            raise _ambiguous("a PDF with packed objects that its table doesn't know")


def _held(reader: Any, places: dict[int, int], holders: set[int]) -> dict[int, tuple[int, int]]:
    """What the streams hold, by their own lists; as `_coded` has it."""
    held: dict[int, tuple[int, int]] = {}
    unfolded = 0
    for holder in holders:
        stream: Any = reader.get_object(holder) if holder in places else {}
        if stream.get("/Type") != "/ObjStm":
            raise _mended()
        content = bytes(stream.get_data())
        unfolded += len(content)
        count = int(stream["/N"])
        if unfolded > _PACKED or len(held) + count > OBJECTS:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "a PDF that takes too much")
        pairs = content[: int(stream["/First"])].split(maxsplit=2 * max(count, 0))
        if len(pairs) != 2 * count or _KINDS.search(content):
            raise _mended()
        for which, number in enumerate(map(int, pairs[::2])):
            if number in held:
                raise _ambiguous("an object of a PDF that stands in several places")
            held[number] = (holder, which)
    return held


def _mended() -> BadUpstream:
    return _ambiguous("a PDF with a table of objects that readers would mend")


def _ambiguous(what: str) -> BadUpstream:
    return BadUpstream(Code.BODY_AMBIGUOUS, what)
