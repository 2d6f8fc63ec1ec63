"""Content lines: what readers mend differently is refused, however the body is cut."""

from collections.abc import Iterator

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import contentlines
from gateway.inspection.contentlines import CALENDAR, CARD, CARD_2_1, Line, Piece, Property
from gateway.inspection.jsonreader import WINDOW
from gateway.inspection.settings import Limits
from tests.support.reading import Cut

LIMITS = Limits()
CARDS = b"BEGIN:A\r\nX:1\r\nEND:A\r\nBEGIN:A\r\nX:2\r\nEND:A\r\n"
NESTED = b"BEGIN:A\nX:1\nBEGIN:B\nBEGIN:C\nY:2\nEND:C\nEND:B\nBEGIN:B\nEND:B\nEND:A\n"


def read(
    body: bytes, level: int = 1, *, chunk: int = 7, octets: bool = False, limits: Limits = LIMITS
) -> list[Piece]:
    return list(contentlines.pieces(Cut(body, chunk), limits, level, octets=octets))


def refusal(body: bytes, **options: bool | Limits | int) -> Code:
    codes = set[Code]()
    for chunk in (1, 5, 1 << 18):
        with pytest.raises(BadUpstream) as caught:
            read(body, chunk=chunk, **options)  # type: ignore[arg-type]
        codes.add(caught.value.code)
    (code,) = codes
    return code


def whole(pieces: list[Piece]) -> list[bytes]:
    return [b"".join(line.whole for line in piece.lines) for piece in pieces]


def line(text: bytes, whole: bytes | None = None) -> Line:
    return Line(1, (text if whole is None else whole) + b"\n", text)


def taken(text: bytes, grammar: object = CARD) -> Property:
    return contentlines.parsed(line(text), grammar)  # type: ignore[arg-type]


def test_components_are_pieces_with_all_that_is_in_them() -> None:
    found = read(CARDS)
    assert [piece.name for piece in found] == ["A", "A"]
    assert whole(found) == [b"BEGIN:A\r\nX:1\r\nEND:A\r\n", b"BEGIN:A\r\nX:2\r\nEND:A\r\n"]
    assert read(b"") == []


def test_lines_above_the_level_are_pieces_without_a_name() -> None:
    found = read(NESTED, 2)
    assert [piece.name for piece in found] == ["", "", "B", "B", ""]
    assert b"".join(whole(found)) == NESTED
    assert [line.number for piece in found for line in piece.lines] == list(range(1, 11))


def test_a_piece_is_handed_out_before_what_follows_is_read() -> None:
    class Endless:
        def chunks(self) -> Iterator[bytes]:
            yield b"BEGIN:A\nX:" + b"x" * (WINDOW - 17) + b"\nEND:A\n"
            raise AssertionError("read ahead")

    pieces = contentlines.pieces(Endless(), Limits(), 1, octets=False)
    assert next(pieces).name == "A"


def test_folds_are_joined_and_kept_as_they_stand() -> None:
    body = b"BEGIN:A\r\nX:on\r\n e\r\n\ttwo\r\nEND:A\r\n"
    (piece,) = read(body)
    assert [line.text for line in piece.lines] == [b"BEGIN:A", b"X:onetwo", b"END:A"]
    assert whole([piece]) == [body]


def test_a_fold_inside_a_character_is_read_only_where_the_format_has_it() -> None:
    """RFC 5545 section 3.1 has it, RFC 6350 section 3.2 forbids it."""
    body = "BEGIN:A\nX:é\nEND:A\n".encode().replace(b"\xc3\xa9", b"\xc3\n \xa9")
    assert read(body, octets=True)[0].lines[1].text == "X:é".encode()
    assert refusal(body) is Code.BODY_MALFORMED


def test_the_last_end_may_lack_its_line_end_and_no_other_line() -> None:
    assert whole(read(CARDS[:-2])) == [*whole(read(CARDS))[:1], b"BEGIN:A\r\nX:2\r\nEND:A"]
    for length in range(1, len(CARDS) - 2):
        if length not in (19, 21):
            assert refusal(CARDS[:length]) is Code.BODY_INCOMPLETE, length
    assert len(read(CARDS[:19])) == len(read(CARDS[:21])) == 1


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (b"\n", Code.BODY_AMBIGUOUS),
        (b"  \n", Code.BODY_AMBIGUOUS),
        (b"X:1\n \t \nY:2\n", Code.BODY_AMBIGUOUS),
        (b"X:1\r\n", Code.BODY_AMBIGUOUS),
        (b"X:1\rY:2\n", Code.BODY_AMBIGUOUS),
        (b"X:1\r", Code.BODY_AMBIGUOUS),
        (b"X:\0\n", Code.BODY_AMBIGUOUS),
        (b"X:\x0b\n", Code.BODY_AMBIGUOUS),
        (b"X:\x7f\n", Code.BODY_AMBIGUOUS),
        ("X:a\x85END:A\n".encode(), Code.BODY_AMBIGUOUS),
        ("X:a\u2028b\n".encode(), Code.BODY_AMBIGUOUS),
        ("\ufeffX:a\n".encode(), Code.BODY_AMBIGUOUS),
        (b"X:\xff\n", Code.BODY_MALFORMED),
        (b"END:A\n FOO\n", Code.BODY_AMBIGUOUS),
        (b"E\n ND:A\n", Code.BODY_AMBIGUOUS),
        (b"BEGIN:\n B\n", Code.BODY_AMBIGUOUS),
        (b"END:B\n", Code.BODY_MALFORMED),
        (b"BEGIN:B\n", Code.BODY_MALFORMED),
        (b"END:A\nX:1\nBEGIN:A\n", Code.BODY_MALFORMED),
        (b"END:A\nEND:A\nBEGIN:A\n", Code.BODY_MALFORMED),
    ],
)
def test_what_readers_mend_differently_is_refused(part: bytes, code: Code) -> None:
    assert refusal(b"BEGIN:A\n" + part + b"END:A\n") is code
    assert read(b"BEGIN:A\nX:1\nEND:A\n")


