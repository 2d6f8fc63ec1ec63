"""Locators: what they compile to, what they find, and whose that makes a record."""

import unicodedata
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection import locators
from gateway.inspection.locators import Attributor, LocatorError, Wildcard, compile, find
from gateway.model import SubjectRef

ELEMENTS, MEMBERS = Wildcard.ELEMENTS, Wildcard.MEMBERS
BY_ID = ({"account": ("$.id",)},)


def account(value: str | int) -> SubjectRef:
    return SubjectRef("account", value)


def refusal(record: Any, subject: Any = BY_ID) -> Code:
    with pytest.raises(BadUpstream) as caught:
        locators.owners_of(record, subject)
    return caught.value.code


def test_what_leads_out_of_a_record_climbs() -> None:
    assert [*map(locators.climbs, ("$^.id", "$^^.id", "$~", "$^~"))] == [True] * 4
    assert [*map(locators.climbs, ("$", "$.id", "$['^']", "^", "../id"))] == [False] * 5


# Compiling


@pytest.mark.parametrize(
    ("locator", "steps"),
    [
        ("$", ()),
        ("$.customer.id", ("customer", "id")),
        ("$.orders[*]", ("orders", ELEMENTS)),
        ("$[*]", (ELEMENTS,)),
        ("$.*", (MEMBERS,)),
        ("$.resources.*.customer", ("resources", MEMBERS, "customer")),
        ("$['a b'].c", ("a b", "c")),
        ('$["a\'b"]', ("a'b",)),
        (r"$['it\'s']['\\']", ("it's", "\\")),
        ("$['']", ("",)),
        ("$['@type']", ("@type",)),
        ("$._links.größe", ("_links", "größe")),
        ("$['*']", ("*",)),
    ],
)
def test_a_locator_is_compiled_to_its_steps(locator: str, steps: Any) -> None:
    assert compile(locator) == steps
    assert compile(locators.written(steps)) == steps


@pytest.mark.parametrize(
    ("locator", "position"),
    [
        ("", 0),
        ("customer.id", 0),
        ("$customer", 1),
        ("$.", 1),
        ("$..id", 1),
        ("$.a..b", 3),
        ("$.a.", 3),
        ("$.a[0]", 3),
        ("$.a[1:2]", 3),
        ("$.a[?(@.b)]", 3),
        ("$.a['b'", 3),
        ("$.a['b]", 3),
        (r"$.a['\n']", 3),
        ("$.a[*", 3),
        ("$.2a", 1),
        ("$.a-b", 3),
        ("$.a b", 3),
        ("$.a ", 3),
        (" $.a", 0),
        ("$.a\n", 3),
        ("$[ * ]", 1),
    ],
)
def test_what_is_no_locator_is_refused_with_its_place(locator: str, position: int) -> None:
    with pytest.raises(LocatorError, match=f"at position {position}: ") as caught:
        compile(locator)
    assert repr(locator) in str(caught.value)


# Finding


@pytest.mark.parametrize(
    ("locator", "found"),
    [
        ("$.a.b", [1]),
        ("$.list[*].id", [1, 2]),
        ("$.map.*.id", [3, 4]),
        ("$.list[*]", [{"id": 1}, {"id": 2}, {"x": 3}, 7]),
        ("$.absent", []),
        ("$.a.b.c", []),
        ("$.a[*]", []),
        ("$.list.*", []),
        ("$.null", [None]),
        ("$['a.b']", [9]),
    ],
)
def test_a_locator_finds_all_it_leads_to_and_nothing_else(locator: str, found: list[Any]) -> None:
    value = {
        "a": {"b": 1},
        "list": [{"id": 1}, {"id": 2}, {"x": 3}, 7],
        "map": {"p": {"id": 3}, "q": {"id": 4}},
        "null": None,
        "a.b": 9,
    }
    assert find(value, compile(locator)) == found


def test_the_root_is_the_value_itself() -> None:
    assert find([1], compile("$")) == [[1]]


# Identifiers


@pytest.mark.parametrize("value", ["A1", "x" * 1024, " me", "ME", "４２", "é", 0, -1, 2**63 - 1])
def test_a_text_or_an_exact_integer_is_an_identifier(value: Any) -> None:
    assert locators.owners_of({"id": value}, BY_ID) == (account(value),)


@pytest.mark.parametrize(
    "value",
    [None, True, False, 1.0, 1e400, [], ["A1"], {}, "", "x" * 1025, 2**63, -(2**63) - 1,
     "a\0", "a\n", "\x7f", "\x85", "\ud800"],
)  # fmt: skip
def test_what_readers_may_take_for_different_identifiers_makes_the_body_ambiguous(
    value: Any,
) -> None:
    assert refusal({"id": value}) is Code.BODY_AMBIGUOUS


def test_a_text_and_a_number_are_two_subjects() -> None:
    """A93."""
    as_text, as_number = (locators.owners_of({"id": value}, BY_ID)[0] for value in ("42", 42))
    assert as_text != as_number


