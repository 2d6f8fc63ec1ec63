"""Parts: complete and cut in one way, or refused."""

import email
import email.policy
import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.mailheader import read_header
from gateway.inspection.mimetree import Part, read_parts
from gateway.inspection.settings import Limits

PLAIN = b"Content-Type: text/plain\n\ntext\n"


def check(text: bytes, **limits: int) -> list[Part]:
    bounds = Limits(**limits)
    return read_parts(text, read_header(text, 0, bounds), bounds)


def refusal(text: bytes, **limits: int) -> Code:
    with pytest.raises(BadUpstream) as caught:
        check(text, **limits)
    return caught.value.code


def parts(boundary: bytes, *inside: bytes, kind: bytes = b"mixed") -> bytes:
    head = b'Content-Type: multipart/%b; boundary="%b"\n\n' % (kind, boundary)
    each = (b"--" + boundary + b"\n" + part for part in inside)
    return head + b"preamble\n" + b"".join(each) + b"--" + boundary + b"--\nepilogue\n"


def nested(depth: int) -> bytes:
    text = PLAIN
    for level in range(depth):
        text = parts(b"level-%03d" % level, text)
    return text


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        b"A: 1\n\n-- \nsignature\n--b\n",
        parts(b"a", PLAIN, PLAIN),
        parts(b"a", b"\nno header\n", parts(b"b", PLAIN), PLAIN),
        parts(b"a", b"Content-Type: message/rfc822\n\n" + parts(b"b", PLAIN), PLAIN),
        parts(b"a", PLAIN, b"\nSubject: x\n\ntext\n", kind=b"digest").replace(PLAIN, b"\n" + PLAIN),
        parts(b"a", PLAIN)[: -len(b"\nepilogue\n")],
        parts(b"a", parts(b"b", PLAIN), parts(b"b", PLAIN)),
        b"Content-Type: message/rfc822\n\nA: 1\n\ntext",
        nested(20),
    ],
)
def test_complete_parts_pass(text: bytes, end: bytes) -> None:
    check(text.replace(b"\n", end))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        # no last delimiter, at either level
        (parts(b"a", PLAIN).replace(b"--a--", b""), Code.BODY_INCOMPLETE),
        (parts(b"a", parts(b"b", PLAIN)).replace(b"--b--", b""), Code.BODY_INCOMPLETE),
        (parts(b"a", PLAIN)[:60], Code.BODY_INCOMPLETE),
        (b'Content-Type: multipart/mixed; boundary="a"\n\ntext\n', Code.BODY_INCOMPLETE),
        (parts(b"a", b"Content-Type: message/rfc822\n\n"), Code.BODY_MALFORMED),
        # parts without a blank line, or without anything
        (parts(b"a", b"text\n"), Code.BODY_MALFORMED),
        (parts(b"a", b""), Code.BODY_MALFORMED),
        # delimiters to some readers only
        (parts(b"a"), Code.BODY_AMBIGUOUS),
        (parts(b"a", PLAIN + b"--a \n"), Code.BODY_AMBIGUOUS),
        (parts(b"a", PLAIN + b"--a\t\n"), Code.BODY_AMBIGUOUS),
        (parts(b"a", PLAIN + b"--abc\n"), Code.BODY_AMBIGUOUS),
        (parts(b"a", PLAIN + b"--a-\n"), Code.BODY_AMBIGUOUS),
        (parts(b"a", PLAIN + b"--a--x\n"), Code.BODY_AMBIGUOUS),
        (parts(b"a", PLAIN) + b"--a\n" + PLAIN, Code.BODY_AMBIGUOUS),
        (parts(b"a", PLAIN) + b"--a--\n", Code.BODY_AMBIGUOUS),
        # boundaries that begin like one around them
        (parts(b"a", parts(b"a", PLAIN)), Code.BODY_AMBIGUOUS),
        (parts(b"a", parts(b"ab", PLAIN)), Code.BODY_AMBIGUOUS),
        (parts(b"ab", parts(b"a", PLAIN)), Code.BODY_AMBIGUOUS),
        (
            parts(b"a", b"Content-Type: message/rfc822\n\n" + parts(b"ab", PLAIN)),
            Code.BODY_AMBIGUOUS,
        ),
        # bombs
        (nested(21), Code.BODY_TOO_COMPLEX),
        (nested(500), Code.BODY_TOO_COMPLEX),
        (b"Content-Type: message/rfc822\n\n" * 21 + PLAIN, Code.BODY_TOO_COMPLEX),
    ],
)
def test_parts_that_readers_cut_differently_are_refused(text: bytes, code: Code) -> None:
    """Catalogue A90."""
    assert refusal(text) is code
    assert refusal(text.replace(b"\n", b"\r\n")) is code


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_each_part_is_handed_out_with_its_content(end: bytes) -> None:
    text = parts(b"a", b"\none\n", b"Content-Type: text/csv\n\n", parts(b"b", b"\ntwo\n\n"),
                 b"Content-Type: message/rfc822\n\nA: 1\n\nthree\n")  # fmt: skip
    text = text.replace(b"\n", end)
    found = [(part.kind.name, text[part.begin : part.end]) for part in check(text)]
    assert found == [
        ("text/plain", b"one"),
        ("text/csv", b""),
        ("text/plain", b"two" + end),
        ("message/rfc822", b"A: 1" + end + end + b"three"),
        ("text/plain", b"three"),
    ]
    (whole,) = check(b"A: 1\n\nx\n")
    assert (whole.begin, whole.end) == (6, 8)


def test_there_are_no_more_parts_than_the_limits() -> None:
    check(parts(b"a", *[PLAIN] * 5), members=5)
    assert refusal(parts(b"a", *[PLAIN] * 6), members=5) is Code.BODY_TOO_COMPLEX
    check(nested(3), depth=3)
    assert refusal(nested(4), depth=3) is Code.BODY_TOO_COMPLEX


def test_many_small_fields_are_not_held() -> None:
    text = parts(b"a", *[b"x:\n" * 1000 + b"\n"] * 100)
    tracemalloc.start()
    try:
        assert len(check(text)) == 100
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


def test_many_lines_of_dashes_take_linear_time() -> None:
    check(parts(b"a", b"\n" + b"--\n--b\n" * 100_000))


@given(st.integers(0, 2**32), st.integers(1, 3))
def test_the_standard_library_finds_no_defect_in_what_passes(seed: int, depth: int) -> None:
    dice = random.Random(seed)

    def tree(level: int, name: str) -> bytes:
        if level == 0 or dice.random() < 0.3:
            return dice.choice([PLAIN, b"\n\n", b"\n--\n--x\n", b"A: 1\n\n"])
        inside = [tree(level - 1, f"{name}{n}-") for n in range(dice.randint(1, 3))]
        boundary = f"={name}="
        return parts(boundary.encode(), *inside)

    text = tree(depth, "-")
    check(text)
    message = email.message_from_bytes(text, policy=email.policy.default)
    assert not any(part.defects for part in message.walk())
