"""Revisions: three forms that are in order, and what may follow what."""

import pytest

from gateway.policy.bundles.contents import Edition
from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.revisions import Form, check_succession, order

IN_ORDER = [
    ["0", "1", "2", "10", "0100", "999999999999999999"],
    ["v0.1", "0.2", "v1.0.0", "1.0.1", "v1.2.3.4", "1.10", "2.0"],
    ["2025-12-31T23:59:59Z", "2026-06-01T12:00:00Z", "2026-06-01T12:00:00.5Z+9f3c2e1"],
]


@pytest.mark.parametrize("revisions", IN_ORDER, ids=[form.value for form in Form])
def test_each_form_is_in_order(revisions: list[str]) -> None:
    orders = [order(revision) for revision in revisions]
    assert all(orders)
    places = [each.place for each in orders if each]
    assert places == sorted(places)
    assert len({each.form for each in orders if each}) == 1


@pytest.mark.parametrize(
    "revision",
    [
        "",
        "9f3c2e1",
        "main",
        "v1",
        "1.",
        ".1",
        "1.0-rc1",
        "-1",
        " 1",
        "1 ",
        "1\n",
        "1e3",
        "１",
        "٣",
        "1.2.3.4.5",
        "2026-06-01",
        "2026-02-30T12:00:00Z",
        "2026-06-01T12:00:00",
        "9" * 19,
        "2026-06-01T12:00:00+02:00",
        "sha256:" + "0" * 64,
    ],
)
def test_anything_else_has_no_order(revision: str) -> None:
    assert order(revision) is None


def test_what_follows_a_plus_does_not_count() -> None:
    assert order("42+9f3c2e1") == order("42") == order("42+")


def succeeds(before: str, after: str) -> str:
    """Empty where it may follow, else what is said."""
    try:
        check_succession(Edition(before, "a" * 64), Edition(after, "b" * 64), "origin")
    except BundleError as refusal:
        assert str(refusal).startswith("origin: ")
        return refusal.message
    return ""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("41", "42"),
        ("v1.9", "v1.10"),
        ("41+aaa", "42+bbb"),
        ("", "1"),
        ("main", "other"),
        ("", ""),
        ("main", ""),
        ("main", "1"),
        ("2026-06-01T12:00:00Z", "2026-06-01T12:00:01Z"),
    ],
)
def test_a_later_one_follows(before: str, after: str) -> None:
    assert succeeds(before, after) == ""


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("42", "41", "older than the active one"),
        ("10", "9", "older than the active one"),
        ("v1.10", "v1.9", "older than the active one"),
        ("2026-06-01T12:00:00Z", "2026-06-01T11:59:59Z", "older than the active one"),
        ("42", "42", "has the revision of the active bundle, but other content"),
        ("main", "main", "has the revision of the active bundle, but other content"),
        ("42+aaa", "42+bbb", "not newer than the active one"),
        ("v1.0", "1.0.0", "not newer than the active one"),
        ("42", "", "the active revision is a number, and this one is not"),
        ("42", "main", "the active revision is a number, and this one is not"),
        ("42", "v43.0", "the active revision is a number, and this one is not"),
        ("v1.0", "2026-06-01T12:00:00Z", "the active revision is a version"),
        ("2026-06-01T12:00:00Z", "99", "the active revision is a time"),
    ],
)
def test_an_older_one_or_one_that_may_be_older_does_not(before: str, after: str, says: str) -> None:
    assert says in succeeds(before, after)


def test_the_same_content_follows_itself_and_anything_follows_nothing() -> None:
    edition = Edition("42", "a" * 64)
    check_succession(edition, edition, "origin")
    check_succession(None, Edition("", "a" * 64), "origin")
