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
        ["Content-Disposition: attachment; filename=b", "Content-ID: of a stranger"],
        ["Content-Disposition: attachment; filename=b", "Content-ID: a"],
        ["Content-Disposition: attachment; filename=b", "Content-ID: <../a>"],
        ["Content-Disposition: attachment; filename=b", "Content-ID: <a> <c>"],
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


def test_type_encoding_length_and_range_are_told() -> None:
    found = said("A: 1", "Content-Type: Text/CSV; Charset=UTF-8", "Content-Length: 12")
    assert (found.kind, found.charset, found.length) == ("text/csv", "utf-8", 12)
    assert not found.is_base64 and found.range is None
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


def test_a_form_may_name_a_field_beside_the_file() -> None:
    both = said('Content-Disposition: form-data; name="a"; filename="b"')
    assert (both.name, both.field) == ("b", "a")
    assert said('Content-Disposition: form-data; name="b"; filename="b"').field is None
    assert said('Content-Disposition: form-data; name="a"').field is None
    for name in ("../a", "a/", "a\u202eb", ""):
        fields = f'Content-Disposition: form-data; name="{name}"; filename="b"'
        assert refusal(fields) is Code.BODY_AMBIGUOUS
    long = "x" * 4097
    assert refusal(f"Content-Disposition: form-data; name={long}; filename=b") is (
        Code.BODY_TOO_COMPLEX
    )


def test_a_content_id_may_stand_beside_the_name() -> None:
    both = said("Content-Disposition: form-data; name=f; filename=b", "Content-ID: <1.2@x.org>")
    assert (both.name, both.others) == ("b", ("f", "1.2@x.org"))
    assert both.distinct == ("b", "1.2@x.org") and both.letters == len("bf1.2@x.org")
    same = said("Content-Disposition: attachment; filename=b", "Content-ID: <b>")
    assert (same.others, same.distinct) == ((), ("b",))
    alone = said("Content-ID: <b>")
    assert (alone.name, alone.others) == ("b", ())


def told(*fields: str) -> dict[str, str | None]:
    text = "".join(f"{field}\r\n" for field in fields) + "\r\n"
    header = read_header(text.encode(), 0, Limits())
    return dict(read_said(header, 7, frozenset({"x-subject-id", "x-tenant"})).told)


def test_the_fields_that_are_asked_for_are_told_if_they_are_one_identifier() -> None:
    assert told("A: 1", "x-SUBJECT-id:  me-1 ") == {"x-subject-id": "me-1"}
    assert told("X-Tenant: t", "X-Subject-Id: me") == {"x-tenant": "t", "x-subject-id": "me"}
    assert told("A: 1") == {}
    for fields in (
        ["X-Tenant: a", "X-Tenant: a"],
        ["X-Tenant: a", "x-tenant: b", "X-TENANT: a"],
        ["X-Tenant: a, b"],
        ['X-Tenant: "a"'],
        ["X-Tenant: a b"],
        ["X-Tenant: \u00e4"],
        ["X-Tenant:\r\n a"],
        ["X-Tenant:"],
        ["X-Tenant: =?utf-8?q?me?="],
        ["X-Tenant: " + "a" * 1025],
    ):
        assert told(*fields) == {"x-tenant": None}


def test_fields_and_parameters_that_nobody_reads_are_noted() -> None:
    assert said("A: 1").has_more and not said("A: 1").has_parameters
    text = b"X-Tenant: t\r\n\r\n"
    asked = read_said(read_header(text, 0, Limits()), 7, frozenset({"x-tenant"}))
    assert not asked.has_more
    for field in ("Content-MD5: x", "Digest: x", "Content-Digest: x", "Repr-Digest: x",
                  "Content-Disposition: of-a-stranger; filename=a"):  # fmt: skip
        assert said(field).has_more
    for kind in ("attachment", "Inline", "form-data"):
        assert not said(f"Content-Disposition: {kind}; filename=a").has_more
    for field in ("Content-Type: audio/ogg; codecs=x", "Content-Disposition: inline; x=y"):
        assert said(field).has_parameters and not said(field).has_more
