"""XLSX bodies: whose each row is, and a new workbook of exactly the permitted rows."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont

from gateway.errors import BadUpstream, Code
from gateway.inspection import work
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import MemorySink
from gateway.model import Attribution, Decision, Effect, Format, Inspection, Mask, SubjectRef
from gateway.response import Payload
from gateway.spool import InMemory
from tests.support.reading import masks
from tests.support.scratches import scratch
from tests.support.tars import tarred, untarred
from tests.support.workbooks import (
    TYPE,
    by_calamine,
    by_openpyxl,
    everything,
    parts,
    saved,
    sheet,
    strings,
    styles,
    texts,
    workbook,
    zipped,
)
from tests.support.zips import STORED, M, archive, unzipped

BY_ID = BodySpec(Format.XLSX, subject=({"account": ("id",)},))
KEY = b"k" * 32


def task(spec: BodySpec = BY_ID, limits: Limits | None = None) -> work.Task:
    return work.Task(Payload(TYPE), spec, limits or Limits())


def inspect(body: bytes, spec: BodySpec = BY_ID, limits: Limits | None = None) -> Inspection:
    return work.inspect(InMemory(body), task(spec, limits))


def owners(body: bytes, spec: BodySpec = BY_ID) -> dict[tuple[object, ...], int]:
    groups = inspect(body, spec).groups
    return {tuple(one.value for one in group.owners): group.records for group in groups}


def refusal(body: bytes, spec: BodySpec = BY_ID, limits: Limits | None = None) -> Code:
    with pytest.raises(BadUpstream) as caught:
        inspect(body, spec, limits)
    return caught.value.code


def decision(*values: str | int, mask: tuple[Mask, ...] = (), rest: bool = False) -> Decision:
    permitted = frozenset(SubjectRef("account", value) for value in values)
    return Decision(Effect.REDACT, permitted, rest, frozenset(), mask, (), "r1")


def rewrite(body: bytes, decided: Decision, spec: BodySpec = BY_ID) -> bytes:
    """What leaves, which was read again."""
    sink, todo = MemorySink(), task(spec)
    found = inspect(body, spec)
    counts = work.rewrite(InMemory(body), todo, found, decided, sink, key=KEY)
    work.confirm(InMemory(sink.getvalue()), todo, found, decided, counts)
    return sink.getvalue()


def read(body: bytes) -> dict[str, list[tuple[Any, ...]]]:
    """What two libraries read alike."""
    found = by_openpyxl(body)
    assert by_calamine(body) == found
    return found


ROWS = {"S": [("id", "n"), ("me", 1), ("foreign", 2), (None, 3), ("me", 4)]}


# Whose a row is


def test_each_row_belongs_to_the_subject_in_its_column() -> None:
    found = inspect(saved(ROWS))
    assert {(group.owners, group.attribution, group.records) for group in found.groups} == {
        ((SubjectRef("account", "me"),), Attribution.DIRECT, 2),
        ((SubjectRef("account", "foreign"),), Attribution.DIRECT, 1),
        ((), Attribution.NONE, 1),
    }
    assert (found.fields, found.records) == (("id", "n"), 4)
    assert found.bytes_inspected == found.bytes_received


def test_identifiers_are_exact_and_typed() -> None:
    names = ["me", "ME", "me ", "42", "042", "42.0", 42, -1, 0, 10**14]
    assert owners(saved({"S": [("id",), *((name,) for name in names)]})) == {
        (name,): 1 for name in names
    }
    for text in ("a\nb", "x" * 1025):
        assert refusal(saved({"S": [("id",), (text,)]})) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize("value", [1.5, True, datetime(2026, 1, 2), 10**15, 2**53 + 1])
def test_what_readers_make_different_identifiers_of_is_ambiguous(value: object) -> None:
    body = saved({"S": [("id",), (value,)]})
    assert refusal(body) is Code.BODY_AMBIGUOUS
    assert owners(body, BodySpec(Format.XLSX)) == {(): 1}


@pytest.mark.parametrize(
    ("code", "shown"), [("General", True), ("0", True), ("yyyy", False), ('"C"0', False)]
)
def test_an_integer_is_an_identifier_where_it_is_shown_as_its_digits(
    code: str, shown: bool
) -> None:
    row = '<row r="2"><c r="A2" s="1"><v>7</v></c></row>'
    declared = f"<numFmt numFmtId='164' formatCode='{code}'/>"
    body = workbook(texts(["id"]) + row, styled=styles(declared, 0, 164))
    if shown:
        assert owners(body) == {(7,): 1}
    else:
        assert refusal(body) is Code.BODY_AMBIGUOUS


def test_a_column_that_is_not_there_or_looks_like_another_is_ambiguous() -> None:
    assert refusal(saved({"S": [("no",), ("me",)]})) is Code.BODY_AMBIGUOUS
    assert refusal(saved({"S": [("id", "ID"), ("me", "foreign")]})) is Code.BODY_AMBIGUOUS
    assert refusal(saved({"S": ROWS["S"], "T": [("no",), ("me",)]})) is Code.BODY_AMBIGUOUS


def test_several_columns_must_agree_and_several_owners_own_together() -> None:
    both = replace(BY_ID, subject=({"account": ("id", "$.other")},))
    assert owners(saved({"S": [("id", "other"), ("me", "me")]}), both) == {("me",): 1}
    other = saved({"S": [("id", "other"), ("me", "foreign")]})
    assert refusal(other, both) is Code.BODY_AMBIGUOUS
    shared = replace(BY_ID, subject=({"account": ("id",)}, {"account": ("to",)}))
    assert owners(saved({"S": [("id", "to"), ("me", "you")]}), shared) == {("me", "you"): 1}


def test_rows_of_all_sheets_are_records_and_of_hidden_ones_too() -> None:
    hidden = '<row r="2" hidden="1"><c r="A2" t="inlineStr"><is><t>foreign</t></is></c></row>'
    found = parts(sheet(texts(["id"], ["me"])), sheet(texts(["id"]) + hidden))
    named = found["xl/workbook.xml"]
    found["xl/workbook.xml"] = named.replace(b'name="S2"', b'name="S2" state="veryHidden"')
    assert owners(zipped(found)) == {("me",): 1, ("foreign",): 1}


def test_rows_and_sheets_without_anything_are_no_records() -> None:
    empty = '<row r="2"/><row r="3"><c r="A3" s="0"/></row><row r="4"><c r="A4"><v/></c></row>'
    last = '<row r="9"><c r="A9" t="inlineStr"><is><t>me</t></is></c></row>'
    body = workbook(texts(["id"]) + empty + last, "", texts(["id"]))
    assert owners(body) == {("me",): 1}
    assert read(rewrite(body, decision("me"))) == {"S1": [("id",), ("me",)]}


def test_another_body_than_a_workbook_is_refused() -> None:
    assert refusal(b"id\nme\n") is Code.FORMAT_MISMATCH
    assert refusal(b"") is Code.FORMAT_MISMATCH
    assert refusal(archive(M("a.csv", b"id\nme\n"))) is Code.BODY_MALFORMED
    assert refusal(saved(ROWS) + b"x") is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize("text", [b">me<", b">shared<", b"numFmtId"])
def test_a_part_whose_checksum_is_wrong_is_malformed(text: bytes) -> None:
    found = parts(
        sheet(texts(["id"], ["me"])), shared=strings("<t>shared</t>"), styled=styles("", 0)
    )
    body = zipped(found, STORED)
    assert owners(body) == {("me",): 1} and body.count(text) == 1
    assert refusal(body.replace(text, text[:1] + b"x" + text[2:])) is Code.BODY_MALFORMED


def test_a_workbook_as_excel_writes_it_is_read() -> None:
    compatible = (
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
        ' mc:Ignorable="x14ac" xmlns:x14ac="http://schemas.microsoft.com/office/spreadsheetml/2009/9/ac"'
    )
    path = (
        '<fileVersion appName="xl"/><workbookPr defaultThemeVersion="166925"/><mc:AlternateContent'
        ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice'
        ' Requires="x15"><x:absPath xmlns:x="http://schemas.microsoft.com/office/2010/11/ac"'
        ' url="C:\\stranger\\"/></mc:Choice></mc:AlternateContent>'
    )
    rows = (
        '<row r="1" spans="1:2" x14ac:dyDescent="0.25"><c r="A1" t="s"><v>0</v></c></row>'
        '<row r="2" spans="1:2" x14ac:dyDescent="0.25"><c r="A2" s="1" t="s"><v>1</v></c>'
        '<c r="B2" s="1"/></row>'
    )
    around = '<pageMargins left="0.7"/><pageSetup scale="9"/><extLst><ext uri="a"/></extLst>'
    found = parts(
        sheet(rows, around).replace(b"<worksheet ", f"<worksheet {compatible} ".encode()),
        shared=strings("<t>id</t>", "<r><t>m</t></r><r><rPr><b/></rPr><t>e</t></r>"),
        styled=styles("<numFmt numFmtId='44' formatCode='_-* #,##0.00 _-'/>", 0, 44),
        settings=path,
    )
    head = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n'
    grows = b"\x20\xa2\x08\x00\x28\xa0\x04\x00\0\0\0\0"
    body = archive(*(M(name, head + data, local_extra=grows) for name, data in found.items()))
    assert owners(body) == {("me",): 1}
    kept = rewrite(body, decision("me"))
    assert read(kept) == {"S1": [("id",), ("me",)]} and b"stranger" not in everything(kept)


def test_text_in_several_fonts_is_one_text() -> None:
    font = InlineFont(
        rFont="Calibri", charset=1, family=2, b=True, i=True, strike=True, outline=True,
        shadow=True, condense=True, extend=True, color="00FF0000", sz=9, u="single",
        vertAlign="superscript", scheme="minor",
    )  # fmt: skip
    body = saved({"S": [("id",), (CellRichText("m", TextBlock(font, "e")),)]})
    assert b"rPr" in everything(body)
    assert read(rewrite(body, decision("me"))) == {"S": [("id",), ("me",)]}


def test_a_string_that_unfolds_in_many_cells_is_a_bomb() -> None:
    shared = strings(f"<t>{'x' * 30_000}</t>")
    rows = "".join(
        f'<row r="{number}"><c r="A{number}" t="s"><v>0</v></c></row>' for number in range(2, 999)
    )
    body = workbook(texts(["id"]) + rows, shared=shared)
    assert refusal(body, BodySpec(Format.XLSX)) is Code.BODY_TOO_LARGE
    assert inspect(body, BodySpec(Format.XLSX), Limits(ratio=10_000)).records == 997


# What leaves


def test_exactly_the_permitted_rows_leave() -> None:
    body = saved(ROWS)
    kept = rewrite(body, decision("me"))
    assert read(kept) == {"S": [("id", "n"), ("me", 1), ("me", 4)]}
    assert b"foreign" not in everything(kept)
    assert read(rewrite(body, decision("me", "foreign", rest=True))) == read(body)


def test_a_workbook_is_never_released_as_it_came() -> None:
    """Enforcement writes what isn't sealed anew, also where everything may leave."""
    assert not inspect(saved(ROWS)).sealed


