"""A small document read whole means what it means piece by piece."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection import jsonwhole
from gateway.inspection.formats import json as reader
from gateway.inspection.jsonplan import plan
from gateway.inspection.jsonrecords import Census
from gateway.inspection.jsonscan import Items, Role, scan
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.source import Body, InMemory
from gateway.inspection.tally import Tally
from gateway.model import Format

PLACES = (
    *("$", "$[*]", "$.a", "$.a[*]", "$.a.b[*]", "$.*", "$.a.*", "$[*].a[*]", "$.a[*].b"),
    *("$.*.a[*]", "$.a.*.b", "$[*].*.a[*]", "$.*.*.*"),
)
KEYS = st.sampled_from(["a", "b", "id", "c"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "x", "me"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def spec_of(records: str, totals: tuple[str, ...] = ()) -> BodySpec:
    return BodySpec(Format.JSON, records, ({"account": ("$.id",)},), totals=totals)


def whole(document: bytes, spec: BodySpec) -> Any:
    tally = Tally(Limits())
    census, route = Census(spec, Limits(), tally), plan(spec.records, tuple(spec.totals))
    try:
        jsonwhole.count(document, route, Limits(), census)
    except BadUpstream as refusal:
        return refusal.code
    return {(group, group.first) for group in tally.groups}, tally.fields


def pieces(document: bytes, spec: BodySpec) -> Any:
    tally = Tally(Limits())
    census, route = Census(spec, Limits(), tally), plan(spec.records, tuple(spec.totals))
    try:
        for piece in scan(Body(InMemory(document), (), Limits()), route, Limits()):
            if isinstance(piece, Items) and piece.role is Role.RECORD:
                census.count(piece.values)
            elif isinstance(piece, Items) and piece.role is Role.STRAY:
                census.count_stray()
    except BadUpstream as refusal:
        return refusal.code
    return {(group, group.first) for group in tally.groups}, tally.fields


@pytest.mark.parametrize("records", PLACES)
@given(value=VALUES, indent=st.sampled_from([None, 1]))
def test_both_readings_count_the_same_or_both_refuse(
    records: str, value: Any, indent: int | None
) -> None:
    document = json.dumps(value, indent=indent).encode()
    one, other = whole(document, spec_of(records)), pieces(document, spec_of(records))
    assert one == other


@given(value=VALUES, cut=st.integers(0, 60), noise=st.sampled_from([b"", b",", b"]", b"\x00"]))
def test_both_readings_refuse_the_same_damaged_documents(
    value: Any, cut: int, noise: bytes
) -> None:
    text = json.dumps({"a": value}).encode()
    damaged = text[: max(0, len(text) - cut)] + noise
    one, other = whole(damaged, spec_of("$.a[*]")), pieces(damaged, spec_of("$.a[*]"))
    assert isinstance(one, Code) == isinstance(other, Code)
    if not isinstance(one, Code):
        assert one == other


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b'{"a":[{"id":"me","id":"x"}]}', Code.BODY_AMBIGUOUS),
        (b'{"a":[],"a":[{"id":"x"}]}', Code.BODY_AMBIGUOUS),
        (b'{"b":[]}', Code.BODY_AMBIGUOUS),
        (b'{"a":{}}', Code.BODY_AMBIGUOUS),
        (b"", Code.BODY_MALFORMED),
        (b'{"a":[]}{}', Code.BODY_MALFORMED),
        (b'\xef\xbb\xbf\xef\xbb\xbf{"a":[]}', Code.BODY_MALFORMED),
        (b'{"a":[' + b"[" * 200 + b"]" * 200 + b"]}", Code.BODY_TOO_COMPLEX),
    ],
)
def test_what_is_ambiguous_malformed_or_too_deep_is_refused_in_both(
    document: bytes, code: Code
) -> None:
    assert whole(document, spec_of("$.a[*]")) is code
    assert pieces(document, spec_of("$.a[*]")) is code


def test_a_byte_order_mark_may_stand_before_the_document_in_both() -> None:
    document = b'\xef\xbb\xbf{"a":[{"id":"me"}],"n":1}'
    assert whole(document, spec_of("$.a[*]")) == pieces(document, spec_of("$.a[*]"))


def test_a_document_over_the_small_size_gives_the_same_counts() -> None:
    for count in (10, 10_000):
        document = json.dumps({"a": [{"id": "me"}] * count, "b": [1]}).encode()
        tally = Tally(Limits())
        reader.inspect(Body(InMemory(document), (), Limits()), spec_of("$.a[*]"), Limits(), tally)
        assert sorted(group.records for group in tally.groups) == [1, count]
