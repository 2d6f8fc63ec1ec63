"""CSV bodies: whose each row is, and exactly the permitted rows kept."""

import csv as stdlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.formats import csv
from gateway.inspection.locators import LocatorError
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import Body, InMemory
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Counts, Decision, Effect, Format, Mask, SubjectRef
from gateway.response import Payload
from tests.support.reading import masks

LIMITS = Limits()
BY_ID = BodySpec(Format.CSV, subject=({"account": ("id",)},))


@dataclass(frozen=True)
class Chunks:
    """A source that is cut as the test likes."""

    pieces: tuple[bytes, ...]

    def chunks(self) -> Iterator[bytes]:
        return iter(self.pieces)


def whole(body: bytes) -> Chunks:
    return Chunks((body,) if body else ())


def by(*columns: str, **options: str) -> BodySpec:
    return BodySpec(Format.CSV, subject=({"account": columns},), **options)  # type: ignore[arg-type]


def inspect(body: bytes, spec: BodySpec | MemberSpec = BY_ID, limits: Limits = LIMITS) -> Tally:
    tally = Tally(limits)
    csv.inspect(whole(body), spec, limits, tally)
    return tally


def owners(body: bytes, spec: BodySpec = BY_ID) -> dict[tuple[object, ...], int]:
    """How many rows have which owners, by their values."""
    found = Counter[tuple[object, ...]]()
    for group in inspect(body, spec).groups:
        found[tuple(owner.value for owner in group.owners)] += group.records
    return dict(found)


def refusal(body: bytes, spec: BodySpec = BY_ID, limits: Limits = LIMITS) -> Code:
    with pytest.raises(BadUpstream) as caught:
        inspect(body, spec, limits)
    return caught.value.code


def verdict(*values: str, mask: tuple[str | Mask, ...] = (), unattributed: bool = False) -> Verdict:
    permitted = frozenset(SubjectRef("account", value) for value in values)
    decision = Decision(Effect.REDACT, permitted, unattributed, frozenset(), masks(*mask), (), "r1")
    return Verdict(decision, key=bytes(32))


def rewrite(
    body: bytes, decided: Verdict, spec: BodySpec = BY_ID, limits: Limits = LIMITS
) -> tuple[bytes, Counts]:
    sink = MemorySink()
    counts = csv.rewrite(whole(body), spec, limits, decided, sink)
    return sink.getvalue(), counts


# Whose a row is


def test_each_row_belongs_to_the_subject_in_its_column() -> None:
    tally = inspect(b"note,id\nx,me\ny,foreign\nz,me\n")
    assert {(group.owners, group.attribution, group.records) for group in tally.groups} == {
        ((SubjectRef("account", "me"),), Attribution.DIRECT, 2),
        ((SubjectRef("account", "foreign"),), Attribution.DIRECT, 1),
    }
    assert tally.fields == ("id", "note")


@pytest.mark.parametrize("locator", ["customer id", "$['customer id']", '$["customer id"]'])
def test_a_locator_is_a_column_name_or_the_path_to_it(locator: str) -> None:
    assert owners(b"customer id\nme\n", by(locator)) == {("me",): 1}
    assert owners(b"customer_id\nme\n", by("$.customer_id")) == {("me",): 1}


@pytest.mark.parametrize("locator", ["$", "$.a.b", "$.*", "$[*]", "$.a[*]", "$.", "$a"])
def test_a_locator_that_is_not_one_column_is_a_fault_of_configuration(locator: str) -> None:
    with pytest.raises(LocatorError):
        csv.column(locator)
    assert csv.column("$.a") == csv.column("a") == csv.column("$['a']") == "a"


@pytest.mark.parametrize("cell", [" me", "me ", "ME", "me\u200b", "ｍｅ", "m\u0435", "=me", "-me"])
def test_an_identifier_is_the_exact_text_of_its_cell(cell: str) -> None:
    """Catalogue A63, A94: it is another subject."""
    assert owners(f"id\n{cell}\n".encode()) == {(cell,): 1}
    assert owners(b"id\nme\n") == owners(b'id\n"me"\n') == {("me",): 1}


def test_an_identifier_may_hold_the_line_ends_that_its_quotes_keep() -> None:
    assert owners(b'id\n"me\n"\n"me\t"\n"\r\nme"\n') == {("me\n",): 1, ("me\t",): 1, ("\r\nme",): 1}


