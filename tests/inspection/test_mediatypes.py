"""What a part says that it is, where it matters beyond doubt."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.mailheader import read_header
from gateway.inspection.mediatypes import MediaType, is_one, media_type
from gateway.inspection.settings import Limits


def read(*lines: str) -> MediaType:
    return media_type(read_header("\n".join((*lines, "", "")).encode(), 0, Limits()))


def refusal(*lines: str) -> Code:
    with pytest.raises(BadUpstream) as caught:
        read(*lines)
    return caught.value.code


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("multipart/mixed; boundary=b", MediaType("multipart/mixed", b"b")),
        ("Multipart/Mixed;\n BOUNDARY=b", MediaType("multipart/mixed", b"b")),
        ('multipart/mixed; boundary="a b=c?"', MediaType("multipart/mixed", b"a b=c?")),
        ('multipart/signed; micalg="x"; boundary=b ;', MediaType("multipart/signed", b"b")),
        ("message/rfc822", MediaType("message/rfc822")),
        ("text/plain; name=a b c.txt", MediaType("text/plain")),
        ("text/plain; charset=x (comment)", MediaType("text/plain")),
        ("text", MediaType("text/plain")),
        ("message/delivery-status", MediaType("message/delivery-status")),
    ],
)
def test_a_type_is_read_as_far_as_it_matters(value: str, kind: MediaType) -> None:
    assert read(f"Content-Type: {value}") == kind


def test_a_type_is_one_to_all_readers_or_to_some() -> None:
    assert is_one(None) and is_one("text/plain") and is_one("text/plain ;x=y")
    assert not any(map(is_one, ["", "text", "text/plain (c)", "text/plain x", "text / plain"]))


def test_what_says_nothing_is_what_it_is_by_default() -> None:
    assert read("A: 1").name == "text/plain"
    header = read_header(b"\n", 0, Limits())
    assert media_type(header, "message/rfc822").name == "message/rfc822"
    unreadable = read_header(b"Content-Type: text\n\n", 0, Limits())
    assert media_type(unreadable, "message/rfc822").name == "text/plain"


@pytest.mark.parametrize(
    "value",
    [
        "multipart/mixed",
        "multipart/mixed; boundary=",
        'multipart/mixed; boundary=""',
        'multipart/mixed; boundary="a "',
        f"multipart/mixed; boundary={'b' * 71}",
        "multipart/mixed; boundary=a; boundary=b",
        "multipart/mixed; boundary=a; BOUNDARY=a",
        "multipart/mixed; boundary*=utf-8''a",
        "multipart/mixed; boundary=a; boundary*=utf-8''b",
        "multipart/mixed; boundary*0=a; boundary*1=b",
        "multipart/mixed; boundary=a=b",
        "multipart/mixed; boundary = a",
        'multipart/mixed; boundary="a\\b"',
        'multipart/mixed; boundary="a',
        'multipart/mixed; boundary="a"b',
        "multipart/mixed; boundary=a (comment)",
        "multipart/mixed boundary=a",
        "multipart/mixed, text/plain; boundary=a",
        "multipart/mixed; boundary=a; x",
        "multipart/mixed; boundary=a;;",
        'multipart/mixed; boundary="\u00e4"',
        "multipart; boundary=a",
        "multi part/multipart; boundary=a",
        "message/ rfc822",
        "message /rfc822",
        "(comment) multipart/mixed; boundary=a",
    ],
)
def test_parts_that_readers_find_differently_are_refused(value: str) -> None:
    """Catalogue A90."""
    assert refusal(f"Content-Type: {value}") is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "name", ["Content-Type", "Content-Transfer-Encoding", "Content-Disposition"]
)
def test_a_part_says_it_once(name: str) -> None:
    assert read(f"{name}: text/plain").name == "text/plain"
    assert refusal(f"{name}: text/plain", f"{name}: text/html") is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize("value", ["multipart/mixed; boundary=a", "message/rfc822"])
def test_parts_stand_under_no_transfer_encoding(value: str) -> None:
    for encoding in ("7bit", "8BIT", "binary"):
        read(f"Content-Type: {value}", f"Content-Transfer-Encoding: {encoding}")
    for encoding in ("base64", "quoted-printable", "x-uuencode", ""):
        lines = (f"Content-Type: {value}", f"Content-Transfer-Encoding: {encoding}")
        assert refusal(*lines) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize("name", ["message/partial", "message/external-body"])
def test_a_message_that_is_elsewhere_can_not_be_read(name: str) -> None:
    assert refusal(f"Content-Type: {name}; id=1; number=1") is Code.MEMBER_UNSUPPORTED
