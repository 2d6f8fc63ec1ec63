"""What is read from a request, what goes on, and what is refused before anything is asked."""

from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRequest, Code, Unavailable
from gateway.model import Admitted, Request
from gateway.proxy.admission import Admission
from gateway.proxy.settings import RequestLimits

HOST = (b"Host", b"gateway.test")
TOKEN = (b"Authorization", b"Bearer x.y.z")


async def _body() -> AsyncIterator[bytes]:
    yield b"{}"


def requested(
    *headers: tuple[bytes, bytes], method: str = "GET", target: str = "/exports/orders",
    version: tuple[int, int] = (1, 1),
) -> Request:  # fmt: skip
    return Request(method, target, (HOST, *headers), _Body(), version)


class _Body:
    def __aiter__(self) -> AsyncIterator[bytes]:
        return _body()


def posted(*headers: tuple[bytes, bytes], version: tuple[int, int] = (1, 1)) -> Request:
    return requested(*headers, method="POST", version=version)


def admit(request: Request, limits: RequestLimits | None = None) -> Admitted:
    """A request by itself: nothing came before."""
    return Admission(limits)(request)


def code(request: Request, limits: RequestLimits | None = None) -> Code | None:
    try:
        admit(request, limits)
    except BadRequest as refusal:
        return refusal.code
    return None


def test_a_sound_request_is_admitted() -> None:
    admitted = admit(requested(TOKEN, target="/exports/%6Frders?a=1"))
    assert admitted == Admitted(
        method="GET",
        path=("exports", "orders"),
        query={"a": ("1",)},
        target="/exports/orders?a=1",
        headers=(("Accept-Encoding", "identity"), ("Authorization", "Bearer x.y.z")),
        authorization=(b"Bearer x.y.z",),
        body=None,
    )


@pytest.mark.parametrize("fault", sorted(BadRequest.codes))
def test_what_the_parser_refused_stays_refused(fault: Code) -> None:
    assert code(Request("", "", (), fault=fault)) is fault


def test_what_the_server_had_no_room_for_is_unavailable() -> None:
    with pytest.raises(Unavailable) as caught:
        admit(Request("", "", (), fault=Code.OVERLOADED))
    assert caught.value.code is Code.OVERLOADED


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "BREW"])
def test_a_method_is_a_token(method: str) -> None:
    assert code(requested(method=method)) is None


@pytest.mark.parametrize("method", ["", "G T", "GET\r\n", "GÉT", "A" * 33, "CONNECT"])
def test_anything_else_is_no_method_to_admit(method: str) -> None:
    assert code(requested(method=method)) is Code.REQUEST_MALFORMED


@pytest.mark.parametrize("version", [(0, 9), (1, 2), (2, 0)])
def test_other_versions_are_refused(version: tuple[int, int]) -> None:
    assert code(requested(version=version)) is Code.REQUEST_MALFORMED
    assert code(requested(version=(1, 0))) is None


@pytest.mark.parametrize(
    "host", [b"a", b"a:80", b"A.test", b"127.0.0.1:8080", b"[::1]:80", b"my_service"]
)
def test_a_host_and_a_port_are_a_host(host: bytes) -> None:
    assert code(Request("GET", "/", ((b"host", host),))) is None


@pytest.mark.parametrize(
    "host",
    [b"", b"a b", b"a/../b", b"a:b", b"a:123456", b"me@a", b"a,b", b"[::1", b"a?", b"a#", b"a\\b"],
)
def test_anything_else_is_no_host(host: bytes) -> None:
    """C11"""
    assert code(Request("GET", "/", ((b"Host", host),))) is Code.REQUEST_MALFORMED


def test_hosts_are_counted() -> None:
    """C11"""
    assert code(Request("GET", "/", ())) is Code.REQUEST_MALFORMED
    assert code(Request("GET", "/", (), version=(1, 0))) is None
    for version in ((1, 0), (1, 1)):
        assert code(Request("GET", "/", (HOST, HOST), version=version)) is Code.REQUEST_AMBIGUOUS


@pytest.mark.parametrize("value", [b"\0", b"a\rb", b"a\nb", b"\x80", b"\x7f", "é".encode()])
def test_values_are_visible_ascii(value: bytes) -> None:
    """C17"""
    assert code(requested((b"X-A", value))) is Code.REQUEST_MALFORMED
    assert code(requested((b"X-A", b"a b\t~"))) is None