@pytest.mark.parametrize("cell", ["m\x7fe", '"me\x85"', "m" * 1025])
def test_what_is_no_identifier_anywhere_is_none_here(cell: str) -> None:
    assert refusal(f"id\n{cell}\n".encode()) is Code.BODY_AMBIGUOUS
    assert owners(f"id\n{'m' * 1024}\n".encode()) == {("m" * 1024,): 1}


def test_an_identifier_of_digits_stays_a_text() -> None:
    assert owners(b"id\n42\n042\n4_2\n42.0\n") == {
        ("42",): 1,
        ("042",): 1,
        ("4_2",): 1,
        ("42.0",): 1,
    }


def test_an_empty_cell_is_no_owner() -> None:
    assert owners(b'id,x\n,1\n"",2\nme,3\n') == {(): 2, ("me",): 1}
    assert owners(b"id,x\n ,1\n") == {(" ",): 1}


def test_without_a_subject_every_row_is_unattributed() -> None:
    (group,) = inspect(b"a,b\n1,2\n3,4\n", BodySpec(Format.CSV, category="notes")).groups
    assert (group.owners, group.attribution, group.records) == ((), Attribution.NONE, 2)
    assert group.category == "notes"


def test_several_owner_maps_are_several_owners() -> None:
    spec = BodySpec(Format.CSV, subject=({"account": ("a",)}, {"email": ("b",)}))
    (group,) = inspect(b"b,x,a\nme@y.org,1,me\n", spec).groups
    assert group.owners == (SubjectRef("account", "me"), SubjectRef("email", "me@y.org"))


def test_several_locators_of_one_kind_must_agree() -> None:
    """Catalogue A95."""
    assert refusal(b"a,b\nme,foreign\n", by("a", "b")) is Code.BODY_AMBIGUOUS
    assert owners(b"b,a\nme,me\n", by("a", "b")) == {("me",): 1}


def test_a_member_of_an_archive_is_read_alike() -> None:
    spec = MemberSpec("*.csv", Format.CSV, subject=({"account": ("id",)},), category="log")
    (group,) = inspect(b"id\nme\n", spec).groups
    assert (group.category, group.records) == ("log", 1)


# What is refused


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"name,no", id="no such column"),
        pytest.param(b"me,1", id="no header at all"),
        pytest.param(b"# export,of today", id="a comment line"),
        pytest.param(b"id;no", id="another delimiter"),
        pytest.param(b"id\tno", id="tabs"),
        pytest.param(b"id|no", id="bars"),
        pytest.param(b"sep=;,id", id="a line that names the delimiter"),
        pytest.param(b"id,id", id="twice"),
        pytest.param(b"id, id", id="twice for who trims"),
        pytest.param(b"id,ID", id="twice for who folds case"),
        pytest.param("id,ｉｄ".encode(), id="twice for who normalises"),
        pytest.param(b"ID,no", id="in capitals"),
        pytest.param(b" id,no", id="with a blank"),
        pytest.param("\u0456d,no".encode(), id="a Cyrillic lookalike"),
    ],
)
def test_the_subject_column_must_be_there_exactly_once(header: bytes) -> None:
    """Catalogue A52, A58, A60, A63, A64."""
    width = header.count(b",") + 1
    rows = b"\n".join((header, *[b",".join([b"me"] * width)] * 2, b""))
    assert refusal(rows) is Code.BODY_AMBIGUOUS
    assert owners(b"id,no\nme,me\nme,me\n") == {("me",): 2}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", Code.BODY_MALFORMED, id="empty"),
        pytest.param(b"id,x\nme\n", Code.BODY_MALFORMED, id="ragged"),
        pytest.param(b'id,x\nme,"1\nforeign,2\n', Code.BODY_MALFORMED, id="unclosed quote"),
        pytest.param(b"id,x\nme,\xff\n", Code.BODY_MALFORMED, id="not UTF-8"),
        pytest.param(b"id,x\nme,1\n\nforeign,2\n", Code.BODY_AMBIGUOUS, id="two tables"),
        pytest.param(b"id,x\nme,1\nid,x\nforeign,2\n", Code.BODY_AMBIGUOUS, id="header again"),
        pytest.param(b"id,x\nme,1\rforeign,2\n", Code.BODY_AMBIGUOUS, id="a lone CR"),
        pytest.param(b"id,x\nme,1\x00\n", Code.BODY_AMBIGUOUS, id="NUL"),
        pytest.param(b"id,x\nme,1\x0b\n", Code.BODY_AMBIGUOUS, id="VT"),
        pytest.param(b"id,x\nme,1\x0c\n", Code.BODY_AMBIGUOUS, id="FF"),
        pytest.param(b"id,x\nme,1\xc2\x85\n", Code.BODY_AMBIGUOUS, id="NEL"),
        pytest.param(b"id,x\nme,1\xe2\x80\xa8\n", Code.BODY_AMBIGUOUS, id="U+2028"),
        pytest.param(b"\xef\xbb\xbf" * 2 + b"id,x\nme,1\n", Code.BODY_AMBIGUOUS, id="second BOM"),
    ],
)
def test_what_two_readers_could_read_in_two_ways_is_refused(body: bytes, code: Code) -> None:
    """Catalogue A18, A19, A59 to A64; the grammar itself is tested in test_rows."""
    assert refusal(body) is code
    assert owners(b"\xef\xbb\xbfid,x\nme,1\nme,2\n") == {("me",): 2}


