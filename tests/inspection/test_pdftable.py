"""The PDFs that some readers would mend, and find other objects in."""

import io

import pikepdf
import pypdf
import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import pdfinformation, pdftable
from tests.support.documents import by_qpdf, packed_pdf, pdf

STRANGER = b"<</Subject (canary)>>"
HOLDER = b"<</Type/ObjStm/N 1/First 4/Length 25>>stream\n1 0 " + STRANGER + b"\nendstream"


def numbers(data: bytes) -> set[int]:
    begin = pdftable.check_ends(data)
    reader = pypdf.PdfReader(io.BytesIO(data), strict=True)
    return set(pdftable.check(data, begin, reader))


def code(data: bytes) -> Code:
    with pytest.raises(BadUpstream) as caught:
        pdfinformation.read(data, ("Subject",))
    assert "canary" not in caught.value.note
    return caught.value.code


def moved(number: int, by: int) -> bytes:
    """With another place for one of the objects, in a table of lines; object 4 has a stranger."""
    data = pdf(objects=[HOLDER.replace(b"/Type/ObjStm", b"/Type/Object")])
    line = data.index(b"f \n") + 3 + 20 * (number - 1)
    place = int(data[line : line + 10]) + by
    return data[:line] + b"%010d" % place + data[line + 10 :]


def test_the_objects_of_a_whole_document_are_found() -> None:
    assert numbers(pdf(objects=[b"(x)"])) == {1, 2, 3, 4}
    assert numbers(packed_pdf({})) == {1, 2, 3, 4, 5}
    assert numbers(packed_pdf({6: b"(x)", 1: b"<<>>"})) == {1, 2, 3, 4, 5, 6}
    with pikepdf.open(io.BytesIO(by_qpdf({"Subject": "A1"}, packed=True))) as document:
        written = {each.objgen[0] for each in document.objects if each.objgen[0]}
    assert written <= numbers(by_qpdf({"Subject": "A1"}, packed=True))


def test_an_owner_is_found_wherever_its_object_is() -> None:
    for packed in ({}, {1: b"<</Subject (A1)>>"}, {3: b"<</Type/Catalog/Pages 2 0 R>>"}):
        assert pdfinformation.read(packed_pdf(packed), ["Subject"]) == {"Subject": ["A1"]}


@pytest.mark.parametrize("by", [-1, 1, 2, 7])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_an_object_that_is_not_where_the_table_says_is_ambiguous(number: int, by: int) -> None:
    assert numbers(moved(number, 0)) == {1, 2, 3, 4}
    assert code(moved(number, by)) is Code.BODY_AMBIGUOUS


def test_a_number_in_use_for_which_there_is_no_object_is_none() -> None:
    """Quartz writes such tables."""
    data = pdf(objects=[b"(x)"])
    line = data.index(b"f \n") + 3 + 20 * 3
    reserved = data[:line] + b"0" * 10 + data[line + 10 :]
    assert code(reserved) is Code.BODY_AMBIGUOUS
    assert numbers(reserved.replace(b"4 0 obj", b"(4 0 o)")) == {1, 2, 3}


def test_an_empty_line_behind_the_table_is_none_of_its_lines() -> None:
    """MuPDF writes it."""
    assert numbers(pdf().replace(b"trailer", b"\ntrailer")) == {1, 2, 3}
    assert code(pdf().replace(b"trailer", b"\n\0trailer")) is Code.BODY_AMBIGUOUS


def test_an_object_of_another_generation_is_ambiguous() -> None:
    for before, after in ((b"00000 n", b"00001 n"), (b"1 0 obj", b"1 1 obj")):
        assert code(pdf().replace(before, after, 1)) is Code.BODY_AMBIGUOUS
    assert code(packed_pdf({}, lines={1: (1, 9, 1)})) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "spelt",
    [
        b"1 0 obj",
        b"1 0obj",
        b"1\0\0000\robj",
        b"+1 +0 obj",
        b"1 -0 obj",
        b"1 0.0 obj",
        b"1 %x\n0 obj",
        b"1 0 %x\nobj",
        b"1 0%%%\r\n  obj",
        b"1%x\n%y\n0%z\nobj",
        b"11 0 obj",
        b"1 1 obj",
    ],
)
def test_an_object_that_the_table_does_not_know_is_ambiguous(spelt: bytes) -> None:
    other = spelt + STRANGER + b"endobj"
    for data in (
        pdf(objects=[b"null\nendobj\n" + other]),
        pdf(objects=[b"(" + other + b")"]),
        packed_pdf({}, objects=[b"(%)" + other]),
        packed_pdf({}, behind=other + b"\n"),
    ):
        assert code(data) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "text", [b"1 0 object", b"endobj", b"% an obj\n", b"% 1\n0 R", b"1 0\nendobj"]
)
def test_what_only_resembles_an_object_is_none(text: bytes) -> None:
    assert numbers(pdf(objects=[b"(x)%" + text + b"\nnull"])) == {1, 2, 3, 4}


