"""Locators followed through a document: what they find, and what could be taken for it."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.inspection.xmlpaths import Follower, Found, alike
from gateway.inspection.xmlscan import Scan
from gateway.inspection.xpath import Path, compile
from tests.support.reading import Cut


def follower(most: int = 10) -> Follower:
    return Follower(Scan(Cut(b""), Limits(), False), most)


def path(locator: str) -> Path:
    return compile(locator, ("record",), {})


def test_a_trail_leads_to_texts_and_says_where_it_led_nowhere() -> None:
    follow, found = follower(), Found()
    record = follow.begin([(path("a/b"), found)], [], 0)
    for texts in (["1", "2"], ["1"], []):
        inside = follow.descend(record, "a", [], 0)
        for text in texts:
            element = follow.descend(inside, "b", [], 0)
            follow.text(element, text)
            follow.leave(element, 0)
        follow.leave(inside, 0)
        assert found.whole is bool(texts)
    follow.leave(record, 0)
    assert list(found.values) == ["1", "2"]


def test_an_attribute_that_is_empty_or_missing_is_not_found() -> None:
    for attributes, expected in ((["id", "1"], ["1"]), (["id", ""], []), ([], [])):
        follow, found = follower(), Found()
        follow.leave(follow.begin([(path("@id"), found)], attributes, 0), 0)
        assert (list(found.values), found.whole) == (expected, bool(expected))


def test_a_rival_that_says_the_same_is_none() -> None:
    for other, ambiguous in (("1", False), ("2", True)):
        found = Found()
        follow = follower()
        record = follow.begin([(path("@id"), found)], ["id", "1"], 0)
        element = follow.descend(record, "id", [], 0)
        follow.text(element, other)
        follow.leave(element, 0)
        follow.leave(record, 0)
        if ambiguous:
            with pytest.raises(BadUpstream):
                found.check()
        else:
            found.check()


def test_what_was_found_in_two_places_is_found_together() -> None:
    one, other = Found(), Found()
    one.values["a"] = other.values["b"] = None
    other.whole = False
    one.merge(other)
    assert list(one.values) == ["a", "b"] and not one.whole


def test_more_values_than_subjects_are_too_complex() -> None:
    follow, found = follower(most=2), Found()
    with pytest.raises(BadUpstream) as refused:
        for value in "123":
            follow.begin([(path("@id"), found)], ["id", value], 0)
    assert refused.value.code is Code.BODY_TOO_COMPLEX


def test_an_endless_identifier_is_not_gathered() -> None:
    follow = follower()
    record = follow.begin([(path("."), Found())], [], 0)
    with pytest.raises(BadUpstream) as refused:
        for _ in range(5000):
            follow.text(record, "x")
    assert refused.value.code is Code.BODY_AMBIGUOUS


def test_names_are_alike_without_their_namespace_and_case() -> None:
    assert alike("u\x1fid", "id") and alike("ID", "id") and alike("ıd", "ıD") is alike("ID", "id")
    assert not alike("id", "id") and not alike("ids", "id")
    assert alike("u" * 5000 + "\x1fid", "id")
    assert not alike("i" * 100_000, "id")
