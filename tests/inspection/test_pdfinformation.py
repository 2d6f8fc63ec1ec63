"""What a PDF says of itself, and the PDFs that readers would read differently."""

import io
import logging
import random
import re
import subprocess
import sys
import tracemalloc
import zlib

import pikepdf
import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from PIL import Image

from gateway.errors import BadUpstream, Code
from gateway.inspection import pdfinformation
from tests.fuzz.mutator import mutated
from tests.support.documents import by_qpdf, described, pdf, xmp

NAMES = ("Subject", "Owner")


def subject(data: bytes) -> list[str]:
    return pdfinformation.read(data, NAMES).get("Subject", [])


def code(data: bytes) -> Code:
    with pytest.raises(BadUpstream) as caught:
        pdfinformation.read(data, NAMES)
    assert "canary" not in caught.value.note
    return caught.value.code


def test_an_entry_of_the_information_is_found_as_writers_write_it() -> None:
    for packed in (False, True):
        for with_xmp in (False, True):
            data = by_qpdf({"Subject": "A1"}, packed=packed, with_xmp=with_xmp)
            assert set(subject(data)) == {"A1"}, (packed, with_xmp)
    assert pdfinformation.read(by_qpdf({"Owner": "A1"}), NAMES) == {"Owner": ["A1"]}
    assert pdfinformation.read(by_qpdf({}), NAMES) == {}


def test_what_other_libraries_write_is_read() -> None:
    out = [io.BytesIO(), io.BytesIO(), io.BytesIO()]
    Image.new("L", (2, 2)).save(out[0], "PDF", subject="A1")
    FigureCanvasPdf(Figure()).print_pdf(out[1], metadata={"Subject": "A1"})
    writer = pypdf.PdfWriter()
    writer.add_blank_page(9, 9)
    writer.add_metadata({"/Subject": "A1"})
    writer.write(out[2])
    assert [subject(each.getvalue()) for each in out] == [["A1"]] * 3


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b"(A1)", "A1"),
        (rb"(\101\061)", "A1"),
        (b"<4131>", "A1"),
        (b"<FEFF00410031>", "A1"),
        (rb"(\376\377\000A\001\000)", "A\u0100"),
        (b"(A(1))", "A(1)"),
        (rb"(A\)1)", "A)1"),
    ],
)
def test_a_text_is_read_in_its_honest_spellings(written: bytes, value: str) -> None:
    assert subject(pdf(b"/Subject " + written)) == [value]


@pytest.mark.parametrize(
    "written",
    [
        rb"(\q canary)",
        rb"(\501)",
        b"(Zo\xeb)",
        b"<FFFE4100>",
        b"<EFBBBF41>",
        b"<FEFF0041D8>",
        b"/canary",
        b"42",
        b"null",
        b"[(canary)]",
        b"2 0 R",
    ],
)
def test_a_text_that_readers_decode_differently_or_that_is_none_is_ambiguous(
    written: bytes,
) -> None:
    assert code(pdf(b"/Subject " + written)) is Code.BODY_AMBIGUOUS


def test_what_xmp_says_is_a_value_too() -> None:
    assert subject(pdf(packet=described("A1"))) == ["A1", "A1"]
    assert subject(pdf(packet=described("B"))) == ["A1", "B"]
    assert subject(pdf(b"", packet=described("B"))) == ["B"]
    own = pdf(b"", packet=xmp("<pdfx:Owner>B</pdfx:Owner>"))
    assert pdfinformation.read(own, NAMES) == {"Owner": ["B"]}


@pytest.mark.parametrize(
    "properties",
    [
        "<pdf:Subject>B</pdf:Subject>",
        "<pdfx:Subject>B</pdfx:Subject>",
        "<rdf:Description pdf:Subject='B'/>",
        "<dc:description rdf:value='B'/>",
        "<dc:description rdf:resource='B'/>",
        "<dc:description><rdf:Description rdf:value='B'/></dc:description>",
        "<t:ImageDescription xmlns:t='http://ns.adobe.com/tiff/1.0/'>B</t:ImageDescription>",
    ],
)
def test_what_xmp_says_is_a_value_however_it_is_written(properties: str) -> None:
    assert subject(pdf(packet=xmp(properties))) == ["A1", "B"]
    assert subject(pdf(packet=xmp("<pdf:Title>B</pdf:Title><dc:title rdf:value='B'/>"))) == ["A1"]


