"""Names, attributes and extra fields of a member."""

import struct
import unicodedata
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection import zipfields
from tests.support.zips import tlv


def refused(code: Code, call, *args) -> str:
    with pytest.raises(BadUpstream) as caught:
        call(*args)
    assert caught.value.code is code
    return caught.value.note


@pytest.mark.parametrize(
    ("raw", "flags"),
    [
        (b"a.txt", 0),
        (b"Takeout/Google Chat/Groups/DM 1pRI-QAAAAE/messages.json", 0),
        (b"Takeout/Voice/Calls/ - Placed - 2013-07-29T20_56_11Z.html", 0),
        (b"+17323215555 - Missed.html", 0),
        (b"folder/", 0),
        (b"..a/b../...c", 0),
        (b"2018-12-20T10:00:00.wav", 0),
        ("Turmion K\u00e4til\u00f6t/Rautaketju.mp3".encode(), zipfields.UTF8),
        ("\U0001f468\u200d\U0001f469.png".encode(), zipfields.UTF8),
        (b"x" * 4096, 0),
    ],
)
def test_an_honest_name_is_taken_as_it_is(raw: bytes, flags: int) -> None:
    assert zipfields.decode_name(raw, flags, 1) == raw.decode()


@pytest.mark.parametrize(
    "name",
    [
        "", "/", "/etc/passwd", "../x", "a/../b", "a/..", "..", ".", "./a", "a/./b", "a//b", "//a",
        "C:/x", "c:x", "a\\b", "\\\\host\\share", "a\0b", "a\nb", "a\x1b[31m", "a\x7f", "a\x85b",
        "a\u202etxt.exe", "\u200ea", "a\u2066b", "a\u2028b", "\ufeffa", "a\uffff", "a//",
    ],
)  # fmt: skip
def test_a_name_that_readers_alter_is_refused(name: str) -> None:
    """A83."""
    refused(Code.BODY_AMBIGUOUS, zipfields.decode_name, name.encode(), zipfields.UTF8, 1)


def test_a_name_over_its_bounds_is_refused() -> None:
    """A83: 64 kB names."""
    for raw in (b"x" * 4097, b"x" * 65535, b"a/" * 200 + b"b"):
        refused(Code.BODY_TOO_COMPLEX, zipfields.decode_name, raw, 0, 1)


def test_a_name_in_an_unstated_encoding_is_refused() -> None:
    latin = "K\u00e4se".encode("cp437")
    utf8 = "K\u00e4se".encode()
    refused(Code.BODY_AMBIGUOUS, zipfields.decode_name, latin, 0, 1)
    refused(Code.BODY_AMBIGUOUS, zipfields.decode_name, utf8, 0, 1)
    assert zipfields.decode_name(utf8, zipfields.UTF8, 1) == "K\u00e4se"


@pytest.mark.parametrize(
    "raw", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", "K\u00e4se".encode("cp437")]
)
def test_a_name_that_is_not_the_utf8_it_claims_is_refused(raw: bytes) -> None:
    refused(Code.BODY_MALFORMED, zipfields.decode_name, raw, zipfields.UTF8, 1)


@given(st.text(max_size=30))
def test_a_name_that_is_taken_has_only_real_segments(name: str) -> None:
    try:
        raw = name.encode()
        taken = zipfields.decode_name(raw, zipfields.UTF8, 1)
    except (UnicodeEncodeError, BadUpstream):
        return
    assert taken == name
    assert not {"", ".", ".."} & set(taken.removesuffix("/").split("/"))
    assert not {unicodedata.category(character) for character in taken} & {"Cc", "Zl", "Zp"}


def test_a_refusal_never_quotes_the_name() -> None:
    for name in ("../secret-name", "secret-name\\x", "secret-name/\u202e"):
        note = refused(Code.BODY_AMBIGUOUS, zipfields.decode_name, name.encode(), zipfields.UTF8, 7)
        assert "secret" not in note
        assert "member 7" in note


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        (0, "a"),
        (0x20, "a"),
        (0o100644 << 16, "a"),
        (0o000644 << 16, "a"),
        (0o040755 << 16 | 0x10, "a/"),
        (0x10, "a/"),
        (0, "a/"),
    ],
)
def test_files_and_directories_have_plain_attributes(attributes: int, name: str) -> None:
    zipfields.check_attributes(attributes, name, 1)


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        (0o120777 << 16, Code.MEMBER_UNSUPPORTED),  # symbolic link
        (0o020644 << 16, Code.MEMBER_UNSUPPORTED),  # device
        (0o010644 << 16, Code.MEMBER_UNSUPPORTED),  # pipe
        (0x400, Code.MEMBER_UNSUPPORTED),  # Windows reparse point
        (0x08, Code.MEMBER_UNSUPPORTED),  # volume label
        (0o040755 << 16, Code.BODY_AMBIGUOUS),
        (0x10, Code.BODY_AMBIGUOUS),
    ],
)
def test_links_devices_and_directories_without_a_slash_are_refused(
    attributes: int, code: Code
) -> None:
    """A86."""
    refused(code, zipfields.check_attributes, attributes, "a", 1)