def test_of_a_sheet_whose_rows_all_go_not_even_the_name_stays() -> None:
    sheets = {"Mine": [("id",), ("me",)], "Stranger": [("id", "odd"), ("foreign", 1)]}
    kept = rewrite(saved(sheets), decision("me"))
    assert read(kept) == {"Mine": [("id",), ("me",)]}
    assert b"Stranger" not in everything(kept) and b"odd" not in everything(kept)
    assert read(rewrite(saved(sheets), decision("nobody"))) == {"Sheet1": []}


def test_of_a_sheet_without_rows_not_even_the_name_stays() -> None:
    """It may be anything, and is nobody's."""
    empty = {"Stranger 1": [], "Stranger 2": [("id", "of a Stranger")]}
    kept = rewrite(saved({**empty, "Mine": [("id",), ("me",)]}), decision("me"))
    assert read(kept) == {"Mine": [("id",), ("me",)]} and b"Stranger" not in everything(kept)
    kept = rewrite(saved(empty), decision("me", rest=True))
    assert read(kept) == {"Sheet1": []} and b"Stranger" not in everything(kept)


ARCHIVES = {
    Format.ZIP: (
        "application/zip",
        lambda members: archive(*map(M, members, members.values())),
        unzipped,
    ),
    Format.TAR: ("application/x-tar", tarred, untarred),
}