def test_limits_refuse_and_do_not_pass_uninspected() -> None:
    """Catalogue A66."""
    long = b"id,x\nme," + b"y" * 200_000 + b"\n"
    assert refusal(long, limits=replace(LIMITS, record=150_000)) is Code.BODY_TOO_LARGE
    assert owners(long) == {("me",): 1}

    wide = b",".join([b"id", *(b"c%d" % number for number in range(100_000))])
    assert refusal(wide) is Code.BODY_TOO_COMPLEX

    many = b"id\n" + b"\n".join(b"s%d" % number for number in range(30))
    assert refusal(many, limits=replace(LIMITS, subjects=29)) is Code.BODY_TOO_COMPLEX
    assert len(inspect(many, limits=replace(LIMITS, subjects=30)).groups) == 30


# What is kept


def test_permitted_rows_stay_byte_for_byte() -> None:
    body = b'id,x\r\nme,"a, ""b""\r\nc"\r\nforeign,2\r\n"me", 3 \r\nforeign,4'
    kept = b'id,x\r\nme,"a, ""b""\r\nc"\r\n"me", 3 \r\n'
    assert rewrite(body, verdict("me")) == (kept, Counts(seen=4, released=2, redacted=2))
    assert rewrite(body, verdict("me", "foreign")) == (body, Counts(seen=4, released=4))


def test_where_nothing_is_permitted_the_header_stays_alone() -> None:
    assert rewrite(b"id,x\nme,1\n", verdict()) == (b"id,x\n", Counts(seen=1, redacted=1))
    assert rewrite(b"id,x\n", verdict()) == (b"id,x\n", Counts())


def test_unattributed_rows_stay_only_where_the_verdict_releases_them() -> None:
    body = b"id,x\n,1\nme,2\n"
    assert rewrite(body, verdict("me"))[0] == b"id,x\nme,2\n"
    assert rewrite(body, verdict("me", unattributed=True))[0] == body


def test_a_column_that_looks_like_a_masked_one_is_refused() -> None:
    for header in (b"id,phone,Phone", b"id,x, phone"):
        with pytest.raises(BadUpstream) as caught:
            rewrite(header + b"\nme,1,canary\n", verdict("me", mask=("$.phone",)))
        assert caught.value.code is Code.BODY_AMBIGUOUS
    kept, _ = rewrite(b"id,phone,fax\nme,1,2\n", verdict("me", mask=("$.phone",)))
    assert kept == b"id,phone,fax\nme,,2\n"


def test_a_masked_column_is_emptied_in_the_rows_that_stay() -> None:
    body = b'x,id,"y z"\n"1,\n",me,"2"\n3,foreign,4\n5,me,'
    kept, counts = rewrite(body, verdict("me", mask=("$.x", "$['y z']", "$.elsewhere")))
    assert kept == b'x,id,"y z"\n,me,\n,me,'
    assert counts == Counts(seen=3, released=2, redacted=1)


