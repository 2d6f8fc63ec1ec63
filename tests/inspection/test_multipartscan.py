"""The parts of a body that comes in any chunks. What is refused is in `test_multipartdirectory`."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.multipartscan import Scan, boundary_in
from gateway.inspection.settings import Limits
from tests.support.multiparts import multipart, named, part

LIMITS = Limits()


@pytest.mark.parametrize(
    ("head", "boundary"),
    [
        (b"--b\r\n", b"b"),
        (b"----WebKitFormBoundaryX\r\nContent", b"--WebKitFormBoundaryX"),
        (b"--a b=c'()+_,-./:?\r\n", b"a b=c'()+_,-./:?"),
        (b"--" + b"b" * 70 + b"\r\n", b"b" * 70),
        (b"--" + b"b" * 71 + b"\r\n", None),
        (b"--b \r\n", None),
        (b"--\r\n", None),
        (b"--b\n", None),
        (b"--b", None),
        (b"\r\n--b\r\n", None),
        (b"preamble\r\n--b\r\n", None),
        (b"--\xff\r\n", None),
        (b"", None),
    ],
)
def test_the_first_line_is_a_delimiter(head: bytes, boundary: bytes | None) -> None:
    assert boundary_in(head) == boundary


Parts = list[tuple[str, bytes, bytes]]


def scanned(chunks: list[bytes]) -> tuple[Parts, int, bytes]:
    """The parts (names, lines, contents), where the last delimiter begins, and what it is."""
    scan = Scan(iter(chunks), LIMITS)
    parts = [(each.said.name, each.lines, b"".join(each.chunks())) for each in scan]
    return parts, scan.start, scan.tail


CONTENT = st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"--", b"=", b"_", b"=_", b"--=_", b"x"]), max_size=12
).map(b"".join)


@given(contents=st.lists(CONTENT, min_size=1, max_size=4), cuts=st.lists(st.integers(1, 400)))
def test_the_same_parts_are_found_however_a_body_is_cut(
    contents: list[bytes], cuts: list[int]
) -> None:
    written = [named(str(n), content) for n, content in enumerate(contents)]
    body = multipart(*written)
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    chunks = [body[a:b] for a, b in pairwise(places)]
    parts, start, tail = scanned(chunks)
    assert [content for _, _, content in parts] == contents
    assert b"".join(lines + content + b"\r\n" for _, lines, content in parts) + tail == body
    assert body[start:] == tail == b"--=_b--\r\n"


def test_of_a_content_only_what_may_be_a_delimiter_is_waited_for() -> None:
    pieces = [b"one\n", b"two\r\n", b"three\r\n--=", b"four\r\n--=_b", b"--"]
    (each,) = Scan(iter([b"--=_b\r\n\r\n", *pieces]), LIMITS)
    assert each.is_whole and each.end - each.data == len(b"one\ntwo\r\nthree\r\n--=four")
    for each in Scan(iter([b"--=_b\r\n\r\n", *pieces]), LIMITS):
        found = [*each.chunks()]
    assert found == [b"one\n", b"two", b"\r\nthree", b"\r\n--=four"]


def test_the_end_of_a_part_waits_for_its_delimiter_to_be_one() -> None:
    chunks = [b"--=_b\r\n\r\nx", b"secret\r\n--=_b", b"x\r\n"]
    each = next(iter(Scan(iter(chunks), LIMITS)))
    found: list[bytes] = []
    with pytest.raises(BadUpstream) as refused:
        for chunk in each.chunks():
            found.append(chunk)
    assert refused.value.code is Code.BODY_AMBIGUOUS
    assert found == [b"x"] and not each.is_whole


def test_a_length_is_held_against_what_came() -> None:
    scan = iter(Scan(iter([multipart(part(b"xy", "Content-Length: 1"))]), LIMITS))
    each = next(scan)
    with pytest.raises(BadUpstream) as refused:
        list(each.chunks())
    assert refused.value.code is Code.BODY_AMBIGUOUS and not each.is_whole