@pytest.mark.parametrize("form", ARCHIVES)
def test_a_workbook_in_an_archive_is_written_anew_too(form: Format) -> None:
    kind, pack, unpack = ARCHIVES[form]
    foreign = saved({"S": [("id",), ("foreign",)]})
    body = pack(
        {"a.xlsx": saved(ROWS), "b.xlsx": hidden()["in a shared string"], "c.xlsx": foreign}
    )
    inside = MemberSpec("*.xlsx", Format.XLSX, subject=BY_ID.subject)
    todo = work.Task(Payload(kind), BodySpec(form, members=(inside,)), Limits())
    sink, decided = MemorySink(), decision("me")
    with scratch(1 << 20) as file:
        found = work.inspect(InMemory(body), todo, file)
        counts = work.rewrite(InMemory(body), todo, found, decided, sink, file)
        work.confirm(InMemory(sink.getvalue()), todo, found, decided, counts, file)
    assert (found.sealed, found.records, counts.released) == (False, 6, 3)
    left = unpack(sink.getvalue())
    assert {name: read(data) for name, data in left.items()} == {
        "a.xlsx": {"S": [("id", "n"), ("me", 1), ("me", 4)]},
        "b.xlsx": {"S1": [("id",), ("me",)]},
    }
    assert not any(b"stranger" in everything(data) for data in left.values())


