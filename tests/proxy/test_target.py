"""One reading of every target, or none."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from gateway.errors import BadRequest, Code
from gateway.proxy.target import read_target

MALFORMED, AMBIGUOUS = Code.REQUEST_MALFORMED, Code.REQUEST_AMBIGUOUS


@pytest.mark.parametrize(
    ("target", "path", "spelled"),
    [
        ("/", (), "/"),
        ("/exports/orders", ("exports", "orders"), "/exports/orders"),
        ("/%65xports/%6Frders", ("exports", "orders"), "/exports/orders"),
        ("/Exports", ("Exports",), "/Exports"),
        ("/a%20b", ("a b",), "/a%20b"),
        ("/a+b", ("a+b",), "/a+b"),
        ("/M%c3%bcller", ("Müller",), "/M%C3%BCller"),
        ("/a:b@c,d=e!f$g&h'i(j)*k", ("a:b@c,d=e!f$g&h'i(j)*k",), "/a:b@c,d=e!f$g&h'i(j)*k"),
        ("/%7Eme/.hidden/a.b/...", ("~me", ".hidden", "a.b", "..."), "/~me/.hidden/a.b/..."),
        ("/%22%3C%3E", ('"<>',), "/%22%3C%3E"),
    ],
)
def test_a_path_has_one_reading_and_one_spelling(
    target: str, path: tuple[str, ...], spelled: str
) -> None:
    read = read_target(target)
    assert (read.path, read.query, read.spelled) == (path, {}, spelled)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("", MALFORMED),
        ("*", MALFORMED),
        ("exports", MALFORMED),
        ("http://evil.test/exports", MALFORMED),
        ("evil.test:443", MALFORMED),
        ("/a b", MALFORMED),
        ("/a\0", MALFORMED),
        ("/a\r\nX: y", MALFORMED),
        ("/é", MALFORMED),
        ("/a\udcff", MALFORMED),
        ("/a%", MALFORMED),
        ("/a%2", MALFORMED),
        ("/a%zz", MALFORMED),
        ("/a%u0041", MALFORMED),
        ("/%ff", MALFORMED),
        ("/%c0%af", MALFORMED),
        ("/%ed%a0%80", MALFORMED),
        ("/%00", MALFORMED),
        ("/%0d%0aX:y", MALFORMED),
        ("/%7f", MALFORMED),
        ("/%c2%85", MALFORMED),
        ("/<script>", MALFORMED),
        ("//", AMBIGUOUS),
        ("//evil.test/exports", AMBIGUOUS),
        ("/exports//orders", AMBIGUOUS),
        ("/exports/", AMBIGUOUS),
        ("/.", AMBIGUOUS),
        ("/..", AMBIGUOUS),
        ("/a/../exports", AMBIGUOUS),
        ("/a/./exports", AMBIGUOUS),
        ("/a/%2e%2e/exports", AMBIGUOUS),
        ("/a/.%2E/exports", AMBIGUOUS),
        ("/exports%2eorders", AMBIGUOUS),
        ("/exports%2forders", AMBIGUOUS),
        ("/exports%5corders", AMBIGUOUS),
        ("/exports\\orders", AMBIGUOUS),
        ("/exports;v=1/orders", AMBIGUOUS),
        ("/exports%3Bv=1", AMBIGUOUS),
        ("/exports%252e%252e", AMBIGUOUS),
        ("/a%25", AMBIGUOUS),
        ("/a%3Fb", AMBIGUOUS),
        ("/a%23b", AMBIGUOUS),
        ("/exports#/skip", AMBIGUOUS),
        ("/%EF%BC%8F", AMBIGUOUS),
        ("/%EF%BC%8E%EF%BC%8E", AMBIGUOUS),
        ("/%E2%80%A5", AMBIGUOUS),
        ("/a%EF%BC%85", AMBIGUOUS),
        ("/[a]", AMBIGUOUS),
    ],
)
def test_a_path_with_two_readings_is_refused(target: str, code: Code) -> None:
    """C14 C18 C29"""
    with pytest.raises(BadRequest) as caught:
        read_target(target)
    assert caught.value.code is code
    assert not target or target not in caught.value.note


@pytest.mark.parametrize(
    ("query", "read", "spelled"),
    [
        ("a=1", {"a": ("1",)}, "a=1"),
        ("a=1&b=2", {"a": ("1",), "b": ("2",)}, "a=1&b=2"),
        ("a=1&a=1", {"a": ("1", "1")}, "a=1&a=1"),
        ("a", {"a": ("",)}, "a="),
        ("a=b=c", {"a": ("b=c",)}, "a=b%3Dc"),
        ("a=b+c", {"a": ("b c",)}, "a=b%20c"),
        ("a=b%2Bc", {"a": ("b+c",)}, "a=b%2Bc"),
        ("a=50%25", {"a": ("50%",)}, "a=50%25"),
        ("a=%26b=c", {"a": ("&b=c",)}, "a=%26b%3Dc"),
        ("a=b?c/d", {"a": ("b?c/d",)}, "a=b%3Fc/d"),
        ("$filter=x%20eq%20'y'", {"$filter": ("x eq 'y'",)}, "$filter=x%20eq%20'y'"),
        ("_since=2020-01-01T00:00:00Z", {"_since": ("2020-01-01T00:00:00Z",)},
         "_since=2020-01-01T00:00:00Z"),
        ("%61=%C3%A9", {"a": ("é",)}, "a=%C3%A9"),
    ],
)  # fmt: skip
def test_a_query_keeps_every_value(
    query: str, read: dict[str, tuple[str, ...]], spelled: str
) -> None:
    target = read_target(f"/x?{query}")
    assert (target.query, target.spelled) == (read, f"/x?{spelled}")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", AMBIGUOUS),
        ("a=1&", AMBIGUOUS),
        ("&a=1", AMBIGUOUS),
        ("a=1&&b=2", AMBIGUOUS),
        ("=1", AMBIGUOUS),
        ("user=me&user=foreign", AMBIGUOUS),
        ("user=me&User=foreign", AMBIGUOUS),
        ("user=me&USER=me", AMBIGUOUS),
        ("user=me&%75ser=foreign", AMBIGUOUS),
        ("user[]=me", AMBIGUOUS),
        ("user%5B%5D=me", AMBIGUOUS),
        ("user=me;user=foreign", AMBIGUOUS),
        ("a%3Bb=1", AMBIGUOUS),
        ("_method=DELETE", AMBIGUOUS),
        ("a%26b=1", AMBIGUOUS),
        ("a=%2525", AMBIGUOUS),
        ("a=%2541", AMBIGUOUS),
        ("a=1#b", AMBIGUOUS),
        ("#a", AMBIGUOUS),
        ("a=\\", AMBIGUOUS),
        ("a=%zz", MALFORMED),
        ("a=%ff", MALFORMED),
        ("a=%00", MALFORMED),
        ("a=%0d%0a", MALFORMED),
        ("a=é", MALFORMED),
        ('a="', MALFORMED),
    ],
)
def test_a_query_with_two_readings_is_refused(query: str, code: Code) -> None:
    """C14 C15 C18"""
    with pytest.raises(BadRequest) as caught:
        read_target(f"/x?{query}")
    assert caught.value.code is code


PIECES = st.sampled_from(
    ["/", "a", "..", ".", "%2e", "%2F", "%25", "%41", "%C3%A9", "%E2%80%A5", "%20", "+", ";", "\\",
     "?", "&", "=", "#", "[]", "%00", "é", "~", "b=c", "*", "%", "\r\n", "%26", "_method", "A"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map(lambda pieces: "/" + "".join(pieces)) | st.text())
@example("/a?b=%26c")
def test_what_is_read_is_spelled_so_that_it_reads_the_same(target: str) -> None:
    """A target is refused, or its spelling admits to itself."""
    try:
        read = read_target(target)
    except BadRequest:
        return
    again = read_target(read.spelled)
    assert (again.path, again.query, again.spelled) == (read.path, read.query, read.spelled)
    assert URL("http://u" + read.spelled, encoded=True).raw_path_qs == read.spelled
    assert read.spelled.isascii()
    assert not any(segment in ("", ".", "..") for segment in read.path)


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), max_size=4))
def test_every_path_that_is_read_is_the_path_that_was_meant(segments: list[str]) -> None:
    """Percent-encode anything: it's refused, or it comes back exactly."""
    target = "/" + "/".join(
        "".join(f"%{byte:02X}" for byte in segment.encode()) for segment in segments
    )
    with suppress(BadRequest):
        assert read_target(target).path == tuple(segments)
