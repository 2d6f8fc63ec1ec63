"""Rows of delimited text: one strict reading, the same however the text is cut."""

import csv
import io
from dataclasses import dataclass, field, replace
from itertools import pairwise
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection import rows as rows_module
from gateway.inspection.charset import read_text
from gateway.inspection.rows import Batch, Dialect, Rows
from gateway.inspection.settings import Limits

LIMITS = Limits()
RFC_4180 = Dialect()
NEL, LS, PS = "\u0085".encode(), "\u2028".encode(), "\u2029".encode()


def read(text: bytes, dialect: Dialect = RFC_4180, limits: Limits = LIMITS) -> Rows:
    return Rows(iter([text] if text else []), dialect, limits)


def table(text: bytes, columns: tuple[int, ...] = (0,), dialect: Dialect = RFC_4180) -> Batch:
    rows: list[bytes] = []
    keys: list[tuple[bytes, ...]] = []
    for batch in read(text, dialect).batches(columns):
        assert batch.size == sum(map(len, batch.rows))
        rows += batch.rows
        keys += batch.keys
    return Batch(rows, keys, sum(map(len, rows)))


def refusal(text: bytes, limits: Limits = LIMITS) -> Code:
    with pytest.raises(BadUpstream) as caught:
        list(read(text, limits=limits).batches((0,)))
    return caught.value.code


def test_a_row_keeps_its_bytes_and_its_line_end() -> None:
    rows = read(b'id,"no te"\r\n1,"x, ""y"""\r\n2,')
    assert rows.header == b'id,"no te"\r\n'
    assert rows.names == ("id", "no te")
    (batch,) = rows.batches((0, 1))
    assert batch.rows == [b'1,"x, ""y"""\r\n', b"2,"]
    assert batch.keys == [(b"1", b'x, "y"'), (b"2", b"")]


def test_no_columns_wanted_gives_empty_keys() -> None:
    assert table(b"a,b\n1,2\n3,4\n", ()).keys == [(), ()]


@pytest.mark.parametrize("text", [b"a,b\n", b"a,b\r\n", b"a,b\r", b"a,b", b"a", b'"a"'])
def test_a_header_alone_has_no_rows(text: bytes) -> None:
    assert read(text).header == text
    assert table(text) == Batch([], [], 0)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_each_of_the_three_line_ends_may_end_the_rows(line_end: bytes) -> None:
    text = line_end.join((b"a,b", b"1,2", b'"3\r\n4\n5\r6",7', b""))
    assert table(text).keys == [(b"1",), (b"3\r\n4\n5\r6",)]
    assert read(text).header + b"".join(table(text).rows) == text


@pytest.mark.parametrize(
    "text", [b"a,b\n1,2\r\n", b"a,b\n1,2\r3,4\n", b"a,b\r\n1,2\n", b"a,b\r\n1,2\r", b"a,b\r1,2\n",
             b"a,b\r1,2\r\n3,4\r", b"a,b\r\n1,2\r3,4\r\n"]
)  # fmt: skip
def test_two_kinds_of_line_end_are_ambiguous(text: bytes) -> None:
    """Catalogue A62: where one reader sees one row, another sees two."""
    assert refusal(text) is Code.BODY_AMBIGUOUS
    assert table(text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")).rows


@pytest.mark.parametrize(
    "text", [b"a\n\n1\n", b"\na\n1\n", b"a,b\n1,2\n\n", b"a,b\n1,2\n \t\n", b"a\n \n", b"a\n1\n  "]
)
def test_a_blank_row_is_ambiguous(text: bytes) -> None:
    assert refusal(text) is Code.BODY_AMBIGUOUS
    assert table(b"a,b\n1,2\n,\n").rows == [b"1,2\n", b",\n"]
    assert table(b'a\n1\n""\n').rows == [b"1\n", b'""\n']


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"a,b\n1\n", id="short row"),
        pytest.param(b"a,b\n1,2,3\n", id="long row"),
        pytest.param(b"a,b\n1,2,\n", id="trailing delimiter"),
        pytest.param(b'a,b\nme,"2\nforeign,4\n', id="unclosed quote swallows rows"),
        pytest.param(b'a,b\n1,2\n3,"4', id="unclosed quote at the end"),
        pytest.param(b'a,b\n1,"2"x\n', id="text behind a quoted cell"),
        pytest.param(b'a,b\n1,"2" \n', id="blank behind a quoted cell"),
        pytest.param(b'a,b\n1, "2"\n', id="blank before a quoted cell"),
        pytest.param(b'a,b\n1,2"3"\n', id="quote inside a cell"),
        pytest.param(b'a,b\n1,2"\n', id="quote at the end of a cell"),
        pytest.param(b'a,b\n1,2\\"\n', id="escaped quote outside quotes"),
    ],
)
def test_what_rfc_4180_forbids_is_malformed(text: bytes) -> None:
    """Catalogue A59, A61."""
    assert refusal(text) is Code.BODY_MALFORMED
    assert table(b'a,b\n1,"2"\n3,"4"').rows == [b'1,"2"\n', b'3,"4"']


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'a,b\nme,"x\\",foreign,"y"\n', id="a delimiter hides"),
        pytest.param(b'a,b\n"C:\\",2\n', id="a path"),
        pytest.param(b'a,b\n1,"{""k"": ""\\""""}"\n', id="JSON"),
        pytest.param(b'"\\",b\n1,2\n', id="in the header"),
    ],
)
def test_a_backslash_before_a_quote_is_ambiguous(text: bytes) -> None:
    """Catalogue A61: the backslash dialect reads other cells."""
    assert refusal(text) is Code.BODY_AMBIGUOUS
    assert table(b'a,b\n"C:\\x",2\\\n').keys == [(b"C:\\x",)]


