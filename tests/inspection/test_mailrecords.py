"""Whose a message is, and what a mask leaves of it."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.locators import LocatorError
from gateway.inspection.mailrecords import (
    Message,
    Messages,
    check_lines,
    fields_of,
    line_end,
    masked,
)
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Format
from tests.support.reading import masks


def messages(*subject: dict[str, tuple[str, ...]]) -> Messages:
    return Messages(BodySpec(Format.EML, subject=subject), Limits())


def read(text: str, *locators: str) -> Message:
    return messages({"email": locators}).read(text.encode())


def owners(text: str, *locators: str) -> list[str | int]:
    return [owner.value for owner in read(text, *locators).owners]


def refusal(text: str, *locators: str) -> Code:
    with pytest.raises(BadUpstream) as caught:
        read(text, *locators)
    return caught.value.code


def test_a_locator_names_fields_in_any_case() -> None:
    assert fields_of("Delivered-To") == ("delivered-to",)
    assert fields_of("To|CC|bcc") == ("to", "cc", "bcc")
    assert fields_of("$.Subject") == fields_of("$['Subject']") == ("subject",)


@pytest.mark.parametrize("text", ["", "To:", "To|", "a b", "$", "$.a.b", "$.a[*]", "$['']", "ä"])
def test_what_names_no_field_is_no_locator(text: str) -> None:
    with pytest.raises(LocatorError):
        fields_of(text)


def test_records_and_totals_are_not_for_messages() -> None:
    for spec in (BodySpec(Format.EML, "$.a"), BodySpec(Format.EML, totals=("$.n",))):
        with pytest.raises(LocatorError):
            Messages(spec, Limits())


def test_the_owner_stands_in_the_header_and_is_exact() -> None:
    text = "delivered-TO: Me@X.org\nTo: list@x.org\n\nforeign@x.org\n"
    assert owners(text, "Delivered-To") == ["Me@X.org"]
    assert owners(text, "To") == ["list@x.org"]
    assert owners(text, "Cc") == []


def test_everyone_in_a_list_is_an_owner() -> None:
    text = "To: a@x, B <b@x>\nCc: c@x,\n a@x\n\n"
    assert owners(text, "To") == ["a@x", "b@x"]
    assert owners(text, "To|Cc|Bcc") == ["a@x", "b@x", "c@x"]
    both = messages({"email": ("To",)}, {"email": ("Cc",)})
    assert len(both.read(text.encode()).owners) == 3
    assert not both.read(b"To: a@x\n\n").owners


def test_several_locators_must_agree() -> None:
    assert owners("To: a@x\nDelivered-To: a@x\n\n", "To", "Delivered-To") == ["a@x"]
    assert refusal("To: a@x\nDelivered-To: b@x\n\n", "To", "Delivered-To") is Code.BODY_AMBIGUOUS


def test_a_list_that_names_nobody_leaves_the_message_without_an_owner() -> None:
    assert owners("To: undisclosed-recipients:;\nCc: a@x\n\n", "To") == []
    assert owners("To: undisclosed-recipients:;\nCc: a@x\n\n", "To|Cc") == []
    assert owners("X-Id:\n\n", "X-Id") == []


def test_every_hop_names_an_owner_and_a_field_of_the_sender_is_there_once() -> None:
    hops = "Delivered-To: a@x\nReceived: x\nDelivered-To: b@x\nDelivered-To: a@x\n\n"
    assert owners(hops, "Delivered-To") == ["a@x", "b@x"]
    assert owners("X-Id: 1\nX-Id: 2\n\n", "X-Id") == ["1", "2"]
    for name in ("From", "To", "Cc", "Message-ID"):
        text = f"{name}: a@x\n{name.upper()}: a@x\n\n"
        assert refusal(text, name) is Code.BODY_AMBIGUOUS
        assert owners(text + "", "Delivered-To") == []


def test_another_field_is_an_identifier_as_it_stands() -> None:
    assert owners("X-Customer: \t A 1, 2 \n\n", "$['X-Customer']") == ["A 1, 2"]
    for value in ("A\n 1", "\u00e4", "=?utf-8?q?A1?=", "x" * 1025):
        assert refusal(f"X-Customer: {value}\n\n", "X-Customer") is Code.BODY_AMBIGUOUS


def test_whom_a_nested_message_was_sent_to_is_a_mention() -> None:
    text = (
        'Delivered-To: me@x\nContent-Type: multipart/mixed; boundary="a"\n\n'
        "--a\nContent-Type: message/rfc822\nDelivered-To: part@x\n\n"
        "Delivered-To: foreign@x\n\ntext\n--a--\n"
    )
    assert owners(text, "Delivered-To") == ["me@x"]
    assert owners(text.replace("Delivered-To: me@x\n", ""), "Delivered-To") == []


def test_a_message_without_a_header_is_none() -> None:
    assert refusal("\ntext\n", "To") is Code.BODY_MALFORMED


def test_a_mask_empties_a_field_wherever_it_is_and_nothing_else() -> None:
    text = "Subject: a\n b\nTo: me@x\nSUBJECT: c\nX: d\n\nSubject: e\n"
    found = messages({"email": ("To",)})
    message = found.read(text.encode())
    assert masked(message, found.masks(())) == text.encode()
    assert masked(message, found.masks(masks("$.Nothing"))) == text.encode()
    expected = "Subject:\nTo: me@x\nSUBJECT:\nX: d\n\nSubject: e\n"
    assert masked(message, found.masks(masks("$.subject"))) == expected.encode()
    expected = "Subject:\nTo: me@x\nSUBJECT:\nX:\n\nSubject: e\n"
    assert masked(message, found.masks(masks("$.subject", "$['X']"))) == expected.encode()


@pytest.mark.parametrize(
    "mask",
    ["$", "$[*]", "$.a.b", "$.To", "$['to']", "$['Content-Type']", "$['mime-version']", "$['a:']"],
)
def test_a_mask_that_would_change_more_than_a_field_is_unsupported(mask: str) -> None:
    with pytest.raises(BadUpstream) as caught:
        messages({"email": ("To",)}).masks(masks(mask))
    assert caught.value.code is Code.REDACTION_UNSUPPORTED


def test_all_lines_end_alike() -> None:
    assert (line_end(b"a\r\nb\n"), line_end(b"a\nb\r\n"), line_end(b"\n"), line_end(b"")) == (
        b"\r\n", b"\n", b"\n", b"\n",
    )  # fmt: skip
    check_lines(b"a\nb\n", b"\n")
    check_lines(b"a\r\nb\r\n", b"\r\n")
    for text, end in (
        (b"a\nb\r\n", b"\n"),
        (b"a\nb\rc\n", b"\n"),
        (b"a\r\nb\n", b"\r\n"),
        (b"a\r\nb\rc\r\n", b"\r\n"),
        (b"a\r\r\n", b"\r\n"),
        (b"a\n\r\r\n", b"\r\n"),
        (b"a\0\n", b"\n"),
    ):
        with pytest.raises(BadUpstream) as caught:
            check_lines(text, end)
        assert caught.value.code is Code.BODY_AMBIGUOUS
