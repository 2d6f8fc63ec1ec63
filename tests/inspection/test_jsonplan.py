"""The way a scan takes through a document, from the endpoint's locators."""

import re

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.jsonlineage import climb
from gateway.inspection.jsonplan import Also, Each, Envelope, Leaf, Plan, noticed, plan
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


def climbing(records: str, *texts: str, totals: tuple[str, ...] = ()) -> Plan:
    climbs = tuple(climb(text, str(place)) for place, text in enumerate(texts))
    return plan(records, totals, tuple(each for each in climbs if each))


def test_what_names_owners_above_the_records_has_its_place_in_the_envelope() -> None:
    assert climbing("$.a[*].b[*]", "$^^.id", "$^^.by.x", "$^^^^.id") == Envelope(
        {
            "a": Each(
                Container.ARRAY,
                Envelope({"b": RECORDS}, "b", True, {"id": [("0", ())], "by": [("1", ("x",))]}),
            )
        },
        "a",
        False,
        {"id": [("2", ())]},
    )


def test_the_names_in_a_map_have_the_places_of_those_who_look_for_them() -> None:
    assert climbing("$.*.*[*]", "$^~", "$^^~") == Each(
        Container.OBJECT, Each(Container.OBJECT, RECORDS, ("0",)), ("1",)
    )
    assert climbing("$.*", "$~") == Each(Container.OBJECT, Leaf.RECORD, ("name",))


@pytest.mark.parametrize(
    ("records", "text"),
    [
        ("$", "$^.id"),
        ("$", "$~"),
        ("$[*]", "$^.id"),
        ("$[*]", "$^^.id"),
        ("$[*]", "$~"),
        ("$.a", "$~"),
        ("$.*", "$^~"),
        ("$.*", "$^.id"),
        ("$.a[*]", "$^^.a"),
        ("$.a[*]", "$^~"),
        ("$.a[*]", "$^^.page.id"),
    ],
)
def test_a_locator_that_climbs_to_where_no_owner_is_named_is_a_fault(
    records: str, text: str
) -> None:
    with pytest.raises(LocatorError, match=re.escape(text)):
        climbing(records, text, totals=("$.page.count",) if records == "$.a[*]" else ())
    assert climbing("$.a[*]", "$^^.id")


def test_several_sets_of_records_share_what_they_can() -> None:
    found = plan("$.a[*].b[*]", (), (), (("$.a[*].c.*", ()), ("$.d", ())))
    assert found == Envelope(
        {
            "a": Each(
                Container.ARRAY,
                Envelope({"b": RECORDS, "c": Each(Container.OBJECT, Also(1))}, "b", True),
            ),
            "d": Also(2),
        },
        "a",
        False,
    )


@pytest.mark.parametrize(
    ("records", "also"),
    [
        ("$", "$.a"),
        ("$.a", "$"),
        ("$.a[*]", "$.a[*]"),
        ("$.a[*]", "$.a[*].b[*]"),
        ("$.a[*]", "$.a"),
        ("$.a[*]", "$.a.b"),
        ("$.a[*]", "$.a.*"),
    ],
)
def test_records_in_or_above_others_are_a_fault(records: str, also: str) -> None:
    with pytest.raises(LocatorError, match=re.escape(also)):
        plan(records, (), (), ((also, ()),))
    assert plan(records, (), (), (("$.c", ()),) if records != "$" else ())


def test_a_total_or_an_owner_in_the_way_of_another_set_is_a_fault() -> None:
    with pytest.raises(LocatorError):
        plan("$.a[*]", ("$.b",), (), (("$.b[*]", ()),))
    owner = climb("$^^.b", "0")
    assert owner
    with pytest.raises(LocatorError):
        plan("$.a[*]", (), (owner,), (("$.b[*]", ()),))
    assert plan("$.a[*]", ("$.n",), (owner,), (("$.c[*]", ()),))


def test_a_notice_stands_at_the_root_around_the_records() -> None:
    found = noticed(plan("$.data.items[*]", ("$.data.count",)), "removed")
    assert found.notice == "removed" and found.child("removed") is None
    with pytest.raises(BadUpstream) as caught:
        found.child("Removed")
    assert caught.value.code is Code.BODY_AMBIGUOUS
    for route, name in (
        (plan("$"), "removed"),
        (plan("$.*"), "removed"),
        (plan("$.data[*]"), "Data"),
        (plan("$.data[*]", ("$.count",)), "count"),
        (plan("$.data[*]", (), tuple(filter(None, [climb("$^^.id")]))), "id"),
    ):
        with pytest.raises(LocatorError, match=name):
            noticed(route, name)
