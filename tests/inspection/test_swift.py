"""MT940 messages: the fields of the standard in their order, and each line in one of them."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import swift
from gateway.inspection.settings import Limits
from gateway.inspection.swift import Message

LIMITS = Limits()
FIELDS = ":20:a\n:25:A1\n:28C:1/1\n:60F:C260630EUR1,00\n:61:260630D1,\nb\n:86:c\nd\n:62F:C0\n"
HEADER = "{1:F01BANKDEFFXXXX0000000000}{2:I940BANKDEFFXXXXN}{3:{108:a b}}{4:\n"


def read(text: str, *, chunk: int = 1 << 18, limits: Limits = LIMITS) -> list[Message]:
    body = text.encode()
    pieces = (body[at : at + chunk] for at in range(0, len(body), chunk))
    return list(swift.messages(pieces, limits))


def refusal(text: str, limits: Limits = LIMITS) -> Code:
    codes = set[Code]()
    for chunk in (1, 4, 1 << 18):
        with pytest.raises(BadUpstream) as caught:
            read(text, chunk=chunk, limits=limits)
        codes.add(caught.value.code)
    (code,) = codes
    return code


def whole(message: Message) -> bytes:
    return b"".join((message.begin, *(field.text for field in message.fields), message.end))


@pytest.mark.parametrize(
    "texts",
    [
        (FIELDS, FIELDS),
        (FIELDS + "-\n", FIELDS + "-\n"),
        (FIELDS, FIELDS + "-"),
        (HEADER + FIELDS + "-}\n", HEADER + FIELDS + "-}{5:{MAC:1}{CHK:2}}"),
        ("{1:A}{4:\n" + FIELDS + "-}\n", FIELDS),
        (FIELDS.replace("\n", "\r\n"),),
        (
            FIELDS.replace(":25:", ":21:x\n:25:").replace("28C", "28")
            + ":64:C\n:65:C\n:65:C\n:86:all\n",
        ),
        (":20:a\n:25P:A1\nBANKDEFFXXX\n:28C:1\n:NS:x\n:60M:C\n:86:b\n:NS:y\n:62M:C\n",),
        (),
    ],
)
@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_messages_are_read_with_their_exact_bytes(texts: tuple[str, ...], chunk: int) -> None:
    found = read("".join(texts), chunk=chunk)
    assert [whole(each) for each in found] == [text.encode() for text in texts]
    assert {each.account for each in found} <= {"A1"}


def test_lines_belong_to_the_field_before_them() -> None:
    (message,) = read(FIELDS)
    assert [field.tag for field in message.fields] == ["20", "25", "28C", "60F", "61", "86", "62F"]
    assert message.fields[4].text == b":61:260630D1,\nb\n"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (":28C", ":25:A1\n:28C", Code.BODY_AMBIGUOUS),
        (":28C", ":25P:A1\nBANKDEFF\n:28C", Code.BODY_AMBIGUOUS),
        (":25:A1\n", "", Code.BODY_MALFORMED),
        (":86:c", ":25:A9\n:86:c", Code.BODY_AMBIGUOUS),
        (":60F:C260630EUR1,00\n", "", Code.BODY_MALFORMED),
        (":20:a\n", "", Code.BODY_MALFORMED),
        (":20:a\n", "x\n:20:a\n", Code.BODY_MALFORMED),
        (":20:a\n", ":940:\n:20:a\n", Code.BODY_MALFORMED),
        (":86:c\n", ":86:c\n:12:30 o'clock\n", Code.BODY_MALFORMED),
        (":86:c\n", ":86:c\n: 25:A9\n", Code.BODY_AMBIGUOUS),
        (":86:c\n", ":86:c\n-\n", Code.BODY_MALFORMED),
        (":86:c\n", ":86:c\n-x\n", Code.BODY_AMBIGUOUS),
        (":86:c\n", ":86:c\n-}\n", Code.BODY_AMBIGUOUS),
        (":86:c\n", ":86:c\n\n", Code.BODY_AMBIGUOUS),
        (":86:c\n", ":86:c\n \n", Code.BODY_AMBIGUOUS),
        (":86:c\n", ":86:c\r\n", Code.BODY_AMBIGUOUS),
        (":86:c\n", ":86:c\r:25:A9\n", Code.BODY_AMBIGUOUS),
        (":86:c\n", ":86:c\u2028:25:A9\n", Code.BODY_AMBIGUOUS),
        (":86:c\n", ":86:c\x85:25:A9\n", Code.BODY_AMBIGUOUS),
        (":25:A1", ":25:", Code.BODY_AMBIGUOUS),
        (":25:A1", ":25: A1", Code.BODY_AMBIGUOUS),
        (":25:A1", ":25:A1 ", Code.BODY_AMBIGUOUS),
        (":25:A1", ":25:Ä1", Code.BODY_AMBIGUOUS),
        (":25:A1", ":25:" + "1" * 36, Code.BODY_AMBIGUOUS),
        (":25:A1", ":25:A1\nA9", Code.BODY_AMBIGUOUS),
        (":25:A1", ":25P:A1", Code.BODY_AMBIGUOUS),
        (":25:A1", ":25P:A1\nbic", Code.BODY_AMBIGUOUS),
    ],
)
def test_what_readers_mend_is_refused(old: str, new: str, code: Code) -> None:
    assert FIELDS.count(old) == 1
    assert refusal(FIELDS.replace(old, new) + FIELDS) is code
    assert len(read(FIELDS + FIELDS)) == 2


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (HEADER + FIELDS, Code.BODY_INCOMPLETE),
        (HEADER + FIELDS + HEADER + FIELDS + "-}\n", Code.BODY_MALFORMED),
        (HEADER + FIELDS + FIELDS + "-}\n", Code.BODY_MALFORMED),
        (HEADER + FIELDS + "-\n", Code.BODY_AMBIGUOUS),
        (HEADER + FIELDS + "-}x\n", Code.BODY_AMBIGUOUS),
        (HEADER + HEADER + FIELDS + "-}\n", Code.BODY_MALFORMED),
        (HEADER + "-}\n", Code.BODY_MALFORMED),
        (HEADER.replace("940", "942") + FIELDS + "-}\n", Code.BODY_MALFORMED),
        (HEADER.strip() + FIELDS + "-}\n", Code.BODY_MALFORMED),
        (HEADER.replace("a b", "{}") + FIELDS + "-}\n", Code.BODY_MALFORMED),
        (HEADER + "x\n" + FIELDS + "-}\n", Code.BODY_AMBIGUOUS),
        (FIELDS + "-\nx\n", Code.BODY_MALFORMED),
        (FIELDS + "-\n-\n", Code.BODY_MALFORMED),
        ("\n" + FIELDS, Code.BODY_AMBIGUOUS),
    ],
)
def test_blocks_are_closed_and_nothing_stands_between_messages(text: str, code: Code) -> None:
    assert refusal(text) is code
    assert read(HEADER + FIELDS + "-}\n" + HEADER + FIELDS + "-}\n")


def test_a_cut_message_is_incomplete() -> None:
    for length in range(1, len(FIELDS)):
        assert refusal(FIELDS * 2 + FIELDS[:length]) is Code.BODY_INCOMPLETE, length
    assert refusal(FIELDS[:-1]) is Code.BODY_INCOMPLETE
    assert read(FIELDS + "-")


def test_lines_and_messages_are_bounded() -> None:
    small = Limits(record=120)
    assert refusal(":20:" + "x" * 200, small) is Code.BODY_TOO_LARGE
    assert refusal(FIELDS.replace(":86:c\n", ":86:c\n" * 20), small) is Code.BODY_TOO_LARGE
    assert len(read(FIELDS * 5, limits=small)) == 5
    many = FIELDS.replace(":86:c\n", ":86:c\n" + "x\n" * (1 << 16))
    with pytest.raises(BadUpstream) as caught:
        read(many)
    assert caught.value.code is Code.BODY_TOO_COMPLEX