def test_a_masked_cell_keeps_its_quotes_and_what_needs_some_gets_them() -> None:
    body = b'id,x,y\nme,"a ""b"" c",plain\nme,"","p,q"\n'
    mask = (Mask("$.x", keep=3), Mask("$.y", text="a, b"))
    assert rewrite(body, verdict("me", mask=mask))[0] == (b'id,x,y\nme,"a ""","a, b"\nme,,"a, b"\n')
    pseudonyms = rewrite(body, verdict("me", mask=(Mask("$.y", pseudonym=True),)))[0]
    first, second = (row.rsplit(b",", 1)[1] for row in pseudonyms.splitlines()[1:])
    assert first != second and re.fullmatch(rb"m[0-9a-f]{32}", first)
    assert re.fullmatch(rb'"m[0-9a-f]{32}"', second)


def test_of_two_masks_of_a_column_the_stricter_one_counts() -> None:
    body = b"id,x\nme,12345\n"
    for mask in ((Mask("$.x", keep=4), Mask("$.x")), (Mask("$.x"), Mask("$['x']", pseudonym=True))):
        assert rewrite(body, verdict("me", mask=mask))[0] == b"id,x\nme,\n"
    both = (Mask("$.x", keep=4), Mask("$.x", keep=2))
    assert rewrite(body, verdict("me", mask=both))[0] == b"id,x\nme,12\n"


def test_a_text_that_the_encoding_lacks_is_refused() -> None:
    spec = BodySpec(Format.CSV, subject=BY_ID.subject, encoding="iso-8859-1")
    body, mask = "id,x\nme,é\n".encode("latin-1"), verdict("me", mask=(Mask("$.x", text="已删除"),))
    with pytest.raises(BadUpstream) as caught:
        rewrite(body, mask, spec)
    assert caught.value.code is Code.REDACTION_UNSUPPORTED
    fits = verdict("me", mask=(Mask("$.x", text="gelöscht"),))
    assert rewrite(body, fits, spec)[0] == "id,x\nme,gelöscht\n".encode("latin-1")


@pytest.mark.parametrize(
    "mask", ["$", "$.a.b", "$.*", "$[*]", "$.contacts[*].phone", "x", "", "$."]
)
def test_a_mask_that_is_not_one_column_is_refused(mask: str) -> None:
    with pytest.raises(BadUpstream) as caught:
        rewrite(b"id,x\nme,1\n", verdict("me", mask=(mask,)))
    assert caught.value.code is Code.REDACTION_UNSUPPORTED
    assert rewrite(b"id,x\nme,1\n", verdict("me", mask=("$.x",)))[0] == b"id,x\nme,\n"


def test_formulas_are_text() -> None:
    """Catalogue A65: neither read as anything else nor changed."""
    body = b'id,x\nme,=1+1\nme,"=HYPERLINK(""http://x"")"\nme,@a\nme,\t=1\n=me,-2\n'
    assert rewrite(body, verdict("me", "=me")) == (body, Counts(seen=5, released=5))
    assert rewrite(body, verdict("me"))[0] == body.removesuffix(b"=me,-2\n")


@pytest.mark.parametrize(
    ("mark", "codec", "encoding"),
    [
        (b"", "utf-8", None),
        (b"\xef\xbb\xbf", "utf-8", None),
        (b"\xff\xfe", "utf-16-le", None),
        (b"\xfe\xff", "utf-16-be", None),
        (b"\xff\xfe", "utf-16-le", "utf-16"),
        (b"", "utf-16-le", "utf-16-le"),
        (b"", "latin-1", "iso-8859-1"),
        (b"", "windows-1252", "windows-1252"),
    ],
)
def test_encoding_and_byte_order_mark_survive(
    mark: bytes, codec: str, encoding: str | None
) -> None:
    """Catalogue A17, A18."""
    spec = BodySpec(Format.CSV, subject=({"account": ("id",)},), encoding=encoding)
    rows = ("id,x\r", "mé,ü\r", "foreign,3\r", '"mé","\n4"')
    body = mark + "".join(rows).encode(codec)
    kept = mark + "".join((rows[0], rows[1], rows[3])).encode(codec)
    masked = mark + "".join((rows[0], "mé,\r", '"mé",')).encode(codec)
    assert owners(body, spec) == {("mé",): 2, ("foreign",): 1}
    assert rewrite(body, verdict("mé"), spec)[0] == kept
    assert rewrite(body, verdict("mé", mask=("$.x",)), spec)[0] == masked


