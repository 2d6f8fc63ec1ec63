"""The texts of properties in an XMP packet."""

import tracemalloc

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import xmp
from tests.support.documents import xmp as packet

WANTED = {f"{xmp.DC}creator": "Author", f"{xmp.PDF}Keywords": "Keywords"}


def code(data: bytes) -> Code:
    with pytest.raises(BadUpstream) as caught:
        xmp.values(data, WANTED)
    assert "canary" not in caught.value.note
    return caught.value.code


@pytest.mark.parametrize(
    ("inside", "found"),
    [
        ("<dc:creator>A1</dc:creator>", ["A1"]),
        ("<dc:creator><rdf:Seq><rdf:li>A1</rdf:li></rdf:Seq></dc:creator>", ["A1"]),
        ("<dc:creator>\n <rdf:Seq>\n<rdf:li>A1</rdf:li>\n</rdf:Seq></dc:creator>", ["A1"]),
        (
            "<dc:creator><rdf:Seq><rdf:li>A</rdf:li><rdf:li>B</rdf:li></rdf:Seq></dc:creator>",
            ["A", "B"],
        ),
        ("<rdf:Description dc:creator='A'/><dc:creator>B</dc:creator>", ["A", "B"]),
        ("<dc:creator><![CDATA[A1]]></dc:creator>", ["A1"]),
        ("<dc:creator>A<!-- -->1</dc:creator>", ["A1"]),
        ("<dc:creator>A<rdf:li>1</rdf:li>B</dc:creator>", ["A", "1", "B"]),
        ("<dc:creator rdf:value='A1'/>", ["A1"]),
        ("<dc:creator rdf:resource='A1'/>", ["A1"]),
        ("<dc:creator><rdf:Description rdf:value='A1'/></dc:creator>", ["A1"]),
        ("<dc:creator rdf:value='A'><rdf:li dc:other='B'>C</rdf:li></dc:creator>", ["A", "B", "C"]),
        (
            "<dc:creator rdf:parseType='Resource'><rdf:value>A1</rdf:value></dc:creator>",
            ["A1"],
        ),
        ("<dc:creator xml:lang='en'><rdf:li xml:lang='x-default'>A1</rdf:li></dc:creator>", ["A1"]),
        ("<dc:title rdf:value='x'/>", []),
        ("<dc:creator/><dc:title>x</dc:title>", []),
        ("<x xmlns='http://purl.org/dc/elements/1.1'><creator>A</creator></x>", []),
    ],
)
def test_all_texts_of_a_property_are_found(inside: str, found: list[str]) -> None:
    assert xmp.values(packet(inside), WANTED).get("Author", []) == found


def test_each_property_is_found_by_its_namespace() -> None:
    data = packet("<dc:creator>A</dc:creator><pdf:Keywords>k</pdf:Keywords>")
    assert xmp.values(data, WANTED) == {"Author": ["A"], "Keywords": ["k"]}


def test_a_document_type_and_other_encodings_are_ambiguous() -> None:
    laughs = b'<!DOCTYPE x [<!ENTITY a "canary"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    assert code(laughs) is Code.BODY_AMBIGUOUS
    assert code(b'<?xml version="1.0" encoding="UTF-16"?><x/>') is Code.BODY_AMBIGUOUS
    assert xmp.values(b"<?xml version='1.0' encoding='utf-8'?><x/>", WANTED) == {}


def test_a_value_that_is_named_by_its_node_is_ambiguous() -> None:
    nodes = (
        "<dc:creator rdf:nodeID='a'/></rdf:Description>"
        "<rdf:Description rdf:nodeID='a'><rdf:value>canary</rdf:value>"
    )
    assert code(packet(nodes)) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "data", [b"canary", b"<x>", b"<x>\xff</x>", b"<x/><y/>", "<x/>".encode("utf-16")]
)
def test_what_is_no_packet_is_malformed(data: bytes) -> None:
    assert code(data) is Code.BODY_MALFORMED


def test_a_packet_too_large_or_too_deep_is_refused_in_bounded_memory() -> None:
    assert code(b"<x>" + bytes(1 << 20)) is Code.BODY_TOO_LARGE
    tracemalloc.start()
    assert code(b"<x>" * 100_000) is Code.BODY_TOO_COMPLEX
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20
