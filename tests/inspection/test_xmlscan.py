"""The scan of XML: each token with its place, and nothing that two readers see differently."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.inspection.xmlscan import Scan
from tests.support.reading import Cut


class Notes:
    """Writes down what it is told."""

    needed: int | None = 0

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def start(self, name: str, attributes: list[str], begin: int) -> None:
        self.told.append(("start", name, *attributes, begin))

    def end(self, begin: int) -> None:
        self.told.append(("end", begin))

    def text(self, text: str, begin: int) -> None:
        self.told.append(("text", text, begin))

    def cdata(self, begin: int, opens: bool) -> None:
        self.told.append(("cdata", opens, begin))

    def comment(self, begin: int, end: int) -> None:
        self.told.append(("comment", begin, end))

    def doctype(self, begin: int, end: int) -> None:
        self.told.append(("doctype", begin, end))


def scanned(body: bytes, doctype: bool = False, chunk: int = 1 << 18) -> tuple[Scan, Notes]:
    scan, notes = Scan(Cut(body, chunk), Limits(), doctype), Notes()
    for _ in scan.run(notes):
        pass
    return scan, notes


BODY = b'\xef\xbb\xbf<a b = "1" xmlns:p="u" p:c=\'>\'>t<!--c--><e/><![CDATA[d]]></a >'


def test_each_token_is_told_with_its_place() -> None:
    scan, notes = scanned(BODY)
    assert notes.told == [
        ("start", "a", "b", "1", "u\x1fc", ">", 3),
        ("text", "t", 34),
        ("comment", 35, 43),
        ("start", "e", 43),
        ("end", 47),
        ("cdata", True, 47),
        ("text", "d", 56),
        ("cdata", False, 57),
        ("end", 60),
    ]
    assert scan.size == len(BODY)
    assert scan.tag(3) == (34, False) and scan.tag(43) == (47, True)
    assert scan.element_end(3, 60) == len(BODY) and scan.element_end(43, 47) == 47
    assert [scan.raw(*span) for span, _ in scan.attributes(3)] == [b' b = "1"', b" p:c='>'"]
    assert [scan.raw(*value) for _, value in scan.attributes(3)] == [b"1", b">"]


def test_what_is_forgotten_is_no_longer_held() -> None:
    scan, _ = scanned(BODY)
    scan.forget(43)
    assert scan.raw(43, 47) == b"<e/>" and scan.size == len(BODY)


def test_a_document_type_is_told_of_where_there_are_comments_in_it() -> None:
    plain = b"<!-- <!DOCTYPE --><!DOCTYPE a [<!ELEMENT a ANY>]><a/>"
    assert ("doctype", 18, 49) not in scanned(plain, True)[1].told
    body = b"<!-- <!DOCTYPE --><!DOCTYPE a [<!--x--> ]><a/>"
    assert scanned(body, True)[1].told[1] == ("doctype", 18, 42)
    with pytest.raises(BadUpstream):
        scanned(body)


def test_a_long_document_type_is_too_large() -> None:
    long = b"<!DOCTYPE a [" + b"<!ELEMENT a ANY>" * 20_000 + b"]><a/>"
    with pytest.raises(BadUpstream) as refused:
        scanned(long, True)
    assert refused.value.code is Code.BODY_TOO_LARGE


def test_a_document_type_cut_into_blocks_is_found_whole() -> None:
    body = b" " * 65_500 + b"<!DOCTYPE a [<!ELEMENT a ANY><!-- c -->]>" + b"<a/>"
    begin = 65_500
    assert scanned(body, True)[1].told[0] == ("doctype", begin, len(body) - 4)


@pytest.mark.parametrize("token", [b"<!--%b-->", b"<e a='%b'/>", b"<![CDATA[%b]]>", b"%b"])
def test_a_token_of_many_blocks_is_read_once(token: bytes) -> None:
    body = b"<a>" + token % (b"x" * 1_000_000) + b"</a>"
    _, notes = scanned(body, chunk=1000)
    assert notes.told[-1] == ("end", len(body) - 4)


def test_a_refusal_says_where_and_quotes_nothing() -> None:
    for body in (b"<a><canary></a>", b"<a>&canary;</a>", b"<a><?canary x?></a>"):
        with pytest.raises(BadUpstream) as refused:
            scanned(body)
        assert "at byte" in refused.value.note and "canary" not in refused.value.note