@pytest.mark.parametrize("name", [b"", b"X A", b"X-A ", b"X:A", b"X\x80", b"X\r\nA"])
def test_names_are_tokens(name: bytes) -> None:
    """C10 C17"""
    assert code(requested((name, b"a"))) is Code.REQUEST_MALFORMED
    assert code(requested((b"X_A", b"a"))) is None


@pytest.mark.parametrize(
    "headers",
    [
        [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")],
        [(b"Upgrade", b"h2c")],
        [(b"Connection", b"keep-alive, Upgrade")],
        [(b"Connection", b"close"), (b"connection", b"UPGRADE")],
        [(b"HTTP2-Settings", b"AAMAAABkAARAAAAAAAIAAAAA")],
        [(b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ==")],
        [(b"Sec-WebSocket-Extensions", b"permessage-deflate")],
    ],
)
def test_no_other_protocol_is_spoken(headers: list[tuple[bytes, bytes]]) -> None:
    """A27"""
    assert code(requested(*headers)) is Code.REQUEST_MALFORMED
    assert code(requested((b"Connection", b"close, TE"))) is None


def test_a_body_may_be_framed_in_two_ways_but_not_in_both() -> None:
    length, chunked = (b"Content-Length", b"2"), (b"Transfer-Encoding", b"chunked")
    for framing in (length, chunked):
        assert admit(posted(framing)).body is not None
    assert admit(posted()).body is None
    assert admit(posted((b"Content-Length", b"0"))).body is None
    assert code(posted(length, chunked)) is Code.REQUEST_AMBIGUOUS
    assert code(posted(chunked, version=(1, 0))) is Code.REQUEST_AMBIGUOUS
    assert code(posted(length, version=(1, 0))) is None


@pytest.mark.parametrize(
    "headers",
    [
        [(b"Content-Length", b"+2")],
        [(b"Content-Length", b"2"), (b"Content-Length", b"2")],
        [(b"Transfer-Encoding", b"gzip, chunked")],
        [(b"Transfer-Encoding", b"")],
        [(b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")],
        [(b"Content-Length", b"2"), (b"Content-Encoding", b"gzip")],
    ],
)
def test_unclear_framing_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    """C01 C05"""
    assert code(posted(*headers)) is Code.REQUEST_AMBIGUOUS


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE", "PUT"])
def test_only_a_post_has_a_body(method: str) -> None:
    """C06"""
    for framing in ((b"Content-Length", b"2"), (b"Transfer-Encoding", b"chunked")):
        assert code(requested(framing, method=method)) is Code.REQUEST_AMBIGUOUS
    assert code(requested((b"Content-Length", b"0"), method=method)) is None


def test_an_expectation_is_about_a_body() -> None:
    """C06"""
    length, expect = (b"Content-Length", b"2"), (b"Expect", b"100-Continue")
    assert code(posted(length, expect)) is None
    assert code(posted(expect)) is Code.REQUEST_MALFORMED
    assert code(requested(expect)) is Code.REQUEST_MALFORMED
    assert code(posted(length, expect, expect)) is Code.REQUEST_MALFORMED
    assert code(posted(length, expect, version=(1, 0))) is Code.REQUEST_MALFORMED
    assert code(posted(length, (b"Expect", b"200-ok"))) is Code.REQUEST_MALFORMED


def test_limits_hold_to_the_byte() -> None:
    """C16"""
    limits = RequestLimits(target=100, field=80, head=400, fields=6, body=10)
    large = Code.REQUEST_TOO_LARGE
    assert code(requested(target="/" + "a" * 99), limits) is None
    assert code(requested(target="/" + "a" * 100), limits) is large
    assert code(requested((b"X-A", b"b" * 77)), limits) is None
    assert code(requested((b"X-A", b"b" * 78)), limits) is large
    assert code(requested(*[(b"X-A", b"b")] * 5), limits) is None
    assert code(requested(*[(b"X-A", b"b")] * 6), limits) is large
    lines, rest = [(b"X-A", b"b" * 73)] * 4, 400 - 20 - 4 * 80
    assert code(requested(*lines, (b"X-B", b"c" * (rest - 7))), limits) is None
    assert code(requested(*lines, (b"X-B", b"c" * (rest - 6))), limits) is large
    assert code(posted((b"Content-Length", b"10")), limits) is None
    assert code(posted((b"Content-Length", b"11")), limits) is large


SPOOFS = [
    b"X-User", b"X_User", b"X-Auth-Subject", b"X-Forwarded-For", b"X-Forwarded-Uri", b"Forwarded",
    b"X-Original-URL", b"X-Rewrite-URL", b"X-HTTP-Method-Override", b"X-Request-Id", b"Cookie",
    b"Range", b"If-Range", b"If-None-Match", b"If-Match", b"If-Modified-Since", b"TE", b"Trailer",
    b"Proxy-Authorization", b"X-Forwarded-Authorization", b"Authorization_", b"Via", b"Traceparent",
    b"Content_Length", b"Content-Type", b"Keep-Alive", b"Origin", b"Referer",
]  # fmt: skip


@pytest.mark.parametrize("name", SPOOFS)
def test_fields_that_are_not_on_the_list_do_not_go_on(name: bytes) -> None:
    """A22 A23 B20 B33 C09 C10"""
    admitted = admit(requested(TOKEN, (name, b"victim"), (name.lower(), b"victim")))
    assert admitted == admit(requested(TOKEN))


def test_what_is_on_the_list_goes_on() -> None:
    admitted = admit(
        posted(
            (b"accept", b"text/csv"),
            (b"Accept", b"application/json"),
            (b"User-Agent", b"kube-probe/1.29"),
            (b"Content-Type", b"application/json"),
            (b"Content-Length", b"2"),
            TOKEN,
        )
    )
    assert dict(admitted.headers) == {
        "Accept": "text/csv, application/json",
        "Accept-Encoding": "identity",
        "Authorization": "Bearer x.y.z",
        "Content-Length": "2",
        "Content-Type": "application/json",
        "User-Agent": "kube-probe/1.29",
    }


@pytest.mark.parametrize("name", [b"User-Agent", b"Content-Type"])
def test_a_field_that_can_be_there_once_is_there_once(name: bytes) -> None:
    twice = [(name, b"text/csv"), (name, b"text/html")]
    assert code(posted((b"Content-Length", b"2"), *twice)) is Code.REQUEST_AMBIGUOUS
    assert code(posted((b"Content-Length", b"2"), twice[0])) is None


def test_connection_does_not_take_the_token_away() -> None:
    """C08"""
    nominated = (b"Connection", b"close, Authorization, X-Subject, Accept-Encoding")
    assert admit(requested(TOKEN, nominated)) == admit(requested(TOKEN))


def test_two_tokens_are_both_seen_and_neither_goes_on() -> None:
    """B20"""
    admitted = admit(requested(TOKEN, (b"authorization", b"Bearer other")))
    assert admitted.authorization == (b"Bearer x.y.z", b"Bearer other")
    assert "Authorization" not in dict(admitted.headers)


@pytest.mark.parametrize(
    ("accepted", "asked"),
    [
        ([], "identity"),
        ([b""], "identity"),
        ([b"identity"], "identity"),
        ([b"gzip"], "gzip"),
        ([b"GZIP"], "gzip"),
        ([b"x-gzip"], "gzip"),
        ([b"br, gzip;q=0.5"], "gzip"),
        ([b"br", b"gzip"], "gzip"),
        ([b"*, compress, dcb, zstd;q=9"], "gzip"),
        ([b"br, deflate"], "identity"),
        ([b"br, zstd"], "zstd"),
        ([b"gzip, deflate, br, zstd"], "gzip, zstd"),
        ([b"zstd;q=0, *"], "gzip"),
        ([b"gzip;q=0"], "identity"),
        ([b"gzip;q=0.000, *"], "identity"),
        ([b"*;q=0"], "identity"),
        ([b"gzip;q=nonsense"], "identity"),
        ([b"gzip;q=2"], "identity"),
        ([b"gzip; q=1.000"], "gzip"),
    ],
)
def test_the_upstream_is_asked_for_what_both_can_read(accepted: list[bytes], asked: str) -> None:
    """A13"""
    admitted = admit(requested(*((b"Accept-Encoding", value) for value in accepted)))
    assert dict(admitted.headers)["Accept-Encoding"] == asked


NAMES = st.sampled_from([*SPOOFS, b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection",
                         b"Expect", b"Accept", b"Upgrade", b"Authorization"])  # fmt: skip
VALUES = st.binary(max_size=8) | st.sampled_from(
    [b"chunked", b"0", b"2", b"close", b"gateway.test"]
)


@given(
    st.sampled_from(["GET", "POST", "HEAD", "CONNECT", "get", ""]),
    st.lists(st.tuples(NAMES, VALUES), max_size=5),
    st.sampled_from(["/exports/orders", "/a?b=c", "/..", "*", "/%41?a=b+c"]),
    st.sampled_from([(1, 0), (1, 1), (2, 0)]),
)
def test_a_request_is_refused_or_admits_to_itself(
    method: str, headers: list[tuple[bytes, bytes]], target: str, version: tuple[int, int]
) -> None:
    try:
        admitted = admit(Request(method, target, (HOST, *headers), _Body(), version))
    except BadRequest:
        return
    went_on = tuple((name.encode(), value.encode()) for name, value in admitted.headers)
    again = admit(Request(method, admitted.target, (HOST, *went_on), admitted.body))
    assert (again.path, again.query, again.target) == (
        admitted.path,
        admitted.query,
        admitted.target,
    )
    framing = [name for name, _ in admitted.headers if name == "Content-Length"]
    if admitted.body is None or framing:
        assert again.headers == admitted.headers
    allowed = {"Accept", "Accept-Language", "Accept-Encoding", "User-Agent", "Authorization",
               "Content-Type", "Content-Length"}  # fmt: skip
    assert {name for name, _ in admitted.headers} <= allowed


SENT = st.tuples(  # few, so that the same ones come again, and nearly the same ones
    st.sampled_from(["GET", "POST"]),
    st.sampled_from([HOST, TOKEN]),
    st.sampled_from([b"Accept", b"Content-Length"]),
    st.sampled_from([b"0", b"2"]),
    st.sampled_from([(1, 0), (1, 1)]),
)


@given(st.lists(SENT, min_size=4, max_size=12))
def test_what_was_read_before_changes_nothing(
    sent: list[tuple[str, tuple[bytes, bytes], bytes, bytes, tuple[int, int]]],
) -> None:
    """Fields are remembered, and refused ones read again: each request is admitted, or refused, as
    if it were the first one."""
    admission = Admission()
    for method, first, name, value, version in [*sent, *sent]:
        request = Request(method, "/exports/orders", (first, (name, value)), None, version)
        try:
            alone: Admitted | Code = admit(request)
        except BadRequest as refusal:
            alone = refusal.code
        try:
            among: Admitted | Code = admission(request)
        except BadRequest as refusal:
            among = refusal.code
        assert among == alone


def test_the_same_fields_may_come_with_another_target_and_body() -> None:
    admission = Admission()
    for number in range(3):
        request = requested(TOKEN, target=f"/exports/{number}")
        assert admission(request).path == ("exports", str(number))
        body = _Body()
        length = (b"Content-Length", b"2")
        posting = Request("POST", "/exports", (HOST, length), body)
        assert admission(posting).body is body


def test_of_what_was_admitted_neither_tokens_nor_other_fields_stay() -> None:
    admission, request = Admission(), requested(TOKEN, (b"Cookie", b"canary"))
    assert admission(request) == admission(request)
    assert not {b"Bearer x.y.z", "Bearer x.y.z", b"canary"} & {*_leaves(vars(admission))}


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, tuple | list):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, str | bytes):
        yield value


def test_few_heads_are_remembered() -> None:
    admission = Admission()
    for number in range(3_000):
        admission(requested((b"X-Number", b"%d" % number)))
    assert sum(1 for _ in _leaves(vars(admission))) < 15_000


def test_of_long_fields_nothing_is_remembered() -> None:
    """Nobody has to be known to send them."""
    admission = Admission()
    for number in range(200):
        long = [(b"Accept", b"%d;" % number + b"x" * 8_000)] * 7
        assert admission(requested(*long)) == admit(requested(*long))
    held = sum(len(each) for each in _leaves(vars(admission)) if isinstance(each, str | bytes))
    assert held < 1_000