@pytest.mark.parametrize(
    "lookalike", [" me", "me ", "ME", "me\u200b", "ｍｅ", "mе", "me\u0301", "m\u212ae"]
)
def test_a_lookalike_is_another_subject(lookalike: str) -> None:
    """A94."""
    assert locators.owners_of({"id": lookalike}, BY_ID) != (account("me"),)


# Owners


@pytest.mark.parametrize("record", [{}, {"x": 1}, {"ids": "A1"}, [], "id", 7, None])
def test_a_record_without_the_identifier_is_unattributed(record: Any) -> None:
    """A93."""
    assert locators.owners_of(record, BY_ID) == ()


@pytest.mark.parametrize("name", ["ID", "id ", "ｉｄ"])
def test_a_record_that_only_some_parsers_find_an_identifier_in_is_ambiguous(name: str) -> None:
    """A52. For a client in Go it is A1's."""
    assert refusal({name: "A1"}) is Code.BODY_AMBIGUOUS
    for records in ([{"id": "A1"}, {name: "A1"}], [{"x": 1}, {name: "A1"}]):
        with pytest.raises(BadUpstream) as caught:
            locators.Attributor(BY_ID).each(records)
        assert caught.value.code is Code.BODY_AMBIGUOUS


def test_without_a_subject_nothing_has_an_owner() -> None:
    assert locators.owners_of({"id": "A1"}, ()) == ()


@pytest.mark.parametrize("other", ["ID", "Id", "id ", "ｉｄ", "\tid"])
def test_two_names_that_some_parsers_take_for_one_are_ambiguous(other: str) -> None:
    record = {"id": "A1", other: "A2"}
    assert refusal(record) is Code.BODY_AMBIGUOUS
    assert locators.owners_of({"id": "A1", "x" + other: "A2"}, BY_ID) == (account("A1"),)


def test_all_locators_of_a_kind_must_find_the_same() -> None:
    """A95."""
    subject = ({"account": ("$.id", "$.owner.id")},)
    assert locators.owners_of({"id": 1, "owner": {"id": 1}}, subject) == (account(1),)
    assert refusal({"id": 1, "owner": {"id": 2}}, subject) is Code.BODY_AMBIGUOUS
    assert refusal({"id": 1, "owner": {"id": "1"}}, subject) is Code.BODY_AMBIGUOUS
    assert refusal({"id": 1, "owner": {"id": True}}, subject) is Code.BODY_AMBIGUOUS


def test_one_locator_that_finds_nothing_leaves_the_record_unattributed() -> None:
    subject = ({"account": ("$.id", "$.owner.id")},)
    assert locators.owners_of({"id": 1}, subject) == ()
    assert locators.owners_of({"owner": {"id": 1}}, subject) == ()


def test_a_bad_identifier_is_ambiguous_even_where_another_is_missing() -> None:
    for subject in ({"account": ("$.id", "$.x")},), ({"account": ("$.x", "$.id")},):
        assert refusal({"id": None}, subject) is Code.BODY_AMBIGUOUS


def test_each_kind_and_each_owner_map_names_an_owner() -> None:
    subject = ({"account": ("$.from",), "email": ("$.mail",)}, {"account": ("$.to",)})
    record = {"from": "A1", "to": "A2", "mail": "a@b"}
    assert locators.owners_of(record, subject) == (
        account("A1"),
        SubjectRef("email", "a@b"),
        account("A2"),
    )
    assert locators.owners_of({"from": "A1", "mail": "a@b"}, subject) == ()


def test_a_wildcard_may_find_several_owners_each_counted_once() -> None:
    subject = ({"email": ("$.members[*].email",)},)
    record = {"members": [{"email": "a"}, {"email": "b"}, {"email": "a"}]}
    assert locators.owners_of(record, subject) == (
        SubjectRef("email", "a"),
        SubjectRef("email", "b"),
    )
    assert locators.owners_of({"members": []}, subject) == ()


@pytest.mark.parametrize(
    "members",
    [
        [{"email": "a"}, {"name": "canary"}],
        [{"email": "a"}, "canary"],
        [{"email": "a"}, None],
        [{"email": "a"}, [{"email": "b"}]],
        [{}],
    ],
)
def test_an_owner_beside_others_without_an_identifier_leaves_it_unattributed(
    members: list[Any],
) -> None:
    """One of its owners is unknown: those that are known can't speak for all."""
    subject = ({"email": ("$.members[*].email",)},)
    assert locators.owners_of({"members": members}, subject) == ()
    whole = {"members": [{"email": "a"}, {"email": "b"}]}
    assert len(locators.owners_of(whole, subject)) == 2


def test_an_empty_list_of_owners_beside_another_names_nobody() -> None:
    subject = ({"email": ("$.teams[*].members[*].email",)},)
    record = {"teams": [{"members": [{"email": "a"}]}, {"members": []}]}
    assert locators.owners_of(record, subject) == (SubjectRef("email", "a"),)
    assert locators.owners_of({"teams": [{"members": [{"email": "a"}]}, {}]}, subject) == ()
    assert locators.owners_of({"teams": [{"members": []}]}, subject) == ()


