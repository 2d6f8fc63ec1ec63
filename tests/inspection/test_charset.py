"""Encodings: proven or configured, decoded strictly, encoded back to the same bytes."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.charset import LABELS, Charset, Encoding, known_label, read_text, settle

UTF_8_MARK, LE_MARK, BE_MARK = b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"


def text(chunks: Iterable[bytes], configured: str | None = None) -> bytes:
    return b"".join(read_text(chunks, configured)[1])


def refusal(body: bytes, configured: str | None = None) -> Code:
    with pytest.raises(BadUpstream) as caught:
        text([body], configured)
    return caught.value.code


@pytest.mark.parametrize(
    ("head", "configured", "expected"),
    [
        (b"a", None, Encoding(Charset.UTF_8)),
        (b"", None, Encoding(Charset.UTF_8)),
        (UTF_8_MARK + b"a", None, Encoding(Charset.UTF_8, UTF_8_MARK)),
        (LE_MARK + b"a\0", None, Encoding(Charset.UTF_16_LE, LE_MARK)),
        (BE_MARK + b"\0a", None, Encoding(Charset.UTF_16_BE, BE_MARK)),
        (LE_MARK + b"a\0", "utf-16", Encoding(Charset.UTF_16_LE, LE_MARK)),
        (BE_MARK + b"\0a", "UTF-16", Encoding(Charset.UTF_16_BE, BE_MARK)),
        (b"a\0", "utf-16-le", Encoding(Charset.UTF_16_LE)),
        (LE_MARK + b"a\0", "utf-16le", Encoding(Charset.UTF_16_LE, LE_MARK)),
        (UTF_8_MARK + b"a", "utf-8", Encoding(Charset.UTF_8, UTF_8_MARK)),
        (b"\xe9", "latin-1", Encoding(Charset.LATIN_1)),
        (b"\x80", "cp1252", Encoding(Charset.WINDOWS_1252)),
    ],
)
def test_a_mark_or_the_configuration_settles_the_encoding(
    head: bytes, configured: str | None, expected: Encoding
) -> None:
    assert settle(configured, head) == expected


@pytest.mark.parametrize(
    ("head", "configured"),
    [
        (LE_MARK, "utf-8"),
        (LE_MARK, "utf-16-be"),
        (BE_MARK, "utf-16-le"),
        (UTF_8_MARK, "utf-16"),
        (UTF_8_MARK, "latin-1"),
        (LE_MARK, "windows-1252"),
        (b"a\0", "utf-16"),
    ],
)
def test_a_mark_that_contradicts_the_configuration_is_ambiguous(
    head: bytes, configured: str
) -> None:
    with pytest.raises(BadUpstream) as caught:
        settle(configured, head)
    assert caught.value.code is Code.BODY_AMBIGUOUS


def test_a_label_that_is_not_known_is_a_fault_of_configuration() -> None:
    assert [known_label(label.upper()).lower() for label in LABELS] == [*LABELS]
    for label in ("utf-7", "cp037", "iso-2022-jp", "gb18030", ""):
        with pytest.raises(ValueError, match="the encodings are utf-8"):
            known_label(label)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_mark_is_taken_off_however_the_body_is_cut(size: int) -> None:
    """Catalogue A18."""
    for mark, codec in [(UTF_8_MARK, "utf-8"), (LE_MARK, "utf-16-le"), (BE_MARK, "utf-16-be")]:
        body = mark + "ä,\U0001f600".encode(codec)
        assert (
            text(body[at : at + size] for at in range(0, len(body), size))
            == "ä,\U0001f600".encode()
        )


@pytest.mark.parametrize(
    ("body", "configured"),
    [
        pytest.param(b"a\xff", None, id="never in UTF-8"),
        pytest.param(b"a\xc3", None, id="cut character"),
        pytest.param(b"\xc0\xaf", None, id="overlong"),
        pytest.param(b"\xe0\x80\xaf", None, id="overlong in three"),
        pytest.param(b"\xed\xa0\x80", None, id="surrogate"),
        pytest.param(b"\xed\xa0\xbd\xed\xb8\x80", None, id="CESU-8"),
        pytest.param(b"\xf4\x90\x80\x80", None, id="beyond Unicode"),
        pytest.param(b"\xe9", None, id="latin-1 that nobody configured"),
        pytest.param(LE_MARK + b"a", None, id="half a UTF-16 unit"),
        pytest.param(LE_MARK + b"\x00\xd8a\0", None, id="lone surrogate in UTF-16"),
        pytest.param(BE_MARK + b"\xd8\x00", None, id="cut surrogate pair"),
        pytest.param(b"\x81", "windows-1252", id="undefined in windows-1252"),
    ],
)
def test_bytes_that_are_not_of_the_encoding_are_malformed(
    body: bytes, configured: str | None
) -> None:
    """Catalogue A19."""
    assert refusal(body, configured) is Code.BODY_MALFORMED


@pytest.mark.parametrize(
    ("body", "configured"),
    [
        pytest.param(UTF_8_MARK * 2 + b"a", None, id="second mark"),
        pytest.param("a\ufeffb".encode(), None, id="mark inside the text"),
        pytest.param(LE_MARK * 2 + b"a\0", None, id="second mark in UTF-16"),
        pytest.param("a".encode("utf-16-le"), None, id="UTF-16 without a mark"),
        pytest.param("a".encode("utf-32"), None, id="UTF-32"),
        pytest.param(b"\x1b$B", None, id="ISO-2022-JP"),
        pytest.param("customer".encode("cp037")[:3] + b"\x15", "latin-1", id="EBCDIC"),
        pytest.param(b"a\x85b", "latin-1", id="NEL in latin-1"),
        *(
            pytest.param(b"a%cb" % code, None, id=f"U+{code:04X}")
            for code in range(0x20)
            if code not in b"\t\r\n"
        ),
    ],
)
def test_characters_that_readers_treat_differently_are_ambiguous(
    body: bytes, configured: str | None
) -> None:
    """Catalogue A17, A18, A62."""
    assert refusal(body, configured) is Code.BODY_AMBIGUOUS


def test_ordinary_text_of_each_encoding_passes() -> None:
    assert text([b"a\tb\r\nc\x7f"]) == b"a\tb\r\nc\x7f"
    assert text([b"\xe9\xff\xa0"], "latin-1") == "éÿ\u00a0".encode()
    assert text([b"\x80\xe9"], "windows-1252") == "€é".encode()
    assert text([b"a\0\xe9\0"], "utf-16-le") == "aé".encode()
    assert text([]) == text([UTF_8_MARK]) == b""


def test_the_text_before_a_fault_is_handed_out_first() -> None:
    for body in (b"abc\xff", b"abc\x00d", "abc\ufeffd".encode()):
        _, pieces = read_text([body], None)
        assert next(pieces) == b"abc"
        with pytest.raises(BadUpstream):
            next(pieces)


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff")),
    st.sampled_from([Charset.UTF_8, Charset.UTF_16_LE, Charset.UTF_16_BE]),
    st.integers(1, 7),
)
def test_what_is_read_is_encoded_back_to_the_same_bytes(
    content: str, charset: Charset, size: int
) -> None:
    body = content.encode(charset)
    chunks = (body[at : at + size] for at in range(0, len(body), size))
    encoding, pieces = read_text(chunks, charset.value)
    assert b"".join(map(encoding.encode, pieces)) == body


@given(st.binary(), st.sampled_from([None, *LABELS]), st.lists(st.integers(1, 5), min_size=1))
def test_how_the_body_is_cut_never_changes_the_verdict(
    body: bytes, configured: str | None, sizes: list[int]
) -> None:
    def outcome(chunks: Iterable[bytes]) -> object:
        seen = b""
        try:
            _, pieces = read_text(chunks, configured)
            for piece in pieces:
                piece.decode()
                seen += piece
        except BadUpstream as fault:
            return seen, fault.code, fault.note
        return seen

    def cut() -> Iterable[bytes]:
        at = turn = 0
        while at < len(body):
            yield body[at : at + sizes[turn % len(sizes)]]
            at, turn = at + sizes[turn % len(sizes)], turn + 1

    assert outcome(cut()) == outcome([body] if body else [])