def test_a_directory_by_name_that_is_a_file_by_mode_is_refused() -> None:
    refused(Code.BODY_AMBIGUOUS, zipfields.check_attributes, 0o100644 << 16, "a/", 1)


@pytest.mark.parametrize("flags", [0, 0x2, 0x6, 0x8, 0x800, 0x80E])
@pytest.mark.parametrize("method", [0, 8])
def test_stored_and_deflated_members_are_read(flags: int, method: int) -> None:
    zipfields.check_readable(20, flags, method, 1)


@pytest.mark.parametrize("flags", [0x1, 0x41, 0x2000, 0x10, 0x20, 0x80, 0x1000, 0x8000])
def test_encrypted_patched_and_reserved_members_are_refused(flags: int) -> None:
    """A79."""
    refused(Code.MEMBER_UNSUPPORTED, zipfields.check_readable, 20, flags, 8, 1)


@pytest.mark.parametrize("method", [1, 2, 6, 7, 9, 10, 12, 14, 93, 95, 96, 97, 98, 99, 0xFFFF])
def test_any_other_method_is_refused(method: int) -> None:
    """A80."""
    refused(Code.MEMBER_UNSUPPORTED, zipfields.check_readable, 20, 0, method, 1)


@pytest.mark.parametrize("version", [64, 255, 0x0340])
def test_a_member_that_needs_a_version_there_is_not_is_refused(version: int) -> None:
    zipfields.check_readable(version & 0xFF00 | 63, 0, 0, 1)
    refused(Code.MEMBER_UNSUPPORTED, zipfields.check_readable, version, 0, 0, 1)


TIMES = tlv(0x5455, b"\x03" + b"abcdefgh")
UNIX = tlv(0x7875, b"\x01\x04\xe8\x03\0\0\x04\xe8\x03\0\0")
NTFS = tlv(0x000A, b"\0\0\0\0\x01\0\x18\0" + b"t" * 24)


@pytest.mark.parametrize(
    "extra",
    [
        b"",
        TIMES + UNIX,
        NTFS,
        tlv(0x5455, b"\x01" + b"time"),
        tlv(0x7855, b""),
        tlv(0x7855, b"uugg"),
        tlv(0x5855, b"atimmtim"),
        tlv(0xCAFE, b""),
        tlv(0xA220, b"\x28\xa0\x08\x02" + b"\0" * 200),
        tlv(1, b"12345678"),
    ],
)
def test_well_known_extra_fields_are_read(extra: bytes) -> None:
    assert (
        b"".join(tlv(header, data) for header, data in zipfields.read_extra(extra, 1).items())
        == extra
    )


@pytest.mark.parametrize("cut", range(1, len(TIMES)))
def test_an_extra_field_that_is_cut_is_refused(cut: int) -> None:
    refused(Code.BODY_MALFORMED, zipfields.read_extra, UNIX + TIMES[:cut], 1)


@pytest.mark.parametrize(
    "extra",
    [
        tlv(0x5455, b"\x03" + b"abc"),
        tlv(0x5455, b"x" * 40),
        tlv(0x7875, b"\x01\x04\xe8\x03\0\0\x04\xe8\x03\0\0hidden"),
        tlv(0x7875, b"\x01"),
        tlv(0x7875, b"\x02\x00\x00"),
        tlv(0x000A, b"hidden"),
        tlv(0xCAFE, b"hidden"),
        tlv(0xA220, b"\x28\xa0\x08\x02" + b"\0" * 20 + b"hidden"),
        tlv(0xA220, b"\0\0\x08\x02"),
        tlv(0x6375, b"\x01crc.a comment"),
        tlv(0x9901, b"\x02\0AE\x03\x08\0"),
        tlv(0xD935, b"\0" * 8),
        tlv(0x4242, b"anything at all"),
        TIMES + TIMES,
    ],
)
def test_an_extra_field_that_may_hide_something_is_refused(extra: bytes) -> None:
    refused(Code.BODY_AMBIGUOUS, zipfields.read_extra, extra, 1)


def unicode_path(name: str, raw: bytes, version: int = 1) -> dict[int, bytes]:
    return {0x7075: struct.pack("<BI", version, zlib.crc32(raw)) + name.encode()}


def test_a_unicode_path_that_says_the_same_is_read() -> None:
    zipfields.check_unicode_path(unicode_path("a.txt", b"a.txt"), "a.txt", b"a.txt", 1)


@pytest.mark.parametrize(
    "fields",
    [
        unicode_path("b.txt", b"a.txt"),
        unicode_path("a.txt", b"other"),
        unicode_path("a.txt", b"a.txt", version=2),
        {0x7075: b""},
        {0x7075: b"\x01"},
    ],
)
def test_a_unicode_path_that_says_something_else_is_refused(fields: dict[int, bytes]) -> None:
    """A83."""
    refused(Code.BODY_AMBIGUOUS, zipfields.check_unicode_path, fields, "a.txt", b"a.txt", 1)