def test_a_name_that_looks_like_the_one_looked_for_is_ambiguous() -> None:
    assert code(pdf(b"/subject (canary)")) is Code.BODY_AMBIGUOUS
    assert code(pdf(b"/Subject (A1) /SUBJECT (canary)")) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "entries", [b"/Subject (A1) /Subject (canary)", b"/Subject (A1) /Sub#6aect (canary)"]
)
def test_an_entry_that_stands_twice_is_refused(entries: bytes) -> None:
    assert code(pdf(entries)) is Code.BODY_MALFORMED


def updated(data: bytes) -> bytes:
    """With another document information, appended as an update."""
    place = len(data)
    before = re.findall(rb"startxref\n([0-9]+)", data)[-1]
    new = b"1 0 obj\n<</Subject (canary)>>\nendobj\n"
    table = b"xref\n1 1\n%010d 00000 n \n" % place
    trailer = b"trailer\n<</Size 4/Root 3 0 R/Info 1 0 R/Prev %b>>\n" % before
    return data + new + table + trailer + b"startxref\n%d\n%%%%EOF\n" % (place + len(new))


def test_a_document_of_several_revisions_is_ambiguous() -> None:
    assert code(updated(pdf())) is Code.BODY_AMBIGUOUS
    hidden = updated(pdf()).replace(b"startxref", b"startxrex", 1)
    assert code(hidden) in (Code.BODY_AMBIGUOUS, Code.BODY_MALFORMED)
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(by_qpdf({"Subject": "A1"}))) as document:
        document.save(out, linearize=True)
    assert code(out.getvalue()) is Code.BODY_AMBIGUOUS


def test_an_object_that_stands_in_several_places_is_ambiguous() -> None:
    """A reader that searches for objects may find the other one."""
    other = b"1 0 obj\n<</Subject (canary)>>\nendobj"
    assert code(pdf(objects=[b"null\nendobj\n" + other])) is Code.BODY_AMBIGUOUS
    assert code(pdf(objects=[b"(%b)" % other])) is Code.BODY_AMBIGUOUS
    for spelt in (b"1 %x\n0 obj", b"1\x000%\robj", b"01 00 obj"):
        assert code(pdf(objects=[other.replace(b"1 0 obj", spelt)])) is Code.BODY_AMBIGUOUS
    assert code(pdf(objects=[b"(21 0 obj)"])) is Code.BODY_AMBIGUOUS
    assert subject(pdf(objects=[b"11 0 R", b"(21 0 object)", b"(obj 1 0 endobj)"])) == ["A1"]


def test_a_reference_that_leads_nowhere_is_ambiguous() -> None:
    for before, after in ((b"/Info 1 0", b"/Info 9 0"), (b"/Info 1 0", b"/Info 1 1")):
        assert code(pdf().replace(before, after)) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"trailer", b"1 1\n0000000042 00000 n \ntrailer"),
        (b"xref\n0 4", b"xref\n0 3"),
        (b"xref\n0 4", b"xref\n1 3"),
        (b"65535 f \n", b"65535 f\n"),
        (b"00000 n \n", b"00000 x \n"),
        (b"0000000009 00000 n", b"00000000x9 00000 n"),
    ],
)
def test_a_table_that_readers_would_mend_is_refused(before: bytes, after: bytes) -> None:
    assert code(pdf().replace(before, after, 1)) in (Code.BODY_AMBIGUOUS, Code.BODY_MALFORMED)


def test_an_object_with_two_places_in_a_coded_table_is_ambiguous() -> None:
    packed = by_qpdf({"Subject": "A1"}, packed=True)
    assert subject(packed) == ["A1"]
    index = b"/Index[0 1 1 9]"
    twice = packed.replace(b"/Type /XRef", b"/Type/XRef" + index)
    assert twice != packed
    assert code(twice) in (Code.BODY_AMBIGUOUS, Code.BODY_MALFORMED)


@pytest.mark.parametrize("trailer", [b"/Prev 9", b"/XRefStm 9", b"/Prev (x)"])
def test_a_second_table_of_objects_is_refused(trailer: bytes) -> None:
    assert code(pdf(trailer=trailer)) in (Code.BODY_AMBIGUOUS, Code.BODY_MALFORMED)


