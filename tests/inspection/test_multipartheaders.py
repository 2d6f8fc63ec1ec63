"""What a part says of itself, in one way."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.mailheader import read_header
from gateway.inspection.multipartheaders import Said, read_said
from gateway.inspection.settings import Limits


def said(*fields: str) -> Said:
    text = "".join(f"{field}\r\n" for field in fields) + "\r\n"
    return read_said(read_header(text.encode(), 0, Limits()), 7)


def refusal(*fields: str) -> Code:
    with pytest.raises(BadUpstream) as caught:
        said(*fields)
    return caught.value.code


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        (['Content-Disposition: form-data; name="a"'], "a"),
        (["content-disposition: form-data; name=a"], "a"),
        (['Content-Disposition: form-data; name="a"; filename="b/c d.json"'], "b/c d.json"),
        (["Content-Disposition: attachment; filename=b"], "b"),
        (["Content-Disposition: attachment;\r\n filename=b"], "b"),
        (["Content-Type: image/png; name=b"], "b"),
        (["Content-Type: image/png; name=b", 'Content-Disposition: inline; filename="b"'], "b"),
        (["Content-ID: <root.1@x.org>"], "root.1@x.org"),
        (["Content-ID: <x>", "Content-Disposition: inline; filename=b"], "b"),
        (["Content-Type: image/png"], "7"),
        ([], "7"),
        (['Content-Disposition: form-data; name="f"; filename="\u00e4"'], "\u00e4"),
    ],
)
def test_a_part_has_one_name(fields: list[str], name: str) -> None:
    assert said(*fields).name == name


@pytest.mark.parametrize(
    "fields",
    [
        ["Content-Disposition: attachment; filename=a; filename=b"],
        ["Content-Disposition: attachment; filename=a", "Content-Disposition: inline"],
        ["Content-Disposition: attachment; filename=a", "Content-Type: image/png; name=b"],
        ['Content-Disposition: form-data; name="a"', "Content-Type: image/png; name=b"],
        ['Content-Disposition: form-data; name="_charset_"'],
        ['Content-Disposition: form-data; name=""'],
        ['Content-Disposition: form-data; name="a"; filename=""'],
        ["Content-Disposition: attachment; filename*=utf-8''b"],
        ["Content-Disposition: attachment; filename=a; filename*=utf-8''b"],
        ["Content-Disposition: attachment; filename*0=a; filename*1=b"],
        ["Content-Type: image/png; name*=utf-8''b"],
        ['Content-Disposition: attachment; filename="a\\"b"'],
        ['Content-Disposition: attachment; filename="a'],
        ["Content-Disposition: attachment; filename=a b"],
        ["Content-Disposition: attachment; filename = a"],
        ["Content-Disposition: attachment filename=a"],
        ["Content-Disposition: "],
        ['Content-Disposition: attachment; filename=""'],
        ['Content-Disposition: attachment; filename="a/"'],
        ['Content-Disposition: attachment; filename="../a"'],
        ['Content-Disposition: attachment; filename="/a"'],
        ['Content-Disposition: attachment; filename="a\u202eb"'],
        ["Content-ID: a"],
        ["Content-ID: <a>", "Content-ID: <a>"],
        ["Content-Type: image/png", "Content-Type: image/png"],
        ["Content-Type: image/png (comment)"],
        ["Content-Type: multipart/mixed"],
        ["Content-Length: -1"],
        ["Content-Length: 1", "Content-Length: 1"],
        ["Content-Range: bytes 0-1/*"],
        ["Content-Range: bytes 2-1/9"],
        ["Content-Range: bytes 0-9/9"],
        ["Content-Range: lines 0-1/9"],
        ["Content-Range: bytes */9"],
    ],
)
def test_what_readers_take_differently_is_refused(fields: list[str]) -> None:
    """Catalogue A83, A90."""
    assert refusal(*fields) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "fields",
    [
        ["Content-Type: multipart/mixed; boundary=x"],
        ["Content-Type: message/partial; id=a"],
        ["Content-Type: message/external-body; access-type=URL"],
        ["Content-Encoding: gzip"],
        ["Content-Encoding: identity"],
        ["Content-Transfer-Encoding: quoted-printable"],
        ["Content-Transfer-Encoding: x-uuencode"],
        ["Content-Transfer-Encoding:"],
        ["Content-Transfer-Encoding: base64 gzip"],
    ],
)
def test_what_is_not_read_is_refused(fields: list[str]) -> None:
    """Catalogue A91."""
    assert refusal(*fields) is Code.MEMBER_UNSUPPORTED


def test_type_encoding_length_range_and_digest_are_told() -> None:
    found = said("A: 1", "Content-Type: Text/CSV; Charset=UTF-8", "Content-Length: 12", "Digest: x")
    assert (found.kind, found.charset, found.length) == ("text/csv", "utf-8", 12)
    assert found.has_digest and not found.is_base64 and found.range is None
    text = b"A: 1\r\nContent-Type: Text/CSV; Charset=UTF-8\r\nContent-Length: 12\r\n"
    assert found.at and text[slice(*found.at)] == b" 12"
    assert said("Content-Transfer-Encoding: BASE64").is_base64
    assert not said("Content-Transfer-Encoding: binary").is_base64
    assert said("Content-Range: bytes 2-5/9").range == (2, 5, 9)


def test_what_a_part_says_is_as_long_as_it_may_be() -> None:
    """All of it is held for every part."""
    longest = "x" * 4096
    assert said(f"Content-Type: image/png; name={longest}").name == longest
    assert refusal(f"Content-Type: image/png; name={longest}x") is Code.BODY_TOO_COMPLEX
    assert said("Content-Type: image/" + "x" * 249).kind == "image/" + "x" * 249
    assert refusal("Content-Type: image/" + "x" * 250) is Code.BODY_AMBIGUOUS
    assert said("Content-Type: text/csv; charset=" + "x" * 255).charset == "x" * 255
    assert refusal("Content-Type: text/csv; charset=" + "x" * 256) is Code.BODY_AMBIGUOUS
