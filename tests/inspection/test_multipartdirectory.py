"""The parts of a multipart body: the same ones for every reader, or none."""

import base64
from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection import source
from gateway.inspection.multipartdirectory import Contents, read_directory
from gateway.inspection.settings import Limits
from gateway.inspection.source import InMemory
from tests.support.multiparts import (
    BOUNDARY,
    by_aiohttp,
    by_email,
    by_node,
    files,
    multipart,
    named,
    part,
)

END = b"--=_b--\r\n"


def found(body: bytes, **limits: int) -> dict[str, bytes]:
    stored = InMemory(body)
    directory = read_directory(stored, Limits(**limits))
    at = 0
    for entry in directory.entries:
        assert entry.start == at and body.startswith(b"--" + directory.boundary, at)
        at = entry.end + 2
    assert at == directory.end
    return {entry.name: b"".join(Contents(stored, entry).chunks()) for entry in directory.entries}


def refusal(body: bytes, **limits: int) -> Code:
    with pytest.raises(BadUpstream) as caught:
        found(body, **limits)
    assert "secret" not in caught.value.note
    return caught.value.code


CONTENTS = {"a": b"", "b/c": b"\r\n", "d": b"text\n--\r\n-- =_b\r\n", "e": bytes(range(256))}


@pytest.fixture(params=[1, 2, 5, 1 << 18])
def chunks(request: pytest.FixtureRequest) -> Iterator[None]:
    with mock.patch.object(source, "CHUNK", request.param):
        yield


@pytest.mark.usefixtures("chunks")
def test_parts_are_found_wherever_they_are_cut() -> None:
    assert found(files(CONTENTS)) == CONTENTS
    assert found(multipart(part(b"x"), part(b"y"), end=b"")) == {"1": b"x", "2": b"y"}


def test_three_other_readers_find_the_same_parts() -> None:
    body = files(CONTENTS)
    expected = [*CONTENTS.items()]
    assert by_email(body) == expected
    assert by_aiohttp(body) == expected
    # Node gives up where a line of a file begins with two dashes, whatever follows.
    plain = {name: content for name, content in CONTENTS.items() if b"--" not in content}
    form = files(plain).replace(b"attachment;", b'form-data; name="f";')
    assert by_node(form) == [*plain.items()]


@pytest.mark.usefixtures("chunks")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        # around the parts
        (b"", Code.BODY_AMBIGUOUS),
        (b"secret\r\n" + files(CONTENTS), Code.BODY_AMBIGUOUS),
        (b"\r\n" + files(CONTENTS), Code.BODY_AMBIGUOUS),
        (files(CONTENTS) + b"secret", Code.BODY_AMBIGUOUS),
        (files(CONTENTS) + b"\r\n", Code.BODY_AMBIGUOUS),
        (files(CONTENTS) + files(CONTENTS), Code.BODY_AMBIGUOUS),
        (multipart(part(b"x"), end=b"\n"), Code.BODY_AMBIGUOUS),
        (multipart(part(b"x"), end=b" \r\n"), Code.BODY_AMBIGUOUS),
        (END, Code.BODY_INCOMPLETE),
        (b"--b\r\n" + END, Code.BODY_INCOMPLETE),
        # an end that is missing
        (multipart(part(b"x")).removesuffix(END), Code.BODY_INCOMPLETE),
        (multipart(part(b"x"))[:-4], Code.BODY_INCOMPLETE),
        (multipart(part(b"x"))[:-3], Code.BODY_INCOMPLETE),
        (multipart(part(b"x"))[:-1], Code.BODY_INCOMPLETE),
        (b"--=_b\r\n", Code.BODY_INCOMPLETE),
        # delimiters to some readers only
        (multipart(part(b"x\n--=_b\r\n\r\nsecret")), Code.BODY_AMBIGUOUS),
        (multipart(part(b"x\r--=_b\r\n\r\nsecret")), Code.BODY_AMBIGUOUS),
        (multipart(part(b"x--=_b\r\n\r\nsecret")), Code.BODY_AMBIGUOUS),
        (multipart(part(b"x\r\n--=_b \r\n\r\nsecret")), Code.BODY_AMBIGUOUS),
        (multipart(part(b"x\r\n--=_b\t\r\n\r\nsecret")), Code.BODY_AMBIGUOUS),
        (multipart(part(b"x\r\n--=_b\n\nsecret")), Code.BODY_AMBIGUOUS),
        (multipart(part(b"x\r\n--=_bc\r\n\r\nsecret")), Code.BODY_AMBIGUOUS),
        (multipart(part(b"x\r\n--=_b-\r\n\r\nsecret")), Code.BODY_AMBIGUOUS),
        (multipart(part(b"x\r\n--=_b--\r\nsecret")), Code.BODY_AMBIGUOUS),
        (multipart(part(b"--=_b--")), Code.BODY_AMBIGUOUS),
        (multipart(part(b"x", "A: --=_b")), Code.BODY_AMBIGUOUS),
        (files(CONTENTS).replace(b"\r\n", b"\n"), Code.BODY_AMBIGUOUS),
        # headers
        (multipart(b""), Code.BODY_MALFORMED),
        (multipart(b"text"), Code.BODY_MALFORMED),
        (multipart(b"A: 1\r\n"), Code.BODY_MALFORMED),
        (multipart(b"A: 1\n\nsecret"), Code.BODY_AMBIGUOUS),
        (multipart(b"A: 1\r\nB: 2\n\r\nsecret"), Code.BODY_AMBIGUOUS),
        (multipart(b"\n\r\nsecret"), Code.BODY_AMBIGUOUS),
        (multipart(b"A: 1\rB: 2\r\n\r\nsecret"), Code.BODY_MALFORMED),
        (multipart(part(b"x", "A : 1")), Code.BODY_MALFORMED),
        (multipart(part(b"x", "A: \0")), Code.BODY_AMBIGUOUS),
        (multipart(part(b"x", "A: " + "a" * 16_384)), Code.BODY_MALFORMED),
        (multipart(part(b"x", "Content-Length: 2")), Code.BODY_AMBIGUOUS),
        # names
        (multipart(named("a", b""), named("a", b"")), Code.BODY_AMBIGUOUS),
        (multipart(named("a", b""), named("A", b"")), Code.BODY_AMBIGUOUS),
        (multipart(named("a", b""), named("a/b", b"")), Code.BODY_AMBIGUOUS),
        (multipart(named("2", b""), part(b"")), Code.BODY_AMBIGUOUS),
        (multipart(part(b"", "Content-ID: <a>"), part(b"", "Content-ID: <a>")),
         Code.BODY_AMBIGUOUS),
        (multipart(part(b"", "Content-ID: <a>"), named("b", b"", "Content-ID: <A>")),
         Code.BODY_AMBIGUOUS),
        (multipart(named("a", b"", "Content-ID: <x>"), named("b", b"", "Content-ID: <x>")),
         Code.BODY_AMBIGUOUS),
        (multipart(named("a", b"", "Content-ID: <b>"), named("b", b"")), Code.BODY_AMBIGUOUS),
        # parts in a part
        (multipart(part(multipart(part(b"x"), boundary="c"),
                        'Content-Type: multipart/mixed; boundary="c"')), Code.MEMBER_UNSUPPORTED),
        (multipart(part(multipart(part(b"x")), 'Content-Type: multipart/mixed; boundary="=_b"')),
         Code.BODY_MALFORMED),
    ],
)  # fmt: skip
def test_what_readers_cut_differently_is_refused(body: bytes, code: Code) -> None:
    """Catalogue A89 to A91."""
    assert refusal(body) is code