@pytest.mark.parametrize("splitter", [NEL, LS, PS])
def test_a_unicode_line_end_is_ambiguous_outside_quotes_only(splitter: bytes) -> None:
    for text in (b"a,b\n1,x%by\n", b"a,b%b\n1,2\n", b"a,b\n%b,2\n1,2\n"):
        assert refusal(text % splitter) is Code.BODY_AMBIGUOUS
    text = b'a,b\n1,2\n"x%by",2\n3,4\n' % splitter
    assert table(text).keys == [(b"1",), (b"x%by" % splitter,), (b"3",)]


@pytest.mark.parametrize(
    "header", [b"a,a\n", b'a,"a"\n', b"a,\n", b"a, \n", b"sep=;,b\n", b"SEP=,\n", b'"",b\n']
)
def test_a_header_that_does_not_name_each_column_once_is_ambiguous(header: bytes) -> None:
    """Catalogue A58, A60."""
    assert refusal(header + b"1,2\n") is Code.BODY_AMBIGUOUS
    assert read(b"a,A\n1,2\n").names == ("a", "A")


@pytest.mark.parametrize("second", [b"a,b\n", b'"a",b\n', b"a,c\n"])
def test_a_second_header_is_ambiguous(second: bytes) -> None:
    """Catalogue A64: a repeated header, or another table that is about the same column."""
    assert refusal(b"a,b\n1,2\n" + second + b"3,4\n") is Code.BODY_AMBIGUOUS
    assert table(b"a,b\n1,2\nb,a\n3,4\n").keys == [(b"1",), (b"b",), (b"3",)]


def test_the_rows_before_a_fault_are_read_first() -> None:
    batches = read(b"a,b\n1,2\n3,4\n5\n").batches((0,))
    assert next(batches).keys == [(b"1",), (b"3",)]
    with pytest.raises(BadUpstream, match="row 3: fewer cells"):
        next(batches)


def test_a_row_over_the_limit_is_too_large() -> None:
    limits = replace(LIMITS, record=10)
    assert refusal(b"a,b\n1234567,89\n", limits) is Code.BODY_TOO_LARGE
    assert refusal(b'a,b\n"1234567\n\n\n\n', limits) is Code.BODY_TOO_LARGE
    assert refusal(b"aaaaaa,bbbbb\n1,2\n", limits) is Code.BODY_TOO_LARGE
    (batch,) = read(b"a,b\n123456,78\n123456,789", limits=limits).batches((0,))
    assert [len(row) for row in batch.rows] == [10, 10]