def test_what_workbooks_in_an_archive_unfold_to_is_counted_together() -> None:
    body = archive(*(M(f"{n}.xlsx", saved({"S": [("id",), ("x" * 9_000,)]})) for n in range(99)))
    inside = MemberSpec("*.xlsx", Format.XLSX)
    spec = BodySpec(Format.ZIP, members=(inside,))
    for limits, refused in ((Limits(decoded=1 << 20), True), (Limits(), False)):
        todo = work.Task(Payload("application/zip"), spec, limits)
        with scratch(1 << 20) as file:
            if not refused:
                assert work.inspect(InMemory(body), todo, file).records == 99
                continue
            with pytest.raises(BadUpstream) as caught:
                work.inspect(InMemory(body), todo, file)
            assert caught.value.code is Code.BODY_TOO_LARGE


def hidden() -> dict[str, bytes]:
    """Workbooks of `me` alone, that name a stranger outside of their rows."""
    mine = texts(["id"], ["me"])
    shared = parts(sheet(mine), shared=strings("<t>stranger</t>"))
    font = styles("", 0).replace(
        b"<cellXfs>", b'<fonts><font><name val="stranger"/></font></fonts><cellXfs>'
    )
    unused = styles("<numFmt numFmtId='164' formatCode='\"stranger\"'/>", 0, 164)
    around = (
        "<conditionalFormatting><cfRule><formula>stranger</formula></cfRule></conditionalFormatting>"
        "<dataValidations><dataValidation><formula1>stranger</formula1></dataValidation>"
        "</dataValidations><headerFooter><oddHeader>stranger</oddHeader></headerFooter>"
    )
    named = "<definedNames><definedName name='stranger'>1</definedName></definedNames>"
    return {
        "in a shared string": zipped(shared),
        "as a font": workbook(mine, styled=font),
        "as a number format": workbook(mine, styled=unused),
        "around the rows": zipped(parts(sheet(mine, around))),
        "as a name": workbook(mine, settings=named),
    }


@pytest.mark.parametrize("where", hidden())
def test_what_is_in_no_row_stays_behind(where: str) -> None:
    body = hidden()[where]
    assert owners(body) == {("me",): 1}
    kept = rewrite(body, decision("me"))
    assert b"stranger" in everything(body) and b"stranger" not in everything(kept)
    assert read(kept) == {"S1": [("id",), ("me",)]}


def test_the_author_of_a_workbook_stays_behind() -> None:
    body = saved(ROWS)
    assert b"openpyxl" in everything(body)
    assert b"openpyxl" not in everything(rewrite(body, decision("me")))


