"""OFX 1, strictly: what readers mend by what they know or guess is refused."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import ofxscan
from gateway.inspection.ofxscan import Element, Piece, Place
from gateway.inspection.settings import Limits

LIMITS = Limits()
HEADER = (
    "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nSECURITY:NONE\nENCODING:USASCII\nCHARSET:1252\n"
    "COMPRESSION:NONE\nOLDFILEUID:NONE\nNEWFILEUID:NONE\n\n"
)
BODY = "<OFX>\n<A>\n<B><ID>1\n<C><ID>2</ID>\n</C><E></E></B>\n<B></B></A>\n</OFX>\n"


def read(
    text: str, *, chunk: int = 1 << 18, limits: Limits = LIMITS, header: str = HEADER
) -> list[Piece]:
    body = (header + text).encode()
    pieces = (body[at : at + chunk] for at in range(0, len(body), chunk))
    return list(ofxscan.pieces(pieces, limits, lambda _, name: name == "ID"))


def refusal(text: str, limits: Limits = LIMITS, header: str = HEADER) -> Code:
    codes = set[Code]()
    for chunk in (1, 4, 1 << 18):
        with pytest.raises(BadUpstream) as caught:
            read(text, chunk=chunk, limits=limits, header=header)
        codes.add(caught.value.code)
    (code,) = codes
    return code


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_a_document_is_read_piece_by_piece(chunk: int) -> None:
    found = read(BODY, chunk=chunk)
    assert "".join(piece.text.decode() for piece in found) == HEADER + BODY
    assert [piece.place for piece in found] == [
        Place.ABOVE, Place.ABOVE, Place.OPENS, Place.UNIT, Place.UNIT, Place.CLOSES, Place.ABOVE
    ]  # fmt: skip
    unit = found[3]
    assert (unit.name, unit.message_set, unit.names) == ("B", "A", {"ID"})
    assert unit.elements == [Element(("ID",), b"1", 3, 9), Element(("C", "ID"), b"2", 12, 23)]
    assert [unit.text[each.begin : each.end] for each in unit.elements] == [
        b"<ID>1\n",
        b"<ID>2</ID>\n",
    ]


def test_statements_are_counted_where_they_stand() -> None:
    text = "<OFX><A><B><XSTMTRS></XSTMTRS><C><STMTRS></STMTRS></C><STMTRS></STMTRS></B></A></OFX>"
    assert next(each for each in read(text) if each.place is Place.UNIT).statements == 2


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("<C>", "<c>", Code.BODY_AMBIGUOUS),
        ("<C>", "<C a='1'>", Code.BODY_AMBIGUOUS),
        ("<C>", "<C/>", Code.BODY_AMBIGUOUS),
        ("<C>", "<!-- <ID>9 --><C>", Code.BODY_AMBIGUOUS),
        ("<C>", "<![CDATA[<ID>9]]><C>", Code.BODY_AMBIGUOUS),
        ("<C>", "<?x?><C>", Code.BODY_AMBIGUOUS),
        ("<C>", "< C>", Code.BODY_AMBIGUOUS),
        ("2</ID>", "2 < 3</ID>", Code.BODY_AMBIGUOUS),
        ("</C>", "</c>", Code.BODY_AMBIGUOUS),
        ("</C>", "", Code.BODY_MALFORMED),
        ("<C>", "", Code.BODY_MALFORMED),
        ("</ID>", "</X>", Code.BODY_MALFORMED),
        ("</ID>", "</ID></ID>", Code.BODY_MALFORMED),
        ("</ID>", "</ID>text", Code.BODY_AMBIGUOUS),
        ("</C>", "</C>text", Code.BODY_AMBIGUOUS),
        ("<C>", "<B><C>", Code.BODY_AMBIGUOUS),
        ("<C>", "<C><C>1", Code.BODY_AMBIGUOUS),
        ("<E></E>", "<E>", Code.BODY_MALFORMED),
        ("<A>", "<X>1<A>", Code.BODY_MALFORMED),
        ("<A>", "<A>text", Code.BODY_MALFORMED),
        ("<OFX>", "<XFO>", Code.BODY_MALFORMED),
        ("</OFX>", "", Code.BODY_INCOMPLETE),
        ("</OFX>", "</OFX><OFX></OFX>", Code.BODY_MALFORMED),
        ("</OFX>", "</OFX>text", Code.BODY_AMBIGUOUS),
    ],
)
def test_what_readers_mend_is_refused(old: str, new: str, code: Code) -> None:
    assert BODY.count(old) == 1
    assert refusal(BODY.replace(old, new)) is code
    assert read(BODY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("OFXHEADER:100", "OFXHEADER:200"),
        ("OFXHEADER:100\n", ""),
        ("OFXHEADER", "\nOFXHEADER"),
        ("OFXHEADER", "\ufeffOFXHEADER"),
        ("OFXHEADER:100\nDATA", "OFXHEADER:100 DATA"),
        ("OFXHEADER:100\n", "OFXHEADER:100\r\n"),
        ("VERSION:102", "VERSION:200"),
        ("SECURITY:NONE", "SECURITY:TYPE1"),
        ("COMPRESSION:NONE", "COMPRESSION:GZIP"),
        ("CHARSET:1252", "CHARSET:1252\nCHARSET:NONE"),
        ("NEWFILEUID:NONE", "NEWFILEUID:you@example.org"),
        ("\n\n", "\n\n\n\n"),
        ("\n\n", "\n\ntext"),
    ],
)
def test_a_header_is_the_nine_lines(old: str, new: str) -> None:
    assert refusal(BODY, header=HEADER.replace(old, new)) is Code.BODY_MALFORMED
    with pytest.raises(BadUpstream):
        ofxscan.encoding((HEADER.replace(old, new) + BODY).encode())
    assert read(BODY, header=HEADER.replace("\n\n", "\n"))
    assert read(BODY, header=HEADER.replace("\n", "\r\n"))


@pytest.mark.parametrize(
    ("declared", "charset", "label"),
    [
        ("USASCII", "1252", "windows-1252"),
        ("USASCII", "ISO-8859-1", "iso-8859-1"),
        ("USASCII", "NONE", "us-ascii"),
        ("UTF-8", "NONE", "utf-8"),
        ("UTF-8", "CSUNICODE", "utf-8"),
        ("UTF-8", "1252", None),
        ("UNICODE", "NONE", None),
        ("USASCII", "UTF-8", None),
        ("USASCII", "932", None),
    ],
)
def test_an_encoding_and_its_charset_must_fit(
    declared: str, charset: str, label: str | None
) -> None:
    header = HEADER.replace("USASCII", declared).replace("CHARSET:1252", f"CHARSET:{charset}")
    if label:
        assert ofxscan.encoding((header + "<").encode()) == label
    else:
        with pytest.raises(BadUpstream) as caught:
            ofxscan.encoding((header + "<").encode())
        assert caught.value.code is Code.BODY_AMBIGUOUS


def test_a_cut_document_is_incomplete_or_malformed() -> None:
    for length in range(len(BODY) - 8):
        code = refusal(BODY[:length])
        assert code in (Code.BODY_INCOMPLETE, Code.BODY_AMBIGUOUS, Code.BODY_MALFORMED), length


def test_units_text_names_and_nesting_are_bounded() -> None:
    small = Limits(record=100, depth=4, fields=2)
    assert refusal("<OFX><A><B><ID>" + "1" * 200, small) is Code.BODY_TOO_LARGE
    assert refusal("<OFX><A><B>" + "<ID>1" * 40, small) is Code.BODY_TOO_LARGE
    assert refusal("<OFX><A><B><C><D>", small) is Code.BODY_TOO_COMPLEX
    assert refusal("<OFX><A><B><X>1<Y>1<Z>1", small) is Code.BODY_TOO_COMPLEX
    assert read("<OFX><A>" + "<B><X>1<Y>1</B>" * 40 + "</A></OFX>", limits=small)
    with pytest.raises(BadUpstream) as caught:
        read("<OFX><A><B>" + "<ID>1" * ((1 << 18) + 1))
    assert caught.value.code is Code.BODY_TOO_COMPLEX