def test_more_columns_than_the_limit_are_too_complex() -> None:
    limits = replace(LIMITS, columns=3)
    assert refusal(b"a,b,c,d\n", limits) is Code.BODY_TOO_COMPLEX
    assert read(b"a,b,c\n", limits=limits).names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("dialect", "row", "value"),
    [
        (Dialect(delimiter=";"), b'1;"2;,""3"\n', b'2;,"3'),
        (Dialect(delimiter="\t"), b'1\t"2\t,""3"\n', b'2\t,"3'),
        (Dialect(delimiter="|"), b'1|"2|,""3"\n', b'2|,"3'),
        (Dialect(delimiter="^"), b'1^"2^,""3"\n', b'2^,"3'),
        (Dialect(delimiter="-"), b'1-"2-,""3"\n', b'2-,"3'),
        (Dialect(quote="'"), b"1,'2,''3\"'\n", b"2,'3\""),
        (Dialect(delimiter="]", quote="["), b"1][2],[[3[\n", b"2],[3"),
    ],
)
def test_a_dialect_is_read_as_configured(dialect: Dialect, row: bytes, value: bytes) -> None:
    header = b"a" + dialect.delimiter.encode() + b"b\n"
    assert table(header + row, (0, 1), dialect) == Batch([row], [(b"1", value)], len(row))


@pytest.mark.parametrize("character", ["", ",,", "a", "1", " ", "\n", "\r", "\\", "\0", "\u00a7"])
def test_a_character_that_cannot_part_cells_is_a_fault_of_configuration(character: str) -> None:
    with pytest.raises(ValueError, match="delimiter must be"):
        Dialect(delimiter=character)
    with pytest.raises(ValueError, match="quote must be"):
        Dialect(quote=character)


def test_the_delimiter_is_never_the_quote() -> None:
    with pytest.raises(ValueError, match="the same character"):
        Dialect(delimiter='"')


def test_emptied_cells_leave_the_rest_of_the_row_as_it_was() -> None:
    rows = read(b"a,b,c\n")
    assert rows.masker({1: gone})(b'"1","x,""y""\n",3\n') == b'"1",,3\n'
    assert rows.masker({2: gone, 0: gone})(b'1, 2 ,"3"\r\n') == b", 2 ,\r\n"
    assert rows.masker({2: gone})(b"1,2,3") == b"1,2,"


def gone(_: str) -> str:
    return ""


def test_a_masked_cell_has_quotes_where_it_had_some_or_needs_some() -> None:
    for after, cells in {
        "z": b'"z",z',
        "z,": b'"z,","z,"',
        'z"': b'"z""","z"""',
        "z\n": b'"z\n","z\n"',
        "z\u2028": '"z\u2028","z\u2028"'.encode(),
    }.items():
        masked = read(b"a,b\n").masker(
            {0: lambda _, after=after: after, 1: lambda _, after=after: after}
        )
        assert masked(b'"x",y\n') == cells + b"\n"


def test_a_masked_cell_that_would_end_in_a_backslash_before_its_quote_is_refused() -> None:
    with pytest.raises(BadUpstream) as caught:
        read(b"a,b\n").masker({0: lambda _: "x\\"})(b'"x\\y",z\n')
    assert caught.value.code is Code.REDACTION_UNSUPPORTED
    assert read(b"a,b\n").masker({0: lambda _: "x\\"})(b"x\\y,z\n") == b"x\\,z\n"


def test_the_only_cell_of_a_row_is_emptied_without_making_a_blank_row() -> None:
    emptied = read(b"a\n").masker({0: gone})(b"secret\n")
    assert emptied == b'""\n'
    assert table(b"a\n" + emptied).keys == [(b"",)]


def test_a_cell_of_many_windows_is_read_whole() -> None:
    """Catalogue A66: the standard library stops at 131,072 characters."""
    cell = b'"' + b'x,""y""\n' * 200_000 + b'"'
    pieces = [b"a,b\n1,", *(cell[at : at + 4096] for at in range(0, len(cell), 4096)), b"\n2,3\n"]
    batches = Rows(iter(pieces), RFC_4180, LIMITS).batches((0,))
    assert [key for batch in batches for key in batch.keys] == [(b"1",), (b"2",)]


def test_memory_is_bounded_by_a_window_not_by_the_text() -> None:
    """Catalogue A66: ten million rows. Here as many as show that nothing is kept of them."""
    chunk = b"me,1,2,3\n" * 30_000
    rows = Rows(iter([b"a,b,c,d\n", *[chunk] * 40]), RFC_4180, LIMITS)
    sizes = [len(batch.rows) for batch in rows.batches((0,))]
    assert sum(sizes) == 40 * 30_000
    assert max(sizes) <= 2 * 30_000


