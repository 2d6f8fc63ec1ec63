"""Edits at the bytes of a value, that change nothing else."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inspection.settings import BodySpec, EmbeddedSpec
from gateway.model import Format
from gateway.workbench.mutate.tables import Table, table
from gateway.workbench.unusable import Unusable
from tests.support.reading import spaced

ORDERS = BodySpec(Format.JSON, records="$.orders[*]")
LINES = BodySpec(Format.NDJSON)
ROWS = BodySpec(Format.CSV)


def values(found: Table) -> list[Any]:
    return [found.record(index) for index in range(len(found.records))]


def changed(found: Table, index: int, locator: str, text: str) -> bytes:
    (spot,) = found.spots(index, locator)
    return found.with_values([(spot.span, found.written(text))]).encoded()


documents = st.lists(st.fixed_dictionaries({"id": st.text(), "n": st.integers()}), min_size=1)


@given(documents, st.integers(0, 2**32), st.data())
def test_one_value_of_a_document_is_changed_and_no_other(
    records: list[dict[str, Any]], seed: int, data: st.DataObject
) -> None:
    body = spaced({"a": [1], "orders": records}, seed)
    found = table(body, ORDERS)
    assert values(found) == records
    index = data.draw(st.integers(0, len(records) - 1))
    after = json.loads(changed(found, index, "$.id", '["x"]'))
    records[index]["id"] = ["x"]
    assert after == {"a": [1], "orders": records}


@given(documents, st.integers(0, 2**32), st.data())
def test_a_record_of_a_list_can_go_or_stand_there_twice(
    records: list[dict[str, Any]], seed: int, data: st.DataObject
) -> None:
    found = table(spaced({"orders": records}, seed), ORDERS)
    index = data.draw(st.integers(0, len(records) - 1))
    rest = [*records[:index], *records[index + 1 :]]
    assert json.loads(found.without(index).encoded()) == {"orders": rest}
    twice = [*records[: index + 1], *records[index:]]
    assert json.loads(found.doubled(index).encoded()) == {"orders": twice}


def test_lines_keep_their_mark_and_their_ends() -> None:
    body = b'\xef\xbb\xbf{"id": 1}\r\n{"id": 2}\r\n{"id": 3}'
    found = table(body, LINES)
    assert [each["id"] for each in values(found)] == [1, 2, 3]
    assert changed(found, 1, "$.id", '"x"') == body.replace(b"2", b'"x"')
    assert found.without(1).encoded() == body.replace(b'{"id": 2}\r\n', b"")
    assert found.doubled(2).encoded() == body[:-9] + b'{"id": 3}\n{"id": 3}'


cells = st.text("ab,;'\" \néα", max_size=5)
tables = st.lists(st.tuples(cells, cells), min_size=1, max_size=5)


@given(tables, st.data(), st.sampled_from([None, "utf-16", "windows-1252"]))
def test_one_cell_of_a_table_is_changed_and_no_other(
    rows: list[tuple[str, str]], data: st.DataObject, encoding: str | None
) -> None:
    rows = [(f"x{a}", f"y{b}") for a, b in rows]
    if encoding == "windows-1252":
        rows = [(a.replace("α", ""), b.replace("α", "")) for a, b in rows]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("id", "b"), *rows])
    body = text.getvalue().encode(encoding or "utf-8")
    found = table(body, BodySpec(Format.CSV, encoding=encoding))
    assert [tuple(each.values()) for each in values(found)] == rows
    index, new = data.draw(st.integers(0, len(rows) - 1)), data.draw(cells.map("z".__add__))
    if encoding == "windows-1252":
        new = new.replace("α", "")
    after = changed(found, index, "id", json.dumps(new)).decode(encoding or "utf-8")
    read = list(csv.reader(io.StringIO(after, newline="")))
    rows[index] = (new, rows[index][1])
    assert read == [["id", "b"], *map(list, rows)]


def test_rows_can_go_or_stand_there_twice() -> None:
    found = table(b"id,b\r\n1,2\r\n3,4", ROWS)
    assert found.without(0).encoded() == b"id,b\r\n3,4"
    assert found.doubled(0).encoded() == b"id,b\r\n1,2\r\n1,2\r\n3,4"


def test_an_empty_cell_or_a_missing_column_is_no_value() -> None:
    found = table(b"id,b\n,2\n", ROWS)
    assert found.spots(0, "id") == () and found.spots(0, "other") == ()
    assert found.record(0) == {"b": "2"}


def test_a_table_holds_texts_only_and_a_document_everything() -> None:
    assert not table(b"id\n1\n", ROWS).can_hold("42")
    assert table(b"id\n1\n", ROWS).can_hold('"42"')
    assert table(b'{"orders": []}', ORDERS).can_hold("null")


@pytest.mark.parametrize(
    ("records", "expected"), [("$.a[*]", True), ("$.a.*", False), ("$", False)]
)
def test_only_of_a_list_can_one_be_left_out(records: str, expected: bool) -> None:
    body = b'{"a": {"x": {}}}' if records == "$.a.*" else b'{"a": [{}]}'
    assert table(body, BodySpec(Format.JSON, records=records)).is_list is expected


def test_a_format_that_nobody_changes_is_named() -> None:
    with pytest.raises(Unusable, match="mutate changes no sse"):
        table(b'data: {"id": 1}\n\n', BodySpec(Format.SSE))
    with pytest.raises(Unusable, match="owner stands above them"):
        table(b"{}", BodySpec(Format.JSON, records="$.*", subject=({"account": ("$~",)},)))
    with pytest.raises(Unusable, match="mutate changes no xml"):
        table(b"<a/>", BodySpec(Format.XML))
    with pytest.raises(Unusable, match="compressed"):
        table(b"", BodySpec(Format.JSON, compression="gzip"))
    documents = (EmbeddedSpec(("$.a",), Format.JSON),)
    with pytest.raises(Unusable, match="mutate changes no records with documents"):
        table(b"", BodySpec(Format.NDJSON, embedded=documents))
    with pytest.raises(Unusable, match="mutate changes no parquet"):
        table(b"PAR1", BodySpec(Format.PARQUET))
    with pytest.raises(Unusable, match="mutate changes no xlsx"):
        table(b"PK\x03\x04", BodySpec(Format.XLSX))


@pytest.mark.parametrize("left", [{"delimiter": "auto"}, {"encoding": "auto"}, {"preamble": 1}])
def test_a_csv_whose_reading_is_not_all_configured_is_not_changed(left: dict[str, Any]) -> None:
    with pytest.raises(Unusable, match="auto settings"):
        table(b"id,x\nme,1\n", BodySpec(Format.CSV, **left))
    assert table(b"id,x\nme,1\n", BodySpec(Format.CSV)).records
