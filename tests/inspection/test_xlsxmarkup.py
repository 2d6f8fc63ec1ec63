"""The tokens of an XLSX's parts, and the texts in them that all readers read alike."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.inspection.xlsxmarkup import (
    END,
    MAIN,
    START,
    RichText,
    check_blank,
    check_text,
    elements,
    keeps_space,
    tokens,
)
from tests.support.reading import Cut


def code(body: bytes) -> Code:
    with pytest.raises(BadUpstream) as caught:
        [*tokens(Cut(body), Limits())]
    return caught.value.code


def text_of(inside: str) -> str:
    """What a shared string with this inside says."""
    rich, depth = RichText(), 0
    for kind, name, attributes in tokens(
        Cut(f'<si xmlns="{MAIN}">{inside}</si>'.encode()), Limits()
    ):
        if kind == START:
            depth += 1
            if depth > 1:
                rich.start(name, attributes)
        elif kind == END:
            depth -= 1
            if depth:
                rich.end()
        elif depth:
            rich.text(name)
    return rich.whole()


@pytest.mark.parametrize("size", [1, 7, 1 << 18])
def test_elements_of_the_namespace_have_their_local_names_and_others_never_the_same(
    size: int,
) -> None:
    body = f'<x:a xmlns:x="{MAIN}" xmlns:y="urn:y" n="1"><y:row/><row/><x:row z="2"/></x:a>'
    assert [*elements(Cut(body.encode(), size), Limits())] == [
        (("a",), {"n": "1"}),
        (("a", "\x1furn:y\x1frow"), {}),
        (("a", "\x1frow"), {}),
        (("a", "row"), {"z": "2"}),
    ]


def test_a_long_part_is_not_held() -> None:
    body = f'<a xmlns="{MAIN}">{"<b/>" * 5000}</a>'.encode()
    assert sum(kind == START for kind, _, _ in tokens(Cut(body), Limits(record=1000))) == 5001


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<a><!-- c --></a>", Code.BODY_AMBIGUOUS),
        (b"<a><![CDATA[b]]></a>", Code.BODY_AMBIGUOUS),
        (b"<!DOCTYPE a []><a/>", Code.BODY_AMBIGUOUS),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', Code.BODY_AMBIGUOUS),
        (b"<?pi?><a/>", Code.BODY_AMBIGUOUS),
        (b"<a>", Code.BODY_MALFORMED),
        (b"", Code.BODY_MALFORMED),
        ("<a/>".encode("utf-16"), Code.BODY_AMBIGUOUS),
    ],
)
def test_what_readers_treat_differently_is_refused(body: bytes, expected: Code) -> None:
    assert code(body) is expected


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("", ""),
        ("<t/>", ""),
        ("<t>a &lt; b</t>", "a < b"),
        ('<t xml:space="preserve"> a </t>', " a "),
        ("<r><rPr><b/><sz val='1'/></rPr><t>a</t></r> <r><t>b</t></r>", "ab"),
        ('<r><t xml:space="preserve">a </t></r><r><t>b</t></r><phoneticPr fontId="1"/>', "a b"),
        ("<t>0x1234 _x12_ x005f_</t>", "0x1234 _x12_ x005f_"),
        ('<t q="default" xml:space="preserve"> a</t>', " a"),
        ("<r><rPr><rFont val='a'/><vertAlign val='b'/></rPr><t>a</t></r>", "a"),
    ],
)
def test_a_text_is_what_all_readers_show(inside: str, expected: str) -> None:
    assert text_of(inside) == expected


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<t>a</t><t>b</t>", Code.BODY_AMBIGUOUS),
        ("<t>a</t><r><t>b</t></r>", Code.BODY_AMBIGUOUS),
        ("<r><t>b</t></r><t>a</t>", Code.BODY_AMBIGUOUS),
        ("<r><t>a</t><t>b</t></r>", Code.BODY_AMBIGUOUS),
        ("a<t>b</t>", Code.BODY_AMBIGUOUS),
        ("<r>a<t>b</t></r>", Code.BODY_AMBIGUOUS),
        ("<t> a</t>", Code.BODY_AMBIGUOUS),
        ("<t xml:space='default'>a </t>", Code.BODY_AMBIGUOUS),
        ("<r><t>a </t></r><r><t>b</t></r>", Code.BODY_AMBIGUOUS),
        ("<t>a_x000D_b</t>", Code.BODY_AMBIGUOUS),
        ('<t xml:space="default" q="preserve"> a</t>', Code.BODY_AMBIGUOUS),
        ('<t q="http://www.w3.org/XML/1998/namespace" xml:space="default"> a</t>',
         Code.BODY_AMBIGUOUS),
        ("<r><rPr>a</rPr></r>", Code.BODY_AMBIGUOUS),
        ("<r><rPr><t>a</t></rPr></r>", Code.BODY_TOO_COMPLEX),
        ("<r><t>a</t><rPr><t>b</t></rPr></r>", Code.BODY_TOO_COMPLEX),
        ("<r><rPr><b><t/></b></rPr><t>b</t></r>", Code.BODY_TOO_COMPLEX),
        ("<r><rPr><si/></rPr><t>b</t></r>", Code.BODY_TOO_COMPLEX),
        ("<r><t>_x00</t></r><r><t>41_</t></r>", Code.BODY_AMBIGUOUS),
        ("<t>x005F_</t>", Code.BODY_AMBIGUOUS),
        ("<t>a</t><rPh sb='0' eb='1'><t>b</t></rPh>", Code.BODY_TOO_COMPLEX),
        ("<t>a<b/></t>", Code.BODY_TOO_COMPLEX),
        ("<y:t xmlns:y='urn:y'>a</y:t>", Code.BODY_TOO_COMPLEX),
    ],
)  # fmt: skip
def test_a_text_that_readers_show_differently_is_refused(inside: str, expected: Code) -> None:
    with pytest.raises(BadUpstream) as caught:
        text_of(inside)
    assert caught.value.code is expected


def test_a_text_beside_the_cells_is_refused_and_space_is_not() -> None:
    check_blank(" \r\n\t")
    with pytest.raises(BadUpstream):
        check_blank("\xa0")
    assert check_text(" a", kept=True) == " a"
    assert check_text("\xa0a", kept=False) == "\xa0a"
    assert not keeps_space(["r", "preserve"])
