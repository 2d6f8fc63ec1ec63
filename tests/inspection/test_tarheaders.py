"""Header blocks of a TAR, and what extends them."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import tarheaders
from tests.support.tars import BLOCK, T, base256, octal, pax


def block(**fields: bytes) -> bytes:
    return T(fields.pop("name", b"a"), **fields).bytes()[:BLOCK]


def refused(call, *args) -> Code:
    with pytest.raises(BadUpstream) as caught:
        call(*args)
    assert "secret" not in caught.value.note
    return caught.value.code


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"kind": b"\0"},
        {"kind": b"5", "name": b"a/"},
        {"name": b"x" * 100},
        {"name": b"b", "prefix": b"a"},
        {"magic": b"ustar  \0"},
        {"uname": b"www-data"},
        {"device": b"0000000\00000000\0"},
        {"mode": b"000644 \0", "size": b"00000000000 "},
        {"uid": bytes(8), "mtime": bytes(12)},
        {"uid": base256(2**21, 8)},
        {"size": base256(8**11)},
        {"mtime": b"  1234567 \0\0"},
    ],
)
def test_what_writers_write_is_read(fields: dict[str, bytes]) -> None:
    tarheaders.read(block(**fields), 1)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"checksum": b"000000\0 "}, Code.BODY_MALFORMED),
        ({"magic": bytes(8)}, Code.MEMBER_UNSUPPORTED),
        ({"magic": b"ustar\0\0\0"}, Code.MEMBER_UNSUPPORTED),
        ({"link": b"secret"}, Code.BODY_AMBIGUOUS),
        ({"rest": b"secret"}, Code.BODY_AMBIGUOUS),
        ({"rest": b"\0" * 8 + b"tar\0"}, Code.BODY_AMBIGUOUS),
        ({"magic": b"ustar  \0", "prefix": b"secret"}, Code.BODY_AMBIGUOUS),
        ({"name": b"a\0secret"}, Code.BODY_AMBIGUOUS),
        ({"uname": b"root\0secret"}, Code.BODY_AMBIGUOUS),
        ({"uname": b"\xff"}, Code.BODY_AMBIGUOUS),
        ({"device": b"0000008\0"}, Code.BODY_AMBIGUOUS),
        ({"size": bytes(12)}, Code.BODY_AMBIGUOUS),
        ({"size": b"0000000001x\0"}, Code.BODY_AMBIGUOUS),
        ({"size": b"0000\x000000001"}, Code.BODY_AMBIGUOUS),
        ({"size": b"-0000000001\0"}, Code.BODY_AMBIGUOUS),
        ({"size": base256(5)}, Code.BODY_AMBIGUOUS),
        ({"size": base256(2**63)}, Code.BODY_AMBIGUOUS),
        ({"size": b"\xff" * 12}, Code.BODY_AMBIGUOUS),
        ({"mtime": b"\xff" * 12}, Code.BODY_AMBIGUOUS),
        *(({"kind": bytes([kind])}, Code.MEMBER_UNSUPPORTED) for kind in b"12346789gKMNSVXA"),
    ],
)
def test_what_readers_read_apart_or_nobody_reads_is_refused(
    fields: dict[str, bytes], code: Code
) -> None:
    """A74, A86: links, devices and sparse files among it."""
    assert refused(tarheaders.read, block(**fields), 1) is code


def test_an_octal_and_a_base_256_size_are_one_size() -> None:
    assert tarheaders.read(block(size=octal(8**10)), 1).size == 8**10
    assert tarheaders.read(block(size=base256(8**11)), 1).size == 8**11


def test_known_pax_records_are_read() -> None:
    data = pax(("path", "a\u00e4"), ("size", "5"), ("mtime", "1.5"), ("uname", "me")).data
    said = tarheaders.records(data, 1)
    assert said[b"path"] == "a\u00e4".encode() and said[b"size"] == b"5"
    assert tarheaders.records(b"", 1) == {}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (pax(("path", "a"), ("path", "b")).data, Code.BODY_AMBIGUOUS),
        (pax(("comment", "secret")).data, Code.BODY_AMBIGUOUS),
        (pax(("linkpath", "secret")).data, Code.BODY_AMBIGUOUS),
        (pax(("GNU.sparse.major", "1")).data, Code.BODY_AMBIGUOUS),
        (pax(("GNU.sparse.name", "secret")).data, Code.BODY_AMBIGUOUS),
        (pax(("SCHILY.xattr.user.x", "secret")).data, Code.BODY_AMBIGUOUS),
        (pax(("hdrcharset", "BINARY")).data, Code.BODY_AMBIGUOUS),
        (pax(("size", "0x5")).data, Code.BODY_AMBIGUOUS),
        (pax(("size", "-5")).data, Code.BODY_AMBIGUOUS),
        (pax(("mtime", "1.5 secret")).data, Code.BODY_AMBIGUOUS),
        (pax(("path", "")).data, Code.BODY_AMBIGUOUS),
        (b"8 path=\n", Code.BODY_AMBIGUOUS),
        (b"99 path=a\n", Code.BODY_MALFORMED),
        (b"8 path=a\n", Code.BODY_MALFORMED),
        (b"09 path=a\n", Code.BODY_MALFORMED),
        (b"nothing", Code.BODY_MALFORMED),
        (b"7 path\n", Code.BODY_MALFORMED),
        (pax(("path", "a")).data + b"\0", Code.BODY_MALFORMED),
    ],
)
def test_a_pax_record_that_changes_or_hides_something_is_refused(data: bytes, code: Code) -> None:
    assert refused(tarheaders.records, data, 1) is code


def test_a_long_name_is_one_text() -> None:
    assert tarheaders.long_name(b"name\0", 1) == b"name"
    for data in (b"", b"\0", b"name", b"na\0me\0", b"name\0\0"):
        assert refused(tarheaders.long_name, data, 1) is Code.BODY_AMBIGUOUS


def test_an_extension_is_bounded() -> None:
    fine = tarheaders.Header(b"x", b"", 16 * 1024)
    tarheaders.check_extension(fine, 1)
    longer = tarheaders.Header(b"x", b"", 16 * 1024 + 1)
    assert refused(tarheaders.check_extension, longer, 1) is Code.BODY_TOO_COMPLEX


@pytest.mark.parametrize(
    ("short", "full"),
    [
        (b"./@PaxHeader", b"./@PaxHeader"),
        (b"././@PaxHeader", b"me/1.jpg"),
        (b"me/PaxHeaders/1.jpg", b"me/1.jpg"),
        (b"me/PaxHeaders.4711/1.jpg", b"me/1.jpg"),
        (b"./PaxHeaders/tree", b"tree/"),
        (b"me/" + b"d" * 89 + b"/PaxHead", b"me/" + b"d" * 89 + b"/1.jpg"),
        (b"PaxHeader/currentdir", b"./"),
        (b"K?se", "K\u00e4se".encode()),
        (b"me/long", b"me/longer"),
        (b"me", b"me/"),
    ],
)
def test_a_short_name_abridges_the_full_one(short: bytes, full: bytes) -> None:
    tarheaders.check_short(short, full, 1)


@pytest.mark.parametrize("short", [b"secret", b"em", b"me/1.jpgx", b"PaxHeaders/secret"])
def test_another_name_in_the_place_of_a_short_one_is_refused(short: bytes) -> None:
    assert refused(tarheaders.check_short, short, b"me/1.jpg", 1) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    ("raw", "kind", "name"),
    [
        (b"a", b"0", "a"),
        (b"./a/b", b"0", "a/b"),
        ("K\u00e4se".encode(), b"0", "K\u00e4se"),
        (b"a", b"5", "a/"),
        (b"./a/", b"5", "a/"),
        (b"./", b"5", ""),
        (b".", b"5", ""),
    ],
)
def test_a_name_is_told_without_what_writers_put_first(raw: bytes, kind: bytes, name: str) -> None:
    assert tarheaders.decode_name(raw, kind, 1) == name


@pytest.mark.parametrize(
    "raw",
    [b"", b"/a", b"../a", b"a/../b", b"././a", b"./", b"a/", b"a\\b", b"C:/a", b"\xff", b"a\nb"],
)
def test_a_name_that_leads_elsewhere_is_refused(raw: bytes) -> None:
    """A83."""
    assert refused(tarheaders.decode_name, raw, b"0", 1) is Code.BODY_AMBIGUOUS
    assert refused(tarheaders.decode_name, b"x" * 5000, b"0", 1) is Code.BODY_TOO_COMPLEX


def test_a_header_of_another_size_is_the_same_but_for_that() -> None:
    old = block(name=b"me", uname=b"root", size=octal(99))
    new = tarheaders.resized(old, 7)
    assert tarheaders.read(new, 1).size == 7
    assert [at for at in range(BLOCK) if old[at] != new[at]] and new[:124] == old[:124]
    assert new[156:] == old[156:] and new[136:148] == old[136:148]
    assert refused(tarheaders.resized, old, 8**11) is Code.REDACTION_UNSUPPORTED


def test_a_header_of_our_own_is_one_that_we_read() -> None:
    assert tarheaders.read(tarheaders.made("REMOVED.txt", 5), 1) == tarheaders.Header(
        b"0", b"REMOVED.txt", 5
    )
    assert tarheaders.wide_only(8**11) and not tarheaders.wide_only(8**11 - 1)