def test_locators_with_wildcards_agree_as_sets() -> None:
    subject = ({"account": ("$.a[*]", "$.b[*]")},)
    assert locators.owners_of({"a": [1, 2], "b": [2, 1, 1]}, subject) == (account(1), account(2))
    assert refusal({"a": [1, 2], "b": [1]}, subject) is Code.BODY_AMBIGUOUS


def test_a_refusal_names_the_locator_and_not_the_value() -> None:
    with pytest.raises(BadUpstream) as caught:
        locators.owners_of({"id": ["canary"]}, BY_ID)
    assert "$.id" in caught.value.note
    assert "canary" not in caught.value.note


def test_a_comma_that_only_looks_like_one_hides_no_name() -> None:
    by_comma = ({"account": ("$['Konto\uff0cNr']",)},)
    alike = {"Konto\uff0cNr": "me", "konto,nr": "victim"}
    assert refusal(alike, by_comma) is Code.BODY_AMBIGUOUS
    with pytest.raises(BadUpstream):
        Attributor(by_comma).keyed([alike])[1](("me",))


def test_a_name_too_long_to_look_like_the_locators_is_never_normalised() -> None:
    """It would take quadratic time: a second for 60 KB of combining marks."""
    marks = "id" + "\u0316\u0301" * 100
    with mock.patch.object(unicodedata, "normalize", side_effect=AssertionError):
        locators.check_names({"id": "A1", marks: 1}, ("id",), "$.id")
    assert refusal({"id": "A1", "ID" + " " * 10_000: 1}, BY_ID) is Code.BODY_AMBIGUOUS


@given(
    st.sets(st.text("idID \u212a\u0130k,\uff0c\t\x00x", max_size=4), max_size=5),
    st.sampled_from(["id", "ID", "k", "K", "i,d", "i\uff0cd", " id", "\u212a", "x", ""]),
)
def test_a_look_at_many_names_sees_what_looking_at_each_does(names: set[str], other: str) -> None:
    each = any(locators.alike(name, other) for name in names)
    assert locators.any_alike(names, other) == each


# Many at once

VALUES = st.sampled_from(["A1", "A2", "1", 1, 2, 0, True, False, 1.0, None, [], "", "x\n", 2**63])
RECORDS = st.one_of(
    st.dictionaries(st.sampled_from(["id", "ID", "x"]), VALUES),
    st.fixed_dictionaries({"id": VALUES, "owner": st.fixed_dictionaries({"id": VALUES})}),
    st.fixed_dictionaries({"id": st.sampled_from(["A1", 1]), "owner": st.just({"id": "A1"})}),
    VALUES,
)
SUBJECTS = st.sampled_from(
    [
        (),
        BY_ID,
        ({"account": ("$.id", "$.owner.id")},),
        ({"account": ("$.id",), "other": ("$.owner.id",)},),
        ({"account": ("$.id",)}, {"account": ("$.owner.id",)}),
        ({"account": ("$.*",)},),
    ]
)


@given(subject=SUBJECTS, batches=st.lists(st.lists(RECORDS, max_size=4), max_size=4))
def test_many_records_have_the_owners_that_each_has(subject: Any, batches: list[Any]) -> None:
    each, keyed = Attributor(subject), Attributor(subject)

    def owners_by_key(records: Any) -> Any:
        keys, owners = keyed.keyed(records)
        return [owners(key) for key in keys]

    for records in batches:
        try:
            expected = [locators.owners_of(record, subject) for record in records]
        except BadUpstream as refusal:
            for ask in each.each, owners_by_key:
                with pytest.raises(BadUpstream) as caught:
                    ask(records)
                assert caught.value.code is refusal.code
            continue
        assert each.each(records) == expected == owners_by_key(records)


def test_what_is_remembered_about_owners_is_bounded() -> None:
    attributor = Attributor(BY_ID)
    for start in range(0, 60_000, 1_000):
        found = attributor.each([{"id": start + i} for i in range(1_000)])
        assert found[-1] == (account(start + 999),)
    assert len(attributor._known) < 20_000


@given(
    st.lists(RECORDS, max_size=6),
    st.sampled_from(["$", "$.id", "$.owner.id", "$[*]", "$.id[*]", "$.owner.*"]),
)
def test_what_is_found_in_many_records_is_what_is_found_in_each(
    records: list[object], locator: str
) -> None:
    steps = locators.compile(locator)

    def one_by_one() -> list[list[object]]:
        for record in records:
            locators.check_names(record, steps, "sizes")
        return [locators.find(record, steps) for record in records]

    try:
        expected = one_by_one()
    except BadUpstream as refusal:
        with pytest.raises(BadUpstream) as caught:
            locators.Finder(locator, "sizes").each(records)
        assert (caught.value.code, caught.value.note) == (refusal.code, refusal.note)
        return
    found = locators.Finder(locator, "sizes").each(records)
    assert list(map(repr, found)) == list(map(repr, expected))