def test_rows_before_the_header_have_any_cells_and_may_be_blank() -> None:
    text = b'a,"b ""c""",d\r\n\r\nid,x\r\n1,2\r\n'
    rows = Rows(iter([text]), RFC_4180, LIMITS, 2)
    assert rows.before + rows.header == text[:-5]
    assert rows.preamble == ((b"a", b'b "c"', b"d"), (b"",))
    (batch,) = rows.batches((0,))
    assert (rows.names, batch) == (("id", "x"), Batch([b"1,2\r\n"], [(b"1",)], 5))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"a\nb\n", Code.BODY_MALFORMED),
        (b"a\r\nb\nid\n", Code.BODY_AMBIGUOUS),
        (b"sep=;\nb\nid\n", Code.BODY_AMBIGUOUS),
        (b'a"b\nb\nid\n', Code.BODY_MALFORMED),
        (b"a\nb\n\n", Code.BODY_AMBIGUOUS),
    ],
)
def test_rows_before_the_header_are_read_as_strictly(text: bytes, code: Code) -> None:
    with pytest.raises(BadUpstream) as caught:
        Rows(iter([text]), RFC_4180, LIMITS, 2)
    assert caught.value.code is code


def test_where_no_cell_is_quoted_a_quote_is_no_part_of_one() -> None:
    unquoted = Dialect("\t", quoted=False)
    assert table(b"a\tb\n1\t2\n", dialect=unquoted).keys == [(b"1",)]
    for text in (b'a\tb\n"1"\t2\n', b'a\tb\n1\t"2"\n', b'"a"\tb\n1\t2\n', b'a\tb\n1"\t2\n'):
        with pytest.raises(BadUpstream):
            table(text, dialect=unquoted)
        if b'1"' not in text:
            assert table(text, dialect=Dialect("\t")).keys


# Two independent readings: the grammar again, as an automaton that steps from byte to byte, and
# the standard library's reader.


@dataclass
class Automaton:
    """RFC 4180 and our refusals, without a regular expression. Raises ValueError to refuse."""

    rows: list[list[bytes]] = field(default_factory=list)
    line_end: bytes | None = None

    def run(self, text: bytes) -> list[list[bytes]]:
        at = 0
        while at < len(text):
            at = self.row(text, at)
        header = self.rows[0] if self.rows else [b""]
        if not all(name.strip() for name in header) or len(set(header)) < len(header):
            raise ValueError("not a name for each column")
        if header in self.rows[1:]:
            raise ValueError("the header again")
        return self.rows

    def row(self, text: bytes, at: int) -> int:
        cells: list[bytes] = []
        blank = at
        while True:
            cell, at = self.quoted(text, at) if text[at : at + 1] == b'"' else self.plain(text, at)
            cells.append(cell)
            if text[at : at + 1] != b",":
                break
            at += 1
        if not text[blank:at].strip(b" \t"):
            raise ValueError("blank row")
        if self.rows and len(cells) != len(self.rows[0]):
            raise ValueError("ragged")
        self.rows.append(cells)
        line_end = text[at : at + 2] if text[at : at + 2] == b"\r\n" else text[at : at + 1]
        if line_end not in (b"\r\n", b"\r", b"\n", b""):
            raise ValueError("text behind a cell")
        if line_end and self.line_end not in (None, line_end):
            raise ValueError("another line end")
        self.line_end = line_end
        return at + len(line_end)

    def plain(self, text: bytes, at: int) -> tuple[bytes, int]:
        end = at
        while end < len(text) and text[end] not in b',"\r\n':
            end += 1
        if any(splitter in text[at:end] for splitter in (NEL, LS, PS)):
            raise ValueError("a Unicode line end")
        return text[at:end], end

    def quoted(self, text: bytes, at: int) -> tuple[bytes, int]:
        value, end = b"", at + 1
        while True:
            character = text[end : end + 1]
            if not character or text[end : end + 2] == b'\\"':
                raise ValueError("not closed, or a backslash before a quote")
            if character == b'"':
                if text[end + 1 : end + 2] != b'"':
                    return value, end + 1
                end += 1
            value += character
            end += 1


def outcome(chunks: list[bytes], window: int, limits: Limits = LIMITS) -> tuple[object, ...]:
    """Everything that a reading shows: names, rows, keys, and the fault if there is one."""
    seen: list[object] = []
    with mock.patch.object(rows_module, "_WINDOW", window):
        try:
            _, text = read_text(chunks, None)
            rows = Rows(text, RFC_4180, limits)
            seen.append(rows.names)
            for batch in rows.batches((0,)):
                seen += zip(batch.rows, batch.keys, strict=True)
        except BadUpstream as fault:
            seen.append((fault.code, fault.note))
    return tuple(seen)