@pytest.mark.parametrize("calendar", ["", "<workbookPr date1904='1'/>"])
def test_values_and_what_they_are_shown_as_stay(calendar: str) -> None:
    codes = "<numFmt numFmtId='170' formatCode='yyyy\\-mm\\-dd'/>"
    cells = (
        '<c r="A2" t="inlineStr"><is><t>me</t></is></c><c r="B2" s="1"><v>46000.5</v></c>'
        '<c r="C2" s="2"><v>46000</v></c><c r="D2" t="b"><v>1</v></c><c r="F2"><v>1.50E+2</v></c>'
        '<c r="G2" t="str"><v>a &lt;b&gt; &amp; "c"</v></c><c r="H2" s="3"><v>0.5</v></c>'
    )
    rows = texts(["id", *"bcdefgh"]) + f'<row r="2">{cells}</row>'
    body = workbook(rows, styled=styles(codes, 0, 22, 170, 9), settings=calendar)
    kept = rewrite(body, decision("me"))
    assert read(kept) == read(body)
    assert isinstance(read(kept)["S1"][1][2], datetime)
    part = everything(kept)
    assert b"<v>1.50E+2</v>" in part and b"yyyy\\-mm\\-dd" in part
    assert rewrite(kept, decision("me")) == kept


def test_a_mask_changes_its_column_in_every_row() -> None:
    body = saved({"S": [("id", "tel", "n"), ("me", "0123", 5), ("me", None, None)]})
    header = ("id", "tel", "n")

    def masked(*mask: Mask) -> list[tuple[Any, ...]]:
        return read(rewrite(body, decision("me", mask=mask)))["S"]

    gone = masked(*masks("$.tel", "$.unknown"))
    assert gone == [header, ("me", None, 5), ("me", None, None)]
    assert masked(Mask("$.tel", keep=2))[1] == ("me", "01", 5)
    assert masked(Mask("$.n", text="-"))[1] == ("me", "0123", "-")
    pseudonym = masked(Mask("$.n", pseudonym=True))[1][2]
    assert pseudonym.startswith("m") and len(pseudonym) == 33
    assert b"0123" not in everything(rewrite(body, decision("me", mask=masks("$.tel"))))


@pytest.mark.parametrize(
    ("mask", "code"),
    [
        (Mask("$.a.b"), Code.REDACTION_UNSUPPORTED),
        (Mask("$.N"), Code.BODY_AMBIGUOUS),
        (Mask("$.id"), Code.REDACTION_UNSUPPORTED),
        (Mask("$.n", keep=1), Code.REDACTION_UNSUPPORTED),
        (Mask("$.n", text="_x0041_"), Code.REDACTION_UNSUPPORTED),
    ],
)
def test_a_mask_that_a_column_can_not_have_is_refused(mask: Mask, code: Code) -> None:
    with pytest.raises(BadUpstream) as caught:
        rewrite(saved(ROWS), decision("me", mask=(mask,)))
    assert caught.value.code is code


def test_a_mask_that_leaves_nothing_of_a_row_is_refused() -> None:
    anyone = BodySpec(Format.XLSX)
    with pytest.raises(BadUpstream) as caught:
        rewrite(saved({"S": [("n",), (1,)]}), decision(mask=masks("$.n"), rest=True), anyone)
    assert caught.value.code is Code.REDACTION_UNSUPPORTED


def test_a_date_has_no_pseudonym() -> None:
    body = saved({"S": [("id", "day"), ("me", datetime(2026, 1, 2))]})
    with pytest.raises(BadUpstream) as caught:
        rewrite(body, decision("me", mask=(Mask("$.day", pseudonym=True),)))
    assert caught.value.code is Code.REDACTION_UNSUPPORTED
    assert read(rewrite(body, decision("me", mask=masks("$.day"))))["S"][1] == ("me", None)


_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["me", "foreign", "ME", None]),
            st.none() | _TEXT.filter(lambda text: "x005F_" not in text and text[0] not in "=#"),
            st.integers(-(10**14), 10**14) | st.booleans(),
        ),
        max_size=20,
    )
)
def test_any_table_keeps_exactly_the_rows_of_the_permitted(
    rows: list[tuple[str | None, str | None, int]],
) -> None:
    header = ("id", "text", "n")
    body = saved({"S": [header, *rows], "T": [header]})
    kept = by_openpyxl(rewrite(body, decision("me")))
    mine = [row for row in rows if row[0] == "me"]
    assert kept == ({"S": [header, *mine]} if mine else {"Sheet1": []})
