"""Shared strings and number formats, in bounded memory."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.inspection.xlsxcells import NumberFormat, NumberFormats, Strings
from gateway.inspection.xlsxmarkup import MAIN
from tests.support.reading import Cut
from tests.support.workbooks import strings, styles


def code(body: bytes, kind: type[Strings] | type[NumberFormats] = Strings) -> Code:
    with pytest.raises(BadUpstream) as caught:
        kind(Cut(body), Limits())
    return caught.value.code


def test_strings_are_found_by_their_place() -> None:
    found = Strings(Cut(strings("<t>é</t>", "", "<r><t>a</t></r><r><t>b</t></r>"), 5), Limits())
    assert [found.at(place) for place in range(3)] == ["é", "", "ab"]
    for none in (found, Strings(None, Limits())):
        with pytest.raises(BadUpstream):
            none.at(3)


def test_more_strings_than_can_be_held_are_refused() -> None:
    body = strings(*["<t>a</t>"] * 100)
    assert Strings(Cut(body), Limits(record=300)).at(99) == "a"
    with pytest.raises(BadUpstream) as caught:
        Strings(Cut(body), Limits(record=200))
    assert caught.value.code is Code.BODY_TOO_LARGE


def test_other_markup_than_strings_is_refused() -> None:
    assert code(b"<sst><si><t>a</t></si></sst>") is Code.BODY_TOO_COMPLEX
    assert code(f'<sst xmlns="{MAIN}"><x/></sst>'.encode()) is Code.BODY_TOO_COMPLEX
    assert code(f'<sst xmlns="{MAIN}">a</sst>'.encode()) is Code.BODY_AMBIGUOUS
    assert code(strings("<t> a</t>")) is Code.BODY_AMBIGUOUS


def test_a_style_has_a_built_in_format_or_one_of_the_workbook() -> None:
    own = '<numFmt numFmtId="164" formatCode="General"/><numFmt numFmtId="14" formatCode="0"/>'
    found = NumberFormats(Cut(styles(own, 0, 164, 14, 22)), Limits())
    assert [found.of(place) for place in range(4)] == [
        NumberFormat(0),
        NumberFormat(164, "General"),
        NumberFormat(14, "0"),
        NumberFormat(22),
    ]
    assert [found.of(place).is_plain for place in range(4)] == [True, True, True, False]
    assert NumberFormats(None, Limits()).of(0) == NumberFormat()


def test_a_format_with_room_for_a_letter_is_no_escape() -> None:
    found = NumberFormats(
        Cut(styles('<numFmt numFmtId="164" formatCode=" 0_x_-"/>', 164)), Limits()
    )
    assert found.of(0) == NumberFormat(164, " 0_x_-")


def test_a_format_that_is_not_there_or_depends_on_the_reader_is_ambiguous() -> None:
    found = NumberFormats(Cut(styles("", 30, 164)), Limits())
    for style in (0, 1, 2):
        with pytest.raises(BadUpstream) as caught:
            found.of(style)
        assert caught.value.code is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    ("formats", "numbers", "expected"),
    [
        ('<numFmt numFmtId="1" formatCode="a"/><numFmt numFmtId="1" formatCode="b"/>', (0,),
         Code.BODY_AMBIGUOUS),
        ('<numFmt numFmtId="1"/>', (0,), Code.BODY_AMBIGUOUS),
        (f'<numFmt numFmtId="1" formatCode="{"0" * 1025}"/>', (0,), Code.BODY_AMBIGUOUS),
        ('<numFmt numFmtId="164" formatCode="0_x000D_"/>', (164,), Code.BODY_AMBIGUOUS),
        ('<numFmt numFmtId="x" formatCode="a"/>', (0,), Code.BODY_MALFORMED),
        ("", (-1,), Code.BODY_MALFORMED),
        ("", (0,) * 65_537, Code.BODY_TOO_COMPLEX),
    ],
)  # fmt: skip
def test_formats_that_readers_take_differently_are_refused(
    formats: str, numbers: tuple[int, ...], expected: Code
) -> None:
    assert code(styles(formats, *numbers), NumberFormats) is expected