def test_an_encrypted_document_is_unsupported() -> None:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(by_qpdf({"Subject": "A1"}))) as document:
        document.save(out, encryption=pikepdf.Encryption(owner="x", user=""))
    assert code(out.getvalue()) is Code.MEMBER_UNSUPPORTED
    assert code(pdf(trailer=b"/#45ncrypt 2 0 R")) in (Code.MEMBER_UNSUPPORTED, Code.BODY_MALFORMED)


@pytest.mark.parametrize(
    "data",
    [
        pdf() + b"canary",
        b"canary" + pdf(),
        pdf()[:-8],
        pdf().replace(b"xref\n0 4", b"xxxx\n0 4"),
        re.sub(rb"startxref\n[0-9]+", b"startxref\n999999", pdf()),
        b"%PDF-1.7\n",
        b"%PDF-9.9\n" + pdf()[9:],
    ],
)
def test_what_readers_would_have_to_mend_is_malformed(data: bytes) -> None:
    assert code(data) is Code.BODY_MALFORMED


def test_a_coded_or_outside_xmp_packet_is_ambiguous_and_a_bomb_is_too_much() -> None:
    for entry in (b"/Filter/ASCIIHexDecode", b"/Filter[/FlateDecode]", b"/F (canary)"):
        data = pdf(packet=b"41" * 9)
        assert code(with_entry(data, entry)) in (Code.BODY_AMBIGUOUS, Code.BODY_MALFORMED)
    assert subject(with_entry(pdf(packet=zlib.compress(described("A1"))), b"/Filter/FlateDecode"))
    bomb = with_entry(pdf(packet=zlib.compress(bytes(1 << 26))), b"/Filter/FlateDecode")
    tracemalloc.start()
    assert code(bomb) is Code.BODY_TOO_COMPLEX
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 * 2**20


def with_entry(data: bytes, entry: bytes) -> bytes:
    """The metadata stream with another entry, and the places behind it moved."""
    at = data.index(b"/Metadata/Subtype/XML") + len(b"/Metadata/Subtype/XML")
    begin = int(re.findall(rb"startxref\n([0-9]+)", data)[-1])
    moved = data[:at] + entry + data[at:]
    return moved.replace(b"startxref\n%d" % begin, b"startxref\n%d" % (begin + len(entry)))


def test_nesting_loops_and_crowds_are_refused() -> None:
    assert code(pdf(b"/Subject " + b"[" * 50_000)) in (Code.BODY_TOO_COMPLEX, Code.BODY_MALFORMED)
    many = b"".join(b"/K%d 1 " % number for number in range(20_000))
    assert code(pdf(many)) is Code.BODY_TOO_COMPLEX
    crowd = pdf().replace(b"trailer", b"0000000000 65535 f \n" * 110_000 + b"trailer")
    assert code(crowd) is Code.BODY_TOO_COMPLEX


def test_the_library_says_nothing_of_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadUpstream):
        pdfinformation.read(pdf(rb"/Subject (\q canary)"), NAMES)
    said = capfd.readouterr()
    assert "canary" not in said.out + said.err
    assert not logging.getLogger("pypdf._reader").isEnabledFor(logging.CRITICAL)


def test_the_library_is_imported_only_where_a_file_is_read() -> None:
    code = "import sys, gateway.inspection.metadata; sys.exit('pypdf' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@given(st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc"]), min_size=1))
def test_what_qpdf_writes_is_what_is_read(value: str) -> None:
    data = by_qpdf({"Subject": value})
    try:
        assert subject(data) == [value]
    except BadUpstream as refusal:
        assert refusal.code is Code.BODY_AMBIGUOUS
        assert not value.isascii() or "\\" in value


def test_qpdf_finds_the_same_owner_in_whatever_is_read() -> None:
    """The second reader: of bodies that nobody would write, it mends what it can."""
    seeds = [pdf(packet=described("A1")), by_qpdf({"Subject": "A1"}), pdf(b"/Subject <4131>")]
    read = 0
    for number in range(900):
        dice = random.Random(number)
        data = mutated(seeds, dice)
        try:
            ours = subject(data)
        except BadUpstream:
            continue
        if not ours:
            continue
        try:
            with pikepdf.open(io.BytesIO(data)) as document:
                theirs = str(document.docinfo.get("/Subject", ours[0]))
        except pikepdf.PdfError:
            continue
        assert theirs == ours[0], (number, data)
        read += 1
    assert read > 30
