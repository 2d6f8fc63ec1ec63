"""What a response's head may claim."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.endpoints import Endpoint
from gateway.errors import BadUpstream, Code, Refusal, UpstreamError
from gateway.inspection.settings import BodySpec
from gateway.model import Format, SubjectRef
from gateway.proxy.framing import MAX_FIELDS, MAX_HEAD, MAX_LINE, client_headers, read_head
from gateway.response import Payload

LENGTH = (b"Content-Length", b"5")
CHUNKED = (b"Transfer-Encoding", b"chunked")
JSON = (b"Content-Type", b"application/json")
ORDERS = Endpoint(name="orders", path="/exports/orders", body=BodySpec(format=Format.JSON))


def code(
    *headers: tuple[bytes, bytes], version: tuple[int, int] = (1, 1), status: int = 200,
    reason: str = "OK",
) -> Code | None:  # fmt: skip
    try:
        read_head(version, status, reason, headers)
    except Refusal as refusal:
        return refusal.code
    return None


def payload(*headers: tuple[bytes, bytes]) -> Payload:
    return read_head((1, 1), 200, "OK", (LENGTH, *headers)).payload


@pytest.mark.parametrize(("version", "passes"), [((1, 1), True), ((1, 0), True), ((0, 9), False),
                                                 ((2, 0), False), ((1, 2), False)])  # fmt: skip
def test_two_versions_are_spoken(version: tuple[int, int], passes: bool) -> None:
    """A37"""
    assert code(LENGTH, version=version) is (None if passes else Code.UPSTREAM_PROTOCOL)


@pytest.mark.parametrize("status", [0, 99, 600, 999])
def test_a_status_is_a_status(status: int) -> None:
    """A37"""
    assert code(LENGTH, status=status) is Code.UPSTREAM_PROTOCOL


@pytest.mark.parametrize("status", [100, 101, 199, 201, 204, 206, 226, 299, 300, 302, 304, 399])
def test_a_status_other_than_200_is_refused(status: int) -> None:
    assert code(LENGTH, status=status) is Code.UPSTREAM_STATUS


@pytest.mark.parametrize("status", [400, 404, 451, 500, 503, 599])
def test_an_error_keeps_its_status(status: int) -> None:
    """A36"""
    with pytest.raises(UpstreamError) as caught:
        read_head((1, 1), status, "Hm", [])
    assert caught.value.http_status == status


@pytest.mark.parametrize("reason", ["O\0K", "O\rK", "O\nK", "\x1b[0m", "\x7f"])
def test_a_reason_has_no_control_characters(reason: str) -> None:
    """A37"""
    assert code(LENGTH, reason=reason) is Code.UPSTREAM_PROTOCOL
    assert code(status=404, reason=reason) is Code.UPSTREAM_PROTOCOL
    assert code(LENGTH, reason="Très bien\t") is None
    assert code(LENGTH, reason="") is None


@pytest.mark.parametrize("value", [b"\0", b"a\rb", b"a\nb", b"\x01", b"\x7f"])
def test_fields_have_no_control_characters(value: bytes) -> None:
    """C19"""
    assert code(LENGTH, (b"X-A", value)) is Code.UPSTREAM_PROTOCOL
    assert code(LENGTH, (b"X-A", "é\t".encode("latin-1"))) is None


@pytest.mark.parametrize("name", [b"", b"X A", b"X\x80", b"X:"])
def test_names_are_tokens(name: bytes) -> None:
    assert code(LENGTH, (name, b"a")) is Code.UPSTREAM_PROTOCOL


def test_limits_hold_to_the_byte() -> None:
    """C16"""
    assert code(LENGTH, *[(b"X-A", b"b")] * (MAX_FIELDS - 1)) is None
    assert code(LENGTH, *[(b"X-A", b"b")] * MAX_FIELDS) is Code.UPSTREAM_PROTOCOL
    assert code(LENGTH, (b"X-A", b"b" * (MAX_LINE - 3))) is None
    assert code(LENGTH, (b"X-A", b"b" * (MAX_LINE - 2))) is Code.UPSTREAM_PROTOCOL
    lines, length = [(b"X-A", b"b" * 8000)] * 8, len(b"Content-Length: 5\r\n")
    rest = MAX_HEAD - length - 8 * 8007 - 7
    assert code(LENGTH, *lines, (b"X-B", b"c" * rest)) is None
    assert code(LENGTH, *lines, (b"X-B", b"c" * (rest + 1))) is Code.UPSTREAM_PROTOCOL


def test_a_body_ends_where_its_head_says() -> None:
    assert read_head((1, 1), 200, "OK", [LENGTH]).length == 5
    assert read_head((1, 0), 200, "OK", [LENGTH]).length == 5
    assert read_head((1, 1), 200, "OK", [CHUNKED]).length is None
    assert read_head((1, 1), 200, "OK", [(b"content-length", b"0")]).length == 0


@pytest.mark.parametrize("version", [(1, 0), (1, 1)])
def test_the_end_of_a_connection_proves_nothing(version: tuple[int, int]) -> None:
    """A35"""
    assert code(JSON, version=version) is Code.BODY_INCOMPLETE
    assert code(JSON, (b"Connection", b"close"), version=version) is Code.BODY_INCOMPLETE


@pytest.mark.parametrize(
    "headers",
    [
        [LENGTH, LENGTH],
        [LENGTH, (b"content-length", b"6")],
        [LENGTH, CHUNKED],
        [CHUNKED, CHUNKED],
        [(b"Content-Length", b"+5")],
        [(b"Content-Length", b"5, 5")],
        [(b"Content-Length", b"18446744073709551615")],
        [(b"Transfer-Encoding", b"gzip, chunked")],
        [(b"Transfer-Encoding", b"chunked, gzip")],
        [(b"Transfer-Encoding", b"identity")],
        [(b"Transfer-Encoding", b""), LENGTH],
    ],
)
def test_unclear_framing_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    """A12 A34 C05"""
    assert code(*headers) is Code.UPSTREAM_PROTOCOL


def test_chunks_are_http_1_1() -> None:
    assert code(CHUNKED, version=(1, 0)) is Code.UPSTREAM_PROTOCOL


def test_a_part_of_a_body_is_refused() -> None:
    """A22"""
    assert code(LENGTH, (b"Content-Range", b"bytes 0-4/9")) is Code.UPSTREAM_PROTOCOL


@pytest.mark.parametrize(
    ("value", "boundary"),
    [
        (b"multipart/mixed; boundary=x", "x"),
        (b'multipart/form-data; charset=utf-8; BOUNDARY="a b:=c"', "a b:=c"),
        (b"multipart/byteranges;boundary=" + b"x" * 70, "x" * 70),
    ],
)
def test_a_boundary_is_read_and_spelled_again(value: bytes, boundary: str) -> None:
    """A90"""
    claims = payload((b"Content-Type", value))
    assert claims.boundary == boundary
    spelled = dict(client_headers(claims, ORDERS, "e1"))["Content-Type"]
    assert spelled.endswith(f'; boundary="{boundary}"')
    assert payload((b"Content-Type", spelled.encode())) == claims
    assert payload((b"Content-Type", b"application/json; boundary=x")).boundary is None


@pytest.mark.parametrize(
    "parameters",
    [b"", b"; boundary=", b'; boundary=""', b"; boundary=" + b"x" * 71, b'; boundary="a "',
     b"; boundary=a; boundary=a", b"; boundary*=utf-8''a", b"; boundary=a; boundary*=utf-8''b",
     b"; boundary*0=a; boundary*1=b", b'; boundary="a;b"', b'; boundary="\xe4"'],
)  # fmt: skip
def test_a_boundary_that_readers_take_differently_is_ambiguous(parameters: bytes) -> None:
    """A90"""
    value = b"multipart/mixed" + parameters
    assert code(LENGTH, (b"Content-Type", value)) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    ("value", "media_type", "charset"),
    [
        (b"application/json", "application/json", None),
        (b"Application/JSON", "application/json", None),
        (b"text/csv; charset=UTF-8", "text/csv", "utf-8"),
        (b'text/csv;header=present ; Charset="utf-16le"', "text/csv", "utf-16le"),
        (b"application/vnd.api+json", "application/vnd.api+json", None),
        (b'text/csv; header="a b;c"', "text/csv", None),
        (b"text/csv;", "text/csv", None),
    ],
)
def test_a_content_type_is_one_media_type(
    value: bytes, media_type: str, charset: str | None
) -> None:
    assert payload((b"Content-Type", value)) == Payload(media_type, charset)


@pytest.mark.parametrize(
    "values",
    [
        [b""],
        [b"json"],
        [b"application/"],
        [b"application/json, text/html"],
        [b"application/json", b"text/html"],
        [b"application/json", b"application/json"],
        [b"application/json text/html"],
        [b"text/csv; charset=utf-8; charset=utf-16"],
        [b"text/csv; charset=utf-8; CHARSET=utf-8"],
        [b"text/csv; charset"],
        [b"text/csv; charset="],
        [b"text/csv; charset=\"\""],
        [b'text/csv; charset="utf-8'],
        [b"text/csv; charset=utf-8 x"],
        [b"text/csv; charset=\xff"],
        [b'text/csv; a="\\"; charset=utf-7; "'],
    ],
)  # fmt: skip
def test_anything_else_is_ambiguous(values: list[bytes]) -> None:
    """A16"""
    assert code(LENGTH, *((b"Content-Type", value) for value in values)) is Code.BODY_AMBIGUOUS


def test_no_content_type_is_left_to_the_inspection() -> None:
    assert payload() == Payload()


@pytest.mark.parametrize(
    ("values", "codings"),
    [
        ([b"gzip"], ("gzip",)),
        ([b"GZIP"], ("gzip",)),
        ([b" x-gzip "], ("gzip",)),
        ([b"identity"], ()),
        ([b"identity, gzip"], ("gzip",)),
        ([b"gzip", b"identity"], ("gzip",)),
        ([b"br"], ("br",)),
        ([b"zstd"], ("zstd",)),
        ([b"Deflate"], ("deflate",)),
        ([b"gzip, gzip"], ("gzip", "gzip")),
        ([b"br, gzip"], ("br", "gzip")),
        ([b"br", b"X-Gzip, zstd"], ("br", "gzip", "zstd")),
    ],
)
def test_codings_are_understood_however_they_are_spelled(
    values: list[bytes], codings: tuple[str, ...]
) -> None:
    """A01 A02 A03"""
    headers = ((b"Content-Encoding", value) for value in values)
    assert payload(*headers).codings == codings


@pytest.mark.parametrize(
    "values",
    [
        [b"gzip, gzip, gzip, gzip"], [b"br, gzip", b"zstd, gzip"], [b"br, compress"],
        [b"compress"], [b"x-deflate"], [b"aws-chunked"], [b"dcb"], [b"exi"], [b"foo"], [b""],
        [b","], [b"gzip,"], [b"gzip;q=1"], [b"gz\xfcp"], [b"*"], [b"gzip gzip"],
    ],
)  # fmt: skip
def test_no_other_coding_is_and_no_pile_of_them(values: list[bytes]) -> None:
    """A03 A04"""
    headers = ((b"Content-Encoding", value) for value in values)
    assert code(LENGTH, *headers) is Code.CODING_UNSUPPORTED


def test_the_caller_gets_what_the_gateway_spelled() -> None:
    """A21 A31 A41"""
    headers = client_headers(Payload("text/csv", "utf-8", ("gzip",)), ORDERS, "e1")
    assert dict(headers) == {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": 'attachment; filename="orders.json"',
        "Content-Encoding": "gzip",
        "Cache-Control": "private, no-store",
        "Vary": "Authorization",
        "X-Content-Type-Options": "nosniff",
        "X-Exchange-Id": "e1",
    }


@pytest.mark.parametrize("declared", [None, "utf-8", "utf8"])
def test_a_script_always_declares_its_charset(declared: str | None) -> None:
    """A page in GBK reads the bytes e3 81 82 5c 22 as two letters and the end of the text."""
    endpoint = replace(ORDERS, body=BodySpec(format=Format.JAVASCRIPT))
    headers = dict(client_headers(Payload("text/javascript", declared), endpoint, "e1"))
    assert headers["Content-Type"] == f"text/javascript; charset={declared or 'utf-8'}"
    headers = dict(client_headers(Payload("application/json"), ORDERS, "e1"))
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("format", Format)
def test_every_format_has_a_file_name(format: Format) -> None:
    endpoint = replace(ORDERS, body=BodySpec(format=format))
    headers = dict(client_headers(Payload(), endpoint, "e1"))
    assert headers["Content-Disposition"].startswith('attachment; filename="orders.')
    assert headers["Content-Type"] == "application/octet-stream"
    assert "Content-Encoding" not in headers


def test_a_field_may_name_the_owner_of_the_whole_body() -> None:
    def owners(*values: bytes, **subject: str) -> tuple[SubjectRef, ...]:
        headers = (LENGTH, *((b"X-Account", value) for value in values), (b"X-Kind", b"k"))
        return read_head((1, 1), 200, "OK", headers, subject).payload.owners

    assert owners(b"A1") == ()
    assert owners(b"A1", account="x-account") == (SubjectRef("account", "A1"),)
    assert owners(b"A1", account="X-Account", kind="X-Kind") == (
        SubjectRef("account", "A1"), SubjectRef("kind", "k"),
    )  # fmt: skip
    assert owners(account="X-Account") == owners(b"A1", account="X-Account", mail="X-Mail") == ()
    for values in (
        [b"A1", b"A1"],
        [b"A1,A2"],
        [b""],
        [b'"A1"'],
        [b"A 1"],
        [b"\xff"],
        [b"x" * 1025],
    ):
        with pytest.raises(BadUpstream) as caught:
            owners(*values, account="X-Account")
        assert caught.value.code is Code.BODY_AMBIGUOUS


def test_a_compressed_file_is_named_so_and_has_no_charset() -> None:
    endpoint = replace(ORDERS, body=BodySpec(format=Format.TAR, compression="zstd"))
    headers = dict(client_headers(Payload("application/zstd"), endpoint, "e1"))
    assert headers["Content-Disposition"] == 'attachment; filename="orders.tar.zst"'
    script = replace(ORDERS, body=BodySpec(format=Format.JAVASCRIPT, compression="gzip"))
    headers = dict(client_headers(Payload("application/gzip"), script, "e1"))
    assert headers["Content-Type"] == "application/gzip"


NAMES = st.sampled_from([b"Content-Length", b"Transfer-Encoding", b"Content-Type", b"X-A",
                         b"Content-Encoding", b"Content-Range"])  # fmt: skip
VALUES = st.binary(max_size=10) | st.sampled_from(
    [b"5", b"chunked", b"gzip", b"text/csv; charset=utf-8", b"identity", b"application/json"]
)


@given(
    st.tuples(st.integers(0, 2), st.integers(0, 9)),
    st.integers(0, 1000),
    st.text(max_size=5),
    st.lists(st.tuples(NAMES, VALUES), max_size=6),
)
def test_a_head_is_refused_or_its_body_has_one_end(
    version: tuple[int, int], status: int, reason: str, headers: list[tuple[bytes, bytes]]
) -> None:
    try:
        head = read_head(version, status, reason, headers)
    except Refusal as refusal:
        assert isinstance(refusal, BadUpstream | UpstreamError)
        return
    names = [name for name, _ in headers]
    assert status == 200
    assert (b"Content-Length" in names) != (b"Transfer-Encoding" in names)
    assert (head.length is None) == (b"Transfer-Encoding" in names)
    assert names.count(b"Content-Type") <= 1
    spelled = client_headers(head.payload, ORDERS, "e1")
    assert all(value.isascii() and value.isprintable() for _, value in spelled)