def cut(text: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted({place % (len(text) + 1) for place in places}), len(text)]
    return [text[start:end] for start, end in pairwise(bounds) if start < end]


TOKENS = [
    b"a",
    b"b",
    b",",
    b",",
    b'"',
    b'""',
    b"\n",
    b"\n",
    b"\r",
    b"\r\n",
    b"\\",
    b" ",
    "é".encode(),
]
FAULTS = [NEL, LS, b"\x00", b"\xff", b"\xe2\x80", b"\xef\xbb\xbf", b"a,b\n"]

noise = st.lists(st.sampled_from(TOKENS), max_size=24).map(b"".join)
faulty = st.lists(st.sampled_from(TOKENS + FAULTS), max_size=24).map(b"".join)


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Mostly well-formed tables, now and then with something wrong in them."""
    width, line_end = draw(st.integers(1, 3)), draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    plain = st.sampled_from([b"", b"x", b"me", b" y", "ü".encode(), b"a\\b", b"h0"])
    inside = st.lists(st.sampled_from([b"x", b",", b'""', b"\n", b"\r", b"\\ ", NEL]), max_size=4)
    cell = plain | inside.map(lambda parts: b'"' + b"".join(parts) + b'"')
    rows = draw(st.lists(st.lists(cell, min_size=width, max_size=width), max_size=6))
    header = [b"h%d" % number for number in range(width)]
    text = line_end.join(b",".join(row) for row in [header, *rows])
    text += draw(st.sampled_from([b"", line_end]))
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.sampled_from([b"", b"", b"", *FAULTS, b'"', b"\n"])) + text[at:]


@given(
    text=noise | faulty | tables(), places=st.lists(st.integers(0, 200)), window=st.integers(1, 9)
)
def test_how_the_text_is_cut_never_changes_what_is_found(
    text: bytes, places: list[int], window: int
) -> None:
    for limits in (LIMITS, replace(LIMITS, record=12, columns=3)):
        whole = outcome([text] if text else [], 1 << 18, limits)
        assert outcome(cut(text, places), window, limits) == whole
        assert outcome([text[at : at + 1] for at in range(len(text))], 1, limits) == whole


@given(text=noise | tables())
def test_the_automaton_finds_the_same_rows(text: bytes) -> None:
    try:
        _, pieces = read_text([text], None)
        clean = b"".join(pieces)
    except BadUpstream:
        return
    try:
        expected = Automaton().run(clean)
    except ValueError:
        expected = None
    try:
        rows = read(clean)
        columns = tuple(range(len(rows.names)))
        found = [[name.encode() for name in rows.names]]
        found += [list(key) for batch in rows.batches(columns) for key in batch.keys]
    except BadUpstream:
        found = None
    assert found == expected


@given(text=noise | tables())
def test_what_is_accepted_the_standard_library_reads_alike(text: bytes) -> None:
    try:
        _, pieces = read_text([text], None)
        rows = read(b"".join(pieces))
        columns = tuple(range(len(rows.names)))
        found = [list(rows.names)]
        found += [
            [c.decode() for c in key] for batch in rows.batches(columns) for key in batch.keys
        ]
    except BadUpstream:
        return
    assert list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""), strict=True)) == found


@given(text=tables(), data=st.data())
def test_masked_cells_have_their_new_value_for_every_reader(
    text: bytes, data: st.DataObject
) -> None:
    try:
        _, pieces = read_text([text], None)
        rows = read(b"".join(pieces))
        columns = tuple(range(len(rows.names)))
        batches = list(rows.batches(columns))
    except BadUpstream:
        return
    chosen = tuple(sorted(data.draw(st.sets(st.sampled_from(columns), min_size=1))))
    value = data.draw(st.sampled_from(["", "x", ",", '"', "a\r\nb", " ", "é\u2028"]))
    masked = rows.masker(dict.fromkeys(chosen, lambda _: value))
    lines = [
        (row, key) for batch in batches for row, key in zip(batch.rows, batch.keys, strict=True)
    ]
    for row, key in lines:
        expected = tuple(
            value.encode() if column in chosen else cell for column, cell in enumerate(key)
        )
        end = b"" if row.endswith((b"\r", b"\n")) else b"\n"
        (again,) = csv.reader(io.StringIO((masked(row) + end).decode(), newline=""), strict=True)
        assert tuple(cell.encode() for cell in again) == expected