def test_an_encoding_that_nobody_configured_is_refused() -> None:
    """Catalogue A17."""
    assert refusal("id,x\nme,é\n".encode("latin-1")) is Code.BODY_MALFORMED
    assert refusal("id,x\nme,1\n".encode("utf-16-le")) is Code.BODY_AMBIGUOUS
    assert refusal("id,x\nme,1\n".encode("utf-32")) is Code.BODY_AMBIGUOUS
    assert refusal("id,x\nme,1\n".encode("cp037")) in (Code.BODY_MALFORMED, Code.BODY_AMBIGUOUS)


# Real files


SPECTRUM = [
    *("comma_in_quotes", "empty", "empty_crlf", "escaped_quotes", "json", "newlines"),
    *("newlines_crlf", "quotes_and_newlines", "simple", "simple_crlf", "utf8"),
]


@pytest.mark.corpus
@pytest.mark.parametrize("name", SPECTRUM)
def test_csv_spectrum_has_the_golden_records(name: str, corpus: Path) -> None:
    """Catalogue A57. Every cell is told apart by making its column the subject's."""
    folder = corpus / "hostile" / "csv-spectrum"
    golden = json.loads((folder / "json" / f"{name}.json").read_bytes())
    body = (folder / "csvs" / f"{name}.csv").read_bytes()
    assert inspect(body, BodySpec(Format.CSV)).fields == tuple(sorted(golden[0]))
    for column in golden[0]:
        cells = [record[column] for record in golden]
        expected = Counter((cell,) if cell else () for cell in cells)
        assert owners(body, by(column)) == expected
        assert rewrite(body, verdict(*cells, unattributed=True), by(column))[0] == body


@pytest.mark.corpus
def test_csv_spectrum_with_a_bare_quote_is_refused(corpus: Path) -> None:
    """Catalogue A61: RFC 4180 has no quote inside an unquoted cell, and readers differ on it."""
    body = (corpus / "hostile" / "csv-spectrum" / "csvs" / "location_coordinates.csv").read_bytes()
    assert refusal(body, by("Cities")) is Code.BODY_MALFORMED
    assert owners(body.replace(b'"', b""), by("Cities")) == {("Modesto",): 1}


def expected_subjects(corpus: Path, file: str) -> Counter[str]:
    with (corpus / "exports" / "manifest.csv").open(newline="") as manifest:
        (row,) = (row for row in stdlib.DictReader(manifest) if row["file"] == file)
    pairs = (entry.rsplit(" (", 1) for entry in row["expected_subject_ids"].split("; "))
    return Counter({value: int(count.rstrip(")")) for value, count in pairs})


EXPORTS = [
    ("csv-encodings/test_utf8_bom.csv", by("foo")),
    ("csv-encodings/test_utf16_big.csv", by("a")),
    ("csv-encodings/test_utf16_little.csv", by("a")),
    ("csv-encodings/test_latin1.csv", by("a", encoding="latin-1")),
    ("csv-encodings/dummy.tsv", by("a", delimiter="\t")),
    ("csv-encodings/dummy.csv.gz", by("a")),
    ("csv-encodings/mac_newlines.csv", by("a")),
    ("synthea-csv/synthea_allergies_excerpt.csv", by("PATIENT")),
]


@pytest.mark.corpus
@pytest.mark.parametrize(("file", "spec"), EXPORTS, ids=[file for file, _ in EXPORTS])
def test_exports_have_the_subjects_of_the_manifest(file: str, spec: BodySpec, corpus: Path) -> None:
    received = InMemory((corpus / "exports" / file).read_bytes())
    source = Body(received, ("gzip",) if file.endswith(".gz") else (), LIMITS)
    body = b"".join(source.chunks())
    expected = expected_subjects(corpus, file)
    found = Counter({str(values[0]): count for values, count in owners(body, spec).items()})
    # "Once upon\ra time" is a third row of mac_newlines that the manifest doesn't name.
    assert expected.items() <= found.items()
    assert source.meter.inspected == received.size

    mine = next(iter(expected))
    kept, counts = rewrite(body, verdict(mine), spec)
    assert counts.released == expected[mine]
    assert counts.redacted == found.total() - expected[mine]
    assert owners(kept, spec) == {(mine,): expected[mine]}
    assert rewrite(body, verdict(*found), spec)[0] == body


@pytest.mark.corpus
def test_leading_blank_lines_are_refused(corpus: Path) -> None:
    """Readers differ on whether they are rows, so the safe verdict is to block."""
    body = (corpus / "exports" / "csv-encodings" / "test_skip_lines.csv").read_bytes()
    assert refusal(body, by("a")) is Code.BODY_AMBIGUOUS
    assert owners(body.lstrip(b"\n"), by("a")) == {("1",): 1}


