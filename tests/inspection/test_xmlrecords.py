"""The units of a document: their bounds tile it, whatever is asked of the text between."""

from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.xmlplan import Plan
from gateway.inspection.xmlrecords import Walk
from gateway.model import Format
from tests.support.reading import Cut

SPEC = BodySpec(Format.XML, records="/a/b/c", subject=({"account": ("../@id",)},))
BODY = b'<a v="1">text<!--x--><b id="1" n="2"><c/> <c>1</c></b><b n="3"/>more<d/> </a>\n'


def walk(body: bytes, chunk: int = 1 << 18) -> Walk:
    return Walk(Cut(body, chunk), Plan(SPEC), Limits(), False)


def texts(body: bytes, chunk: int = 1 << 18) -> list[tuple[bytes, int, bool]]:
    """Each unit's text, how many owners it has, and whether it counts."""
    found, reading = [], walk(body, chunk)
    for units in reading.units():
        for unit in units:
            reading.take(unit.begin)
            found.append((reading.take(unit.end), len(unit.owners), unit.counts))
        reading.rest()
    return found


def test_the_units_of_a_document() -> None:
    assert texts(BODY) == [
        (b"text", 0, True),
        (b"<!--x-->", 0, True),
        (b'<b id="1" n="2">', 1, True),
        (b"<c/>", 1, True),
        (b"<c>1</c>", 1, True),
        (b'<b n="3"/>', 0, True),
        (b"more", 0, False),
        (b"<d/>", 0, True),
    ]
    assert texts(BODY, 1) == texts(BODY)


def test_what_is_taken_is_the_document() -> None:
    for chunk in (1, 7, 1 << 18):
        reading = walk(BODY, chunk)
        taken = b""
        for units in reading.units():
            for unit in units:
                taken += reading.take(unit.begin) + reading.take(unit.end)
            taken += reading.rest()
        assert taken + reading.last() == BODY


def test_fields_are_gathered_from_records_only() -> None:
    reading = walk(b'<a x="1"><b y="1"><c z="1"><d><e/></d></c></b><f/></a>')
    list(reading.units())
    assert reading.fields() == {"@z", "d"}
    assert reading.fields() == set()


def test_an_element_above_the_records_without_an_end_tag_holds_nothing() -> None:
    assert texts(b"<a/>") == [] and texts(b"<a><b/></a>") == []