@pytest.mark.parametrize("start", [b"\n", b" X\n", b"\xef\xbb\xbf", b"X:1\n", b"\r\n"])
def test_nothing_stands_before_the_first_component(start: bytes) -> None:
    assert refusal(start + b"BEGIN:A\nEND:A\n") in (Code.BODY_AMBIGUOUS, Code.BODY_MALFORMED)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("shift", range(-4, 5))
def test_a_fold_is_seen_across_the_edge_of_a_window(end: bytes, shift: int) -> None:
    fill = b"x" * (WINDOW - len(b"BEGIN:A" + end + b"X:") + shift)
    (piece,) = read(end.join((b"BEGIN:A", b"X:" + fill, b" y", b"END:A", b"")), chunk=1 << 18)
    assert piece.lines[1].text == b"X:" + fill + b"y"


def test_lines_components_and_nesting_are_bounded() -> None:
    small = Limits(record=64, depth=2)
    assert refusal(b"BEGIN:A\nX:" + b"x" * 80, limits=small) is Code.BODY_TOO_LARGE
    assert refusal(b"BEGIN:A\n" + b"X:1\n" * 20, limits=small) is Code.BODY_TOO_LARGE
    assert refusal(b"BEGIN:A\nX:1\n" + b" 2\n" * 80, limits=small) is Code.BODY_TOO_LARGE
    assert refusal(b"BEGIN:A\n" * 3, limits=small) is Code.BODY_TOO_COMPLEX
    many = b"BEGIN:A\n" + b"X:1\n" * (1 << 16) + b"END:A\n"
    with pytest.raises(BadUpstream) as caught:
        read(many, chunk=1 << 18)
    assert caught.value.code is Code.BODY_TOO_COMPLEX
    assert read(b"BEGIN:A\n" + b"X:1\n" * 10 + b"END:A\n", limits=small)


@pytest.mark.parametrize(
    ("text", "name", "parameters", "value"),
    [
        (b"FN:a", "FN", b"", b"a"),
        (b"fn:a:b;c", "FN", b"", b"a:b;c"),
        (b"item1.EMAIL;type=home:a", "EMAIL", b";TYPE=HOME", b"a"),
        (b'X-A;p="a:b;c,d",e;q=:v', "X-A", b';P="A:B;C,D",E;Q=', b"v"),
        (b"X-A;p=a\\nb:v", "X-A", b";P=A\\NB", b"v"),
        (b"X:", "X", b"", b""),
    ],
)
def test_a_line_is_taken_apart(text: bytes, name: str, parameters: bytes, value: bytes) -> None:
    assert taken(text)[2:] == (name, parameters, value)


@pytest.mark.parametrize(
    "text",
    [b"FN", b":a", b" FN:a", b"FN :a", b"F_N:a", b"FN;:a", b"FN;a:b", b'FN;a="b:c', b'FN;a="b"c:d',
     b'FN;a=b"c":d', b'FN;a="b\\":c', b"FN;a=b\\:c", b"FN;a=b\\;c:d", b".FN:a", b"a.b.FN:a",
     b"FN;a=b,\\,c:d", "Ｆ:a".encode()],
)  # fmt: skip
def test_what_is_no_content_line_is_malformed(text: bytes) -> None:
    with pytest.raises(BadUpstream) as caught:
        taken(text)
    assert caught.value.code is Code.BODY_MALFORMED
    assert taken(b"FN;a=b:c")


def test_calendars_have_no_groups_and_old_cards_have_bare_parameters() -> None:
    assert taken(b"a.FN:b", CARD_2_1).group == b"a"
    with pytest.raises(BadUpstream):
        taken(b"a.FN:b", CALENDAR)
    assert taken(b"TEL;CELL;ENCODING=8BIT:1", CARD_2_1).parameters == b";CELL;ENCODING=8BIT"
    for text in (b'TEL;X="a":1', b"TEL;X=a\\;b:1"):
        with pytest.raises(BadUpstream):
            taken(text, CARD_2_1)


@pytest.mark.parametrize(
    "text", [b"begin:VEVENT", b"BEGIN;X=1:VEVENT", b"End:VEVENT", b"BEGIN:vevent", b"BEGIN: V",
             b"a.BEGIN:VCARD", b"END:", b"BEGIN:VEVENT "],
)  # fmt: skip
def test_a_begin_that_not_every_reader_knows_is_ambiguous(text: bytes) -> None:
    with pytest.raises(BadUpstream) as caught:
        taken(text)
    assert caught.value.code is Code.BODY_AMBIGUOUS
    assert taken(b"BEGIN:VEVENT").name == "BEGIN"


def test_a_fold_stands_behind_the_name() -> None:
    for folded in (b"NO\n TE:a", b"NOTE\n :a", b"a.\n NOTE:a"):
        with pytest.raises(BadUpstream) as caught:
            contentlines.parsed(line(folded.replace(b"\n ", b""), folded), CARD)
        assert caught.value.code is Code.BODY_AMBIGUOUS
    for folded in (b"NOTE:\n a", b"NOTE;\n X=1:a"):
        assert contentlines.parsed(line(folded.replace(b"\n ", b""), folded), CARD).value == b"a"