def test_a_length_that_is_the_parts_passes() -> None:
    assert found(multipart(part(b"x", "Content-Length: 1"))) == {"1": b"x"}


def test_parts_with_an_id_of_their_own_each_pass() -> None:
    ids = ("Content-ID: <1@x.org>", "Content-ID: <b>", "Content-ID: <3@x.org>")
    body = multipart(named("a", b"x", ids[0]), named("b", b"y", ids[1]), part(b"z", ids[2]))
    assert found(body) == {"a": b"x", "b": b"y", "3@x.org": b"z"}


def test_there_are_no_more_parts_than_the_limit() -> None:
    assert len(found(multipart(*[part(b"")] * 5), members=5)) == 5
    assert refusal(multipart(*[part(b"")] * 6), members=5) is Code.BODY_TOO_COMPLEX


def test_every_cut_is_refused() -> None:
    body = files(CONTENTS)
    for end in range(len(body) - 2):
        assert refusal(body[:end]) in (Code.BODY_INCOMPLETE, Code.BODY_AMBIGUOUS)


BASE64 = "Content-Transfer-Encoding: base64"


@pytest.mark.usefixtures("chunks")
@pytest.mark.parametrize("size", [0, 1, 2, 3, 56, 57, 58, 300])
def test_base64_is_decoded(size: int) -> None:
    data = bytes(range(256)) * 2
    lines = base64.encodebytes(data[:size]).replace(b"\n", b"\r\n")
    assert found(multipart(part(lines, BASE64))) == {"1": data[:size]}
    assert found(multipart(part(base64.b64encode(data[:size]), BASE64))) == {"1": data[:size]}


@pytest.mark.usefixtures("chunks")
@pytest.mark.parametrize(
    "text",
    [
        b"YQ", b"YQ=", b"YQ==YQ==", b"YQ==\r\nYQ==", b"YQ===", b"YR==", b"Y Q==", b"!YQ==",
        b"YQ==\n", b"YQ==\r", b"Y\rQ==", b"YQ-_", b"YWJj=", b"=", b"====", b"YWJj\x00",
    ],
)  # fmt: skip
def test_base64_with_anything_else_in_it_is_refused(text: bytes) -> None:
    assert refusal(multipart(part(text, BASE64))) is Code.BODY_MALFORMED
    assert found(multipart(part(text))) == {"1": text}


NAMES = st.from_regex(r"[a-z]{1,5}\.[0-9]{1,4}", fullmatch=True)


@given(st.dictionaries(NAMES, st.binary(max_size=40), min_size=1, max_size=5))
def test_what_was_written_is_read_and_others_read_the_same(contents: dict[str, bytes]) -> None:
    body = files(contents)
    assert found(body) == contents
    assert by_aiohttp(body, BOUNDARY) == [*contents.items()]
    assert [name for name, _ in by_email(body)] == [*contents]