@pytest.mark.parametrize(
    "kind",
    [b"/Type/ObjStm", b"/Type/Obj#53tm", b"/Type /#4fbjStm", b"/Type/XRef", b"/#54ype/XRe#66"],
)
def test_a_stream_of_objects_that_the_table_does_not_use_is_ambiguous(kind: bytes) -> None:
    hidden = HOLDER.replace(b"/Type/ObjStm", kind)
    assert code(pdf(objects=[hidden])) is Code.BODY_AMBIGUOUS
    assert code(packed_pdf({}, objects=[hidden])) is Code.BODY_AMBIGUOUS
    assert code(packed_pdf({7: kind[kind.rindex(b"/") :]}, objects=[b"null"])) in (
        Code.BODY_AMBIGUOUS,
        Code.BODY_MALFORMED,
    )


def test_a_packed_object_that_the_table_has_elsewhere_is_ambiguous() -> None:
    assert numbers(packed_pdf({6: b"(x)"})) == {1, 2, 3, 4, 5, 6}
    for data in (
        packed_pdf({6: STRANGER}, listed=b"1 0 "),
        packed_pdf({6: b"(x)", 7: STRANGER}, listed=b"6 0 1 4 "),
        packed_pdf({6: b"(x)", 7: STRANGER}, listed=b"6 0 6 4 "),
        packed_pdf({6: b"(x)", 7: STRANGER}, listed=b"7 0 6 4 "),
        packed_pdf({6: b"(x)"}, lines={6: (2, 4, 1)}),
        packed_pdf({6: b"(x)"}, lines={6: (2, 3, 0)}),
        packed_pdf({6: b"(x)"}, lines={6: (0, 0, 0)}),
        packed_pdf({6: b"(x)"}, lines={6: (3, 0, 0)}),
    ):
        assert code(data) in (Code.BODY_AMBIGUOUS, Code.BODY_MALFORMED)


@pytest.mark.parametrize("entries", [b"/Prev 9", b"/Pre#76 9", b"/Index[0 1 1 5]", b"/Size 5"])
def test_a_coded_table_beside_another_or_in_parts_is_refused(entries: bytes) -> None:
    assert code(packed_pdf({}, entries=entries)) in (Code.BODY_AMBIGUOUS, Code.BODY_MALFORMED)
    assert numbers(packed_pdf({}, entries=b"/Index[0 6]")) == {1, 2, 3, 4, 5}


def test_a_coded_table_that_is_not_where_it_says_or_too_short_is_ambiguous() -> None:
    assert code(packed_pdf({}, lines={5: (0, 0, 0)})) is Code.BODY_AMBIGUOUS
    data = packed_pdf({})
    for before, after in ((b"/Size 6", b"/Size 7"), (b"/W[1 4 2]", b"/W[1 4 1]")):
        assert code(data.replace(before, after)) in (Code.BODY_AMBIGUOUS, Code.BODY_MALFORMED)


def test_a_trailer_beside_a_coded_table_is_ambiguous() -> None:
    text = b"(x\ntrailer <</Info 6 0 R>>)"
    assert code(packed_pdf({}, objects=[text])) is Code.BODY_AMBIGUOUS
    assert code(pdf(objects=[text])) is Code.BODY_AMBIGUOUS


def test_what_is_packed_may_unfold_to_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = packed_pdf({6: b"(" + b"x" * 5000 + b")"})
    assert numbers(packed) == {1, 2, 3, 4, 5, 6}
    monkeypatch.setattr(pdftable, "_PACKED", 5000)
    assert code(packed) is Code.BODY_TOO_COMPLEX


def test_more_packed_objects_than_a_document_may_have_are_too_many() -> None:
    crowd = packed_pdf({6: b"(x)"}, listed=b"6 0 " * 100_001)
    assert code(crowd) is Code.BODY_TOO_COMPLEX


def test_object_0_is_never_in_use() -> None:
    data = pdf(objects=[b"(x)"])
    line, place = data.index(b"0000000000 65535 f"), data.index(b"4 0 obj")
    used = data[:line] + b"%010d 00000 n" % place + data[line + 18 :]
    assert code(used.replace(b"4 0 obj", b"0 0 obj")) is Code.BODY_AMBIGUOUS
    assert code(packed_pdf({0: b"(x)"})) in (Code.BODY_AMBIGUOUS, Code.BODY_MALFORMED)


@pytest.mark.parametrize(
    "text", [b"1 %", b"%", b"1 ", b"1", b"%\n", b"\n", b"% 1\n 1", b"1 1 ", b"obj", b"/#4F", b"+ "]
)
def test_a_search_costs_its_bytes(text: bytes) -> None:
    """One that went back for each of these would take hours."""
    data = pdf(objects=[b"(x)\n%" + text * (4_000_000 // len(text)) + b"\n(y)"])
    assert pdfinformation.read(data, ("Subject",)) == {"Subject": ["A1"]}
