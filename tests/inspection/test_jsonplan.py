"""The way a scan takes through a document, from the endpoint's locators."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.jsonplan import Each, Envelope, Leaf, plan
from gateway.inspection.jsontext import Container
from gateway.inspection.locators import LocatorError

RECORDS = Each(Container.ARRAY, Leaf.RECORD)


def test_the_whole_document_is_one_record() -> None:
    assert plan("$") is Leaf.RECORD


def test_a_wildcard_at_the_end_finds_many_records() -> None:
    assert plan("$[*]") == RECORDS
    assert plan("$.*") == Each(Container.OBJECT, Leaf.RECORD)
    assert plan("$.orders[*]") == Envelope({"orders": RECORDS}, "orders", repeated=False)


def test_totals_are_places_in_the_envelope() -> None:
    assert plan("$.orders[*]", ("$.total", "$.page.count", "$.total")) == Envelope(
        {
            "total": Leaf.TOTAL,
            "page": Envelope({"count": Leaf.TOTAL}, None, repeated=False),
            "orders": RECORDS,
        },
        "orders",
        repeated=False,
    )


def test_a_total_may_stand_beside_records_further_in() -> None:
    assert plan("$.data.items[*]", ("$.data.count",)) == Envelope(
        {"data": Envelope({"count": Leaf.TOTAL, "items": RECORDS}, "items", repeated=False)},
        "data",
        repeated=False,
    )


def test_what_a_wildcard_leads_to_is_repeated() -> None:
    assert plan("$.a[*].b.*") == Envelope(
        {
            "a": Each(
                Container.ARRAY,
                Envelope({"b": Each(Container.OBJECT, Leaf.RECORD)}, "b", repeated=True),
            )
        },
        "a",
        repeated=False,
    )


@pytest.mark.parametrize(
    ("records", "totals", "named"),
    [
        ("$", ("$.total",), "$.total"),
        ("$[*]", ("$.total",), "$.total"),
        ("$.a[*]", ("$.a",), "$.a"),
        ("$.a[*]", ("$.a.b",), "$.a.b"),
        ("$.a.b[*]", ("$.a",), "$.a"),
        ("$.a", ("$.a",), "$.a"),
        ("$.a[*]", ("$.b[*]",), "$.b[*]"),
        ("$.a[*]", ("$.b.*",), "$.b.*"),
        ("$.a[*]", ("$",), "$"),
        ("$.a[*]", ("$.b", "$.b.c"), "$.b"),
        ("$.a[0]", (), "$.a[0]"),
        ("$.a[*]", ("$.b c",), "$.b c"),
    ],
)
def test_locators_that_contradict_each_other_are_refused(
    records: str, totals: tuple[str, ...], named: str
) -> None:
    with pytest.raises(LocatorError) as caught:
        plan(records, totals)
    assert repr(named) in str(caught.value)


def test_a_name_that_looks_like_one_on_the_way_is_ambiguous() -> None:
    envelope = plan("$.a[*]", ("$.total",))
    assert isinstance(envelope, Envelope)
    assert envelope.child("a") == Each(Container.ARRAY, Leaf.RECORD)
    assert envelope.child("total") is Leaf.TOTAL
    assert envelope.child("b") is None
    for name in ("A", " a", "TOTAL"):
        with pytest.raises(BadUpstream) as caught:
            envelope.child(name)
        assert caught.value.code is Code.BODY_AMBIGUOUS