# What always holds


IDS = st.sampled_from(["me", "ME", " me", "foreign", "", "é", "me,foreign", 'm"e'])
CELLS = st.text(st.sampled_from('a,"; \\\n\réß\u2028=+@'), max_size=6)


@st.composite
def exports(draw: st.DrawFn) -> tuple[list[list[str]], bytes, str]:
    """Rows as cells, the same as bytes (as another library writes them), and their codec."""
    rows = draw(st.lists(st.tuples(CELLS, IDS, CELLS).map(list), max_size=8))
    text = io.StringIO(newline="")
    line_end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    # That library leaves a CR bare where lines end in LF, which is ambiguous.
    bare = any("\r" in cell or "\n" in cell for row in rows for cell in row)
    quoting = stdlib.QUOTE_ALL if bare or draw(st.booleans()) else stdlib.QUOTE_MINIMAL
    writer = stdlib.writer(text, lineterminator=line_end, quoting=quoting)
    writer.writerows([["x", "id", "y"], *rows])
    codec = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    return rows, text.getvalue().encode(codec), codec


@given(exports(), st.sets(IDS), st.booleans(), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_exactly_the_permitted_rows_are_left(
    export: tuple[list[list[str]], bytes, str],
    permitted: set[str],
    unattributed: bool,
    sizes: list[int],
) -> None:
    rows, body, codec = export
    decided = verdict(*permitted - {""}, unattributed=unattributed)
    pieces, at = [], 0
    while at < len(body):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(body[at : at + size])
        at += size

    def attempt(source: Chunks) -> object:
        tally, sink = Tally(LIMITS), MemorySink()
        try:
            csv.inspect(source, BY_ID, LIMITS, tally)
            counts = csv.rewrite(source, BY_ID, LIMITS, decided, sink)
        except BadUpstream as fault:
            return fault.code, fault.note
        return tally.groups, tally.fields, counts, sink.getvalue()

    outcome = attempt(whole(body))
    assert attempt(Chunks(tuple(pieces))) == outcome
    if not isinstance(outcome, tuple) or len(outcome) == 2:
        return
    groups, _, counts, kept = outcome
    stays = [row for row in rows if (row[1] in permitted if row[1] else unattributed)]
    reader = stdlib.reader(io.StringIO(kept.decode(codec), newline=""), strict=True)
    assert list(reader) == [["x", "id", "y"], *stays]
    assert counts == Counts(seen=len(rows), released=len(stays), redacted=len(rows) - len(stays))
    assert sum(group.records for group in groups) == len(rows)


@given(exports())
def test_a_table_of_plain_cells_is_never_refused(
    export: tuple[list[list[str]], bytes, str],
) -> None:
    rows, body, _ = export
    if not any(mark in cell for row in rows for cell in row for mark in ("\\", "\u2028")):
        assert sum(owners(body).values()) == len(rows)


# What the response declares


def read_as(
    body: bytes, media_type: str = "text/csv", charset: str | None = None, **options: str
) -> dict[tuple[object, ...], int]:
    """Owners, read as a response that declares this."""
    payload = Payload(media_type, charset)
    spec = csv.as_declared(payload, by("id", **options))
    csv.detect(payload, body, spec)
    return owners(body, spec)


def test_the_declared_charset_is_the_encoding_where_that_is_left_open() -> None:
    body = "id\nm\u00e9\n".encode("windows-1252")
    assert read_as(body, charset="windows-1252", encoding="auto") == {("m\u00e9",): 1}
    assert read_as("id\nm\u00e9\n".encode(), encoding="auto") == {("m\u00e9",): 1}
    assert read_as("\ufeffid\nme\n".encode("utf-16-le"), encoding="auto") == {("me",): 1}


@pytest.mark.parametrize(
    ("charset", "encoding", "code"),
    [
        (None, "auto", Code.BODY_MALFORMED),
        ("utf-8", "auto", Code.BODY_MALFORMED),
        ("utf-16", "auto", Code.BODY_AMBIGUOUS),
        ("shift_jis", "auto", Code.FORMAT_MISMATCH),
        ("windows-1252", "utf-8", Code.FORMAT_MISMATCH),
        ("windows-1252", None, Code.FORMAT_MISMATCH),
    ],
)
def test_an_encoding_that_nothing_proves_is_refused(
    charset: str | None, encoding: str | None, code: Code
) -> None:
    options = {"encoding": encoding} if encoding else {}
    with pytest.raises(BadUpstream) as caught:
        read_as(b"id\nm\xe9\n", charset=charset, **options)
    assert caught.value.code is code


def test_a_mark_that_contradicts_the_declared_charset_is_ambiguous() -> None:
    with pytest.raises(BadUpstream) as caught:
        read_as("\ufeffid\nme\n".encode(), charset="windows-1252", encoding="auto")
    assert caught.value.code is Code.BODY_AMBIGUOUS


TABS = "text/tab-separated-values"


def test_tab_separated_values_have_tabs_and_no_quotes() -> None:
    assert read_as(b"a\tid\n1\tme\n", TABS, delimiter="\t") == {("me",): 1}
    assert read_as(b'a\tid\n"1"\t"me"\n', delimiter="\t") == {("me",): 1}
    for body in (b'a\tid\n1\t"me"\n', b'a\tid\n"1"\tme\n', b'"a"\tid\n1\tme\n', b'a\tid\n1\tm"\n'):
        with pytest.raises(BadUpstream) as caught:
            read_as(body, TABS, delimiter="\t")
        assert caught.value.code in (Code.BODY_AMBIGUOUS, Code.BODY_MALFORMED)


@pytest.mark.parametrize(
    "options", [{}, {"delimiter": ";"}, {"delimiter": "auto"}, {"delimiter": "\t", "quote": '"'}]
)
def test_tab_separated_values_of_another_dialect_are_a_mismatch(options: dict[str, str]) -> None:
    with pytest.raises(BadUpstream) as caught:
        read_as(b"a\tid\n1\tme\n", TABS, **options)
    assert caught.value.code is Code.FORMAT_MISMATCH


def test_a_mask_that_would_leave_blank_rows_is_none_where_nothing_can_be_quoted() -> None:
    body, _ = rewrite(b"id\tx\nme\t1\n", verdict("me", mask=("$.x",)),
                      by("id", delimiter="\t", quote="none"))  # fmt: skip
    assert body == b"id\tx\nme\t\n"
    with pytest.raises(BadUpstream) as caught:
        rewrite(b"id\nme\n", verdict("me", mask=("$.id",)), by("id", quote="none"))
    assert caught.value.code is Code.REDACTION_UNSUPPORTED


# A detected delimiter


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_proven_delimiter_is_kept_byte_for_byte(delimiter: str) -> None:
    lines = [("n", "id"), ("1", "me"), ("2", "foreign"), ("3", "me")]
    body = "".join(f"{a}{delimiter}{b}\r\n" for a, b in lines).encode()
    spec = by("id", delimiter="auto")
    assert owners(body, spec) == {("me",): 2, ("foreign",): 1}
    kept, counts = rewrite(body, verdict("me"), spec)
    assert kept == body.replace(f"2{delimiter}foreign\r\n".encode(), b"")
    assert counts == Counts(seen=3, released=2, redacted=1)


def test_rows_that_the_proven_delimiter_makes_ragged_are_refused() -> None:
    spec = by("id", delimiter="auto")
    assert refusal(b"n;id\n1;me\n2,foreign\n", spec) is Code.BODY_MALFORMED
    assert refusal(b"n;id\n1;me;x\n", spec) is Code.BODY_MALFORMED
    assert refusal(b"id\nme\n", spec) is Code.BODY_AMBIGUOUS


# Rows before the header


def headed(*locators: str, rows: int = 3) -> BodySpec:
    return BodySpec(Format.CSV, subject=({"account": locators},), delimiter=";", preamble=rows)


HEADED = b'Account;A1;;\r\n"Period:";2026\r\n\r\n'
ROWS = b"n;id\r\n1;A1\r\n2;A1\r\n"


def test_all_rows_belong_to_the_owner_that_stands_before_the_header() -> None:
    tally = inspect(HEADED + ROWS, headed("preamble:Account"))
    assert {(group.owners, group.attribution, group.records) for group in tally.groups} == {
        ((SubjectRef("account", "A1"),), Attribution.CONTAINER, 3)
    }


def test_a_row_that_names_another_owner_than_the_preamble_is_ambiguous() -> None:
    spec = headed("preamble:Account", "id")
    groups = inspect(HEADED + ROWS, spec).groups
    assert {(group.attribution, group.records) for group in groups} == {
        (Attribution.DIRECT, 2),
        (Attribution.CONTAINER, 1),
    }
    assert refusal(HEADED + ROWS + b"3;A9\r\n", spec) is Code.BODY_AMBIGUOUS
    assert owners(HEADED + ROWS + b"3;\r\n", spec) == {("A1",): 3, (): 1}


def test_a_preamble_that_names_nobody_is_an_unattributed_record() -> None:
    assert owners(HEADED + ROWS, headed("id")) == {(): 1, ("A1",): 2}
    assert owners(b" ;\n;;;\n\n" + ROWS.replace(b"\r", b""), headed("id")) == {("A1",): 2}
    unknown = HEADED.replace(b"A1", b"")
    assert owners(unknown + ROWS, headed("preamble:Account")) == {(): 3}


@pytest.mark.parametrize(
    "before",
    [
        b"Account;A1\r\nAccount;A9\r\n;\r\n",
        b"Account;A1\r\naccount;A9\r\n;\r\n",
        b"Account;A1\r\n;;Account ;A9\r\n;\r\n",
        b"Account;A1;A9\r\n;\r\n;\r\n",
        b"account;A1\r\n;\r\n;\r\n",
        b"Account\r\n;\r\n;\r\n",
        b"Period;2026\r\n;\r\n;\r\n",
        b"sep=;\r\nAccount;A1\r\n;\r\n",
        b"Account;A1\r\n;\r\n;\n",
    ],
)
def test_a_label_that_does_not_stand_once_beside_one_value_is_ambiguous(before: bytes) -> None:
    assert refusal(before + ROWS, headed("preamble:Account")) is Code.BODY_AMBIGUOUS


def test_the_header_must_stand_where_the_configuration_says() -> None:
    assert refusal(HEADED + ROWS, headed("preamble:Account", "id", rows=2)) is Code.BODY_AMBIGUOUS
    assert refusal(HEADED + ROWS, headed("preamble:Account", "id", rows=4)) is Code.BODY_AMBIGUOUS
    assert refusal(b"Account;A1\n", headed("preamble:Account", rows=1)) is Code.BODY_MALFORMED
    assert refusal(HEADED + ROWS, headed("preamble:Account", rows=0)) is Code.BODY_AMBIGUOUS


def test_a_preamble_stays_byte_for_byte_or_nothing_can_be_taken_out() -> None:
    spec, body = headed("preamble:Account"), HEADED + ROWS
    assert rewrite(body, verdict("A1"), spec) == (body, Counts(seen=3, released=3, redacted=0))
    with pytest.raises(BadUpstream) as caught:
        rewrite(body, verdict("A9"), spec)
    assert caught.value.code is Code.REDACTION_UNSUPPORTED

    by_row = headed("id")
    body += b"3;A9\r\n"
    kept, counts = rewrite(body, verdict("A1", unattributed=True), by_row)
    assert (kept, counts) == (HEADED + ROWS, Counts(seen=4, released=3, redacted=1))
    with pytest.raises(BadUpstream) as caught:
        rewrite(body, verdict("A1"), by_row)
    assert caught.value.code is Code.REDACTION_UNSUPPORTED


def test_a_preamble_may_come_before_a_header_that_proves_its_delimiter() -> None:
    spec = replace(headed("preamble:Account", "id"), delimiter="auto")
    assert owners(HEADED + ROWS, spec) == {("A1",): 3}


def test_a_manifest_may_name_its_owner_before_its_header() -> None:
    spec = MemberSpec(
        "m.csv", Format.CSV, subject=({"account": ("preamble:Account",)},),
        vouches_for="file", preamble=1,
    )  # fmt: skip
    _, records = csv.vouching(whole(b"Account,me\nfile\na.wav\n"), spec, LIMITS)
    assert [*records] == [{"file": "a.wav", "preamble:Account": "me"}]


@pytest.mark.corpus
def test_the_corpus_file_with_lines_before_its_header_is_read(corpus: Path) -> None:
    body = (corpus / "exports" / "csv-encodings" / "test_skip_lines.csv").read_bytes()
    assert owners(body, by("a", preamble=3)) == {("1",): 1}  # type: ignore[arg-type]
    assert refusal(body, by("a")) is Code.BODY_AMBIGUOUS
