"""One reading of a document: its pieces are the document, its records are all there."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.jsonplan import Each, Envelope, Leaf, plan
from gateway.inspection.jsonreader import WINDOW
from gateway.inspection.jsonscan import Items, Mark, Piece, Role, Structure, scan
from gateway.inspection.jsontext import Container
from gateway.inspection.locators import compile, find
from gateway.inspection.settings import Limits
from tests.support.reading import Cut, spaced

LIMITS = Limits()


def read(
    body: bytes, records: str, *totals: str, limits: Limits = LIMITS, chunk: int = 1 << 18
) -> list[Piece]:
    return list(scan(Cut(body, chunk), plan(records, totals), limits))


def refusal(body: bytes, records: str = "$.r[*]", limits: Limits = LIMITS) -> Code:
    with pytest.raises(BadUpstream) as caught:
        read(body, records, limits=limits)
    return caught.value.code


def items(pieces: list[Piece], role: Role = Role.RECORD) -> list[Any]:
    return [
        value
        for piece in pieces
        if isinstance(piece, Items) and piece.role is role
        for value in piece.values
    ]


def together(pieces: list[Piece]) -> bytes:
    """The pieces and the commas between the items of each container."""
    text, filled = b"", [False]
    for piece in pieces:
        starts_item = (
            bool(piece.text) if isinstance(piece, Items) else piece.mark in (Mark.ENTER, Mark.NAMED)
        )
        if starts_item and filled[-1]:
            text += b","
        if starts_item:
            filled[-1] = True
        if isinstance(piece, Structure) and piece.mark is Mark.OPEN:
            filled.append(False)
        if isinstance(piece, Structure) and piece.mark is Mark.CLOSE:
            filled.pop()
        text += piece.text
    return text


# Where the records are


@pytest.mark.parametrize(
    ("body", "records", "expected"),
    [
        (b'{"a":1}', "$", [{"a": 1}]),
        (b" [1, 2]\n", "$", [[1, 2]]),
        (b"null", "$", [None]),
        (b"[]", "$[*]", []),
        (b"[{},[],1,null]", "$[*]", [{}, [], 1, None]),
        (b'{"orders":[ ]}', "$.orders[*]", []),
        (b'{"x":1,"orders":[1,2],"y":2}', "$.orders[*]", [1, 2]),
        (b'{"data":{"items":[1]}}', "$.data.items[*]", [1]),
        (b'{"_embedded":{"a":{"p":1,"q":2}}}', "$._embedded.a.*", [1, 2]),
        (b'{"A1":{"x":1},"A2":{"x":2}}', "$.*", [{"x": 1}, {"x": 2}]),
        (b'{"c":[{"o":[1]},{"o":[]},{"o":[2,3]}]}', "$.c[*].o[*]", [1, 2, 3]),
        (b"[[1],[2,3]]", "$[*][*]", [1, 2, 3]),
        (b'{"a":{"x":{"r":1},"y":{"r":2}}}', "$.a.*.r", [1, 2]),
        (b'{"order":{"id":1}}', "$.order", [{"id": 1}]),
        (rb'{"\u006frders":[1]}', "$.orders[*]", [1]),
    ],
)
def test_records_are_found_where_the_locator_says(
    body: bytes, records: str, expected: list[Any]
) -> None:
    """A54."""
    pieces = read(body, records)
    assert items(pieces) == expected
    assert together(pieces) == body


@pytest.mark.parametrize(
    ("body", "records"),
    [
        (b"{}", "$.r[*]"),
        (b'{"R":[]}', "$.r[*]"),
        (b'{"r":{}}', "$.r[*]"),
        (b'{"r":null}', "$.r[*]"),
        (b'{"r":"[]"}', "$.r[*]"),
        (b"[]", "$.r[*]"),
        (b'""', "$.r[*]"),
        (b"12", "$.r[*]"),
        (b'{"r":[]}', "$.r.*"),
        (b'{"a":{}}', "$.a.r[*]"),
        (b'{"a":[]}', "$.a.r[*]"),
        (b'{"c":[{"r":[1]},{"x":1}]}', "$.c[*].r[*]"),
        (b'{"c":[{"r":[1]},7]}', "$.c[*].r[*]"),
        (b"[1,2]", "$[*][*]"),
        (b'{"entry":[{"resource":{}},{}]}', "$.entry[*].resource"),
    ],
)
def test_a_document_that_the_locator_does_not_fit_is_ambiguous(body: bytes, records: str) -> None:
    assert refusal(body, records) is Code.BODY_AMBIGUOUS


# The envelope


def test_scalars_stay_and_other_data_in_the_envelope_is_stray() -> None:
    body = (
        b'{"n":1,"s":"x","b":true,"z":null,"e":[],"o":{},"included":[{"id":1}],"p":{"q":1},"r":[]}'
    )
    pieces = read(body, "$.r[*]")
    assert items(pieces, Role.SCALAR) == [1, "x", True, None, [], {}]
    assert items(pieces, Role.STRAY) == [[{"id": 1}], {"q": 1}]


def test_in_a_repeated_envelope_scalars_are_as_personal_as_records() -> None:
    body = b'{"n":1,"c":[{"name":"x","e":[],"r":[1]},{"r":[2],"mail":null}]}'
    pieces = read(body, "$.c[*].r[*]")
    assert items(pieces, Role.SCALAR) == [1]
    assert items(pieces, Role.STRAY) == ["x", [], None]
    assert items(pieces) == [1, 2]


def test_a_list_of_records_that_may_be_missing_is_read_where_it_is() -> None:
    """A plan that no locator makes: FHIR leaves out what is empty."""
    optional = Envelope({"a": Each(Container.ARRAY, Leaf.RECORD)}, required=None, repeated=False)

    def roles(body: bytes) -> list[Role]:
        pieces = scan(Cut(body), optional, Limits())
        return [piece.role for piece in pieces if isinstance(piece, Items)]

    assert roles(b'{"a": [{}]}') == [Role.RECORD]
    assert roles(b'{"b": 1}') == roles(b'{"a": {}}') == [Role.SCALAR]
    assert roles(b'{"a": {"b": 1}}') == [Role.STRAY]


def test_totals_are_told_from_other_scalars() -> None:
    body = b'{"total":3,"page":{"count":3,"size":50,"links":{"a":1}},"r":[]}'
    pieces = read(body, "$.r[*]", "$.total", "$.page.count")
    assert items(pieces, Role.TOTAL) == [3, 3]
    assert items(pieces, Role.SCALAR) == [50]
    assert items(pieces, Role.STRAY) == [{"a": 1}]


@pytest.mark.parametrize(
    ("page", "role"),
    [(b"null", Role.SCALAR), (b"7", Role.SCALAR), (b"[7]", Role.STRAY), (b'"x"', Role.SCALAR)],
)
def test_a_total_that_is_not_where_configuration_has_it_is_no_total(
    page: bytes, role: Role
) -> None:
    pieces = read(b'{"page":' + page + b',"r":[]}', "$.r[*]", "$.page.count")
    assert items(pieces, role) == [json.loads(page)]
    assert items(pieces, Role.TOTAL) == []


def test_a_total_that_is_a_container_is_stray() -> None:
    pieces = read(b'{"total":{"a":1},"r":[]}', "$.r[*]", "$.total")
    assert items(pieces, Role.STRAY) == [{"a": 1}]


# Strictness around the records


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"{", b'{"r"', b'{"r":', b'{"r":[', b'{"r":[1', b'{"r":[1]', b'{"r":[1],',
     b'{"r":[1}', b'{"r":[1]]', b'{"r":[1]}}', b'{"r":[1]}{}', b'{"r":[1]}x', b'{"r":[1]}\x00',
     b'{"r":[1,]}',
     b'{"r":[,1]}', b'{"r":[1,,2]}', b'{"r":[1 2]}', b'{"r":[1],}', b'{,"r":[1]}',
     b'{"r":[1] "x":2}',
     b'{"r" [1]}', b'{"r":[1],"x":}', b'{"r":[1],"x" 1}', b'{"r":[1],x:1}', b'{"r":[1],"x":NaN}',
     b"{'r':[1]}", b'{"r":[NaN]}', b'{"r":[{"a":1}{"a":2}]}', b'{"r":[{]}', b'{"r":[[}]]}',
     b'{"r":[1]/**/}', b'\x0c{"r":[1]}', b'{"r":[\x0b1]}', b'{"r":["\xff"]}', b'{"\xff":1,"r":[]}',
     rb'{"x":"\ud800","r":[]}', b'cb({"r":[1]})', b')]}\'\n{"r":[1]}', b'\x1e{"r":[1]}', b'NaN',
     b'\xef\xbb\xbf\xef\xbb\xbf{"r":[1]}', b'{"r":[1],"x":tru}', b'{"x":1:2,"r":[1]}'],
)  # fmt: skip
def test_what_is_not_strict_json_is_malformed_wherever_it_stands(body: bytes) -> None:
    """A48, A49."""
    assert refusal(body) is Code.BODY_MALFORMED


@pytest.mark.parametrize(
    ("body", "records"),
    [
        (b'{"r":[1],"r":[2]}', "$.r[*]"),
        (b'{"x":1,"r":[1],"x":1}', "$.r[*]"),
        (rb'{"r":[1],"\u0072":2}', "$.r[*]"),
        (b'{"r":[{"a":1,"a":1}]}', "$.r[*]"),
        (b'{"x":{"a":1,"a":1},"r":[]}', "$.r[*]"),
        (b'{"A":1,"B":2,"A":3}', "$.*"),
        (b'{"A":{"r":1},"A":{"r":2}}', "$.*.r"),
        (b'{"c":[{"r":[]},{"r":[],"r":[]}]}', "$.c[*].r[*]"),
    ],
)
def test_a_duplicate_name_in_the_envelope_is_ambiguous(body: bytes, records: str) -> None:
    """A44."""
    assert refusal(body, records) is Code.BODY_AMBIGUOUS


def test_a_duplicate_name_is_found_across_batches() -> None:
    many = b",".join(b'"k%d":{"id":%d}' % (i, i) for i in range(10_000))
    assert len(items(read(b"{" + many + b"}", "$.*"))) == 10_000
    assert refusal(b"{" + many + b',"k3":1}', "$.*") is Code.BODY_AMBIGUOUS


def test_names_that_must_be_remembered_are_bounded() -> None:
    """A56."""
    limits = Limits(record=1000)
    many = b",".join(b'"k%d":1' % i for i in range(10_000))
    assert refusal(b"{" + many + b"}", "$.*", limits) is Code.BODY_TOO_COMPLEX
    assert refusal(b"{" + many + b',"r":[]}', "$.r[*]", limits) is Code.BODY_TOO_COMPLEX


def test_a_byte_order_mark_before_the_document_stays_and_another_is_refused() -> None:
    """A18."""
    body = b'\xef\xbb\xbf{"r":[1]}'
    assert together(read(body, "$.r[*]")) == body
    assert items(read(b"\xef\xbb\xbf7", "$")) == [7]
    assert refusal(b"\xef\xbb\xbf" + body, "$") is Code.BODY_MALFORMED


@pytest.mark.parametrize(("before", "levels"), [(b"", 2), (b"1,1,", 2), (b"1," * WINDOW, 2)])
def test_depth_is_counted_from_the_document(before: bytes, levels: int) -> None:
    """A47."""
    limits = Limits(depth=10)

    def deep(depth: int) -> bytes:
        record = b"[" * (depth - levels) + b"1" + b"]" * (depth - levels)
        return b'{"r":[' + before + record + b"," + record + b",1,1]}"

    assert items(read(deep(10), "$.r[*]", limits=limits))
    assert refusal(deep(11), limits=limits) is Code.BODY_TOO_COMPLEX
    assert refusal(b"[[1]]", "$[*][*]", Limits(depth=1)) is Code.BODY_TOO_COMPLEX


@pytest.mark.parametrize("records", ["$", "$.r[*]"])
def test_a_record_may_be_as_large_as_the_limit_and_no_larger(records: str) -> None:
    limits = Limits(record=1000)
    wrap = (b'{"r":[%b]}' if records != "$" else b"%b").__mod__
    largest = b'"' + b"x" * 998 + b'"'
    assert len(items(read(wrap(largest), records, limits=limits))[0]) == 998
    assert refusal(wrap(largest + b" "), records, limits) is Code.BODY_TOO_LARGE


def test_data_outside_the_records_is_limited_like_a_record() -> None:
    limits = Limits(record=1000)
    for long in b'"' + b"x" * 999 + b'"', b'"x"' + b" " * 998, b" " * 1001 + b"1":
        assert refusal(b'{"x":' + long + b',"r":[]}', limits=limits) is Code.BODY_TOO_LARGE
    assert refusal(b'{"' + b"x" * 2000 + b'":1,"r":[]}', limits=limits) is Code.BODY_TOO_LARGE
    assert refusal(b" " * 2000 + b'{"r":[]}', limits=limits) is Code.BODY_TOO_LARGE


# Batches

HOSTILE: list[Any] = [
    {"id": 1, "items": [{"id": 2}, {"id": 3}]},
    {"id": 1, "note": '},{"id":'},
    {"id": 1, "note": "},{"},
    {"id": 1, "list": [[{"id": 1}], [{"id": 2}]]},
    {"id": '"},{"id"'},
    {"note": "]},{[", "id": "\\"},
    [1, [2], "],["],
    [],
    {},
    "},{",
    "\\",
    ",",
    7,
    None,
]
SHAPES = ["$[*]", "$.*", "$.r[*]", "$.a.r[*]", "$.r.*", "$.c[*].r[*]", "$.c[*].*", "$.c.*.r[*]"]


def shaped(records: list[Any], locator: str, parts: int) -> Any:
    """A document with the records where the locator finds them, spread over `parts` containers."""

    def build(records: list[Any], steps: tuple[Any, ...]) -> Any:
        if not steps:
            return records[0]
        step, rest = steps[0], steps[1:]
        if isinstance(step, str):
            return {"total": 3, step: build(records, rest), "included": [{"id": 1}]}
        size = max(1, -(-len(records) // parts)) if rest else 1
        several = [records[at : at + size] for at in range(0, len(records), size)]
        built = [build(some, rest) for some in several]
        if step.value == "[*]":
            return built
        return {f"k{number}": value for number, value in enumerate(built)}

    return build(records, compile(locator))


@given(
    records=st.lists(st.sampled_from(HOSTILE), max_size=40),
    alike=st.booleans(),
    locator=st.sampled_from(SHAPES),
    parts=st.integers(1, 5),
    seed=st.one_of(st.none(), st.integers(0, 99)),
    limit=st.sampled_from([300, 600, 1 << 20]),
    chunk=st.sampled_from([1, 7, 1 << 18]),
)
def test_the_pieces_are_the_document_and_its_records_however_it_is_cut(
    records: list[Any],
    alike: bool,
    locator: str,
    parts: int,
    seed: int | None,
    limit: int,
    chunk: int,
) -> None:
    """Small limits make small windows, and each window is a guess."""
    if alike:
        records = records[:1] * len(records)
    document = shaped(records, locator, parts)
    body = (
        json.dumps(document, separators=(",", ":")).encode()
        if seed is None
        else spaced(document, seed)
    )
    pieces = read(body, locator, limits=Limits(record=limit), chunk=chunk)
    assert together(pieces) == body
    assert items(pieces) == find(document, compile(locator)) == records


@given(
    records=st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=30),
    locator=st.sampled_from(SHAPES),
    data=st.data(),
)
def test_a_document_with_one_byte_changed_is_refused_or_read_as_others_read_it(
    records: list[Any], locator: str, data: st.DataObject
) -> None:
    body = bytearray(json.dumps(shaped(records, locator, 3), separators=(",", ":")).encode())
    at = data.draw(st.integers(0, len(body) - 1))
    change = data.draw(st.sampled_from([b"", b",", b"]", b"}", b"[", b"{", b'"', b":", b"1", b" "]))
    body[at : at + data.draw(st.integers(0, 1))] = change
    try:
        pieces = read(bytes(body), locator, limits=Limits(record=600))
    except BadUpstream:
        return
    assert together(pieces) == body
    assert items(pieces) == find(json.loads(bytes(body)), compile(locator))


def test_most_of_a_large_array_is_read_in_batches() -> None:
    record = {"id": 1, "items": [{"id": 2}, {"id": 3}], "note": "x" * 200}
    body = json.dumps({"orders": [record] * 2_000}, separators=(",", ":")).encode()
    pieces = read(body, "$.orders[*]")
    assert len(items(pieces)) == 2_000
    assert len(pieces) < 60


def test_a_record_larger_than_the_window_is_read_among_small_ones() -> None:
    large = {"id": 1, "note": "x" * (3 * WINDOW)}
    records = [{"id": 1}] * 50 + [large] + [{"id": 2}] * 5_000 + [large, large]
    body = json.dumps({"r": records}).encode()
    pieces = read(body, "$.r[*]")
    assert items(pieces) == records
    assert together(pieces) == body
