"""Patterns over member names, and the owners of members."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.members import (
    UNMATCHED,
    Member,
    compile_pattern,
    first_match,
    joint,
)
from gateway.inspection.settings import MemberSpec
from gateway.model import Attribution, Format, SubjectRef


def account(value: str | int) -> SubjectRef:
    return SubjectRef("account", value)


def email(value: str) -> SubjectRef:
    return SubjectRef("email", value)


def matches(pattern: str, name: str) -> bool:
    return compile_pattern(pattern).match(name) is not None


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("manifest.json", "manifest.json"),
        ("recordings/*.wav", "recordings/1.wav"),
        ("recordings/*.wav", "recordings/.wav"),
        ("*", "a"),
        ("*.*", "a.b.c"),
        ("a*b*c", "a-b-b-c-c"),
        ("**", "a/b/c"),
        ("**", "a"),
        ("**/x.json", "x.json"),
        ("**/x.json", "a/b/x.json"),
        ("a/**", "a/b/c"),
        ("a/**/z", "a/z"),
        ("a/**/z", "a/b/c/z"),
        ("*/**/x", "a/x"),
        ("Google Chat/Groups/*/messages.json", "Google Chat/Groups/DM 1/messages.json"),
        ("a.b+c[d](e)|f^$", "a.b+c[d](e)|f^$"),
        ("\u00e9*", "\u00e9t\u00e9"),
    ],
)
def test_a_pattern_matches_the_whole_name(pattern: str, name: str) -> None:
    assert matches(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("recordings/*.wav", "recordings/a/1.wav"),
        ("recordings/*.wav", "recordings/1.wave"),
        ("recordings/*.wav", "x/recordings/1.wav"),
        ("recordings/*.wav", "Recordings/1.wav"),
        ("*", "a/b"),
        ("a/**", "a"),
        ("**/x.json", "ax.json"),
        ("a/**/z", "az"),
        ("a/**/z", "a/bz"),
        ("a.b", "axb"),
        ("a*bb", "ab"),
        ("\u00e9", "e\u0301"),
        ("a", "a\n"),
    ],
)
def test_a_pattern_matches_nothing_else(pattern: str, name: str) -> None:
    assert not matches(pattern, name)


@pytest.mark.parametrize(
    "pattern",
    ["", "/a", "a//b", "a/", "a**", "**b", "***", "a/**/b/**/c/**", "{", "}", "{}", "a{b", "{a b}",
     "{1}", "{a}{b}", "{a}*", "*{a}", "{a}-*-*", "{a}_{b}_{c}"],
)  # fmt: skip
def test_a_pattern_that_says_nothing_clear_is_a_fault_of_configuration(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "name", "owners"),
    [
        ("accounts/{account}/photo.jpg", "accounts/A1/photo.jpg", (account("A1"),)),
        ("{account}.json", "42.json", (account("42"),)),
        ("{email}/**", "me@example.org/a/b.wav", (email("me@example.org"),)),
        ("**/{account}/*.wav", "x/y/A1/1-2.wav", (account("A1"),)),
        ("{account}-*.wav", "A1-0001.wav", (account("A1"),)),
        ("{account}/{email}.txt", "A1/me@x.org.txt", (account("A1"), email("me@x.org"))),
        ("{account}/{account}.txt", "A1/A1.txt", (account("A1"),)),
        ("{fhir.patient}", "23", (SubjectRef("fhir.patient", "23"),)),
    ],
)
def test_a_name_names_its_owner(pattern: str, name: str, owners: tuple[SubjectRef, ...]) -> None:
    assert compile_pattern(pattern).match(name) == owners


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{account}-*.wav", "A-1-0001.wav"),
        ("*-{account}.wav", "x-A-1.wav"),
        ("{account}_{email}", "a_b_c"),
        ("**/{account}/**", "a/b/c"),
        ("**/{account}/**/x", "a/b/x"),
        ("{account}/{account}.txt", "A1/A9.txt"),
        ("{account}.json", "x" * 1025 + ".json"),
    ],
)
def test_a_name_that_names_owners_in_two_ways_is_refused(pattern: str, name: str) -> None:
    with pytest.raises(BadUpstream) as caught:
        compile_pattern(pattern).match(name)
    assert caught.value.code is Code.BODY_AMBIGUOUS
    assert name not in caught.value.note


def test_an_owner_in_a_name_is_never_empty() -> None:
    assert compile_pattern("accounts/{account}/x").match("accounts//x") is None
    assert compile_pattern("{account}.json").match(".json") is None


@settings(max_examples=300, deadline=None)
@given(
    pattern=st.text("ab*", min_size=1, max_size=8).filter(lambda text: "**" not in text),
    name=st.text("ab/", max_size=12),
)
def test_stars_match_as_a_plain_regular_expression_would(pattern: str, name: str) -> None:
    plain = "[^/]*".join(map(re.escape, pattern.split("*")))
    assert matches(pattern, name) == bool(re.fullmatch(plain, name))


@settings(max_examples=300, deadline=None)
@given(name=st.text("ab-", min_size=1, max_size=9))
def test_an_owner_is_taken_only_where_there_is_no_other_way_to_cut_the_name(name: str) -> None:
    ways = {name[:at] for at in range(1, len(name)) if name[at] == "-"}
    pattern = compile_pattern("{account}-*")
    if len(ways) > 1:
        with pytest.raises(BadUpstream):
            pattern.match(name)
    else:
        assert pattern.match(name) == (tuple(map(account, ways)) or None)


def test_hostile_names_cost_linear_time() -> None:
    """Cubic or exponential matching would not end within the timeout of a test."""
    for pattern in ("*a*a*a*a*a*a*a*b", "{account}-*x", "**/*a*a*b", "**/{account}/**/x"):
        compiled = compile_pattern(pattern)
        for name in ("a" * 4096, "a-" * 2048, "a/" * 128 + "a", "-" * 4096):
            try:
                compiled.match(name)
            except BadUpstream:
                continue


def test_the_first_matching_specification_counts() -> None:
    first, second = MemberSpec(match="*.json", category="one"), MemberSpec(match="**")
    assert first_match("a.json", (first, second)) == (first, ())
    assert first_match("a/b.json", (first, second)) == (second, ())
    assert first_match("a/b.json", (first,)) == (UNMATCHED, ())
    assert Member(UNMATCHED, (account("A1"),), (account("A1"),)).outer_owners() == ()


# --- owners ------------------------------------------------------------------------------------

ME, FOREIGN, MY_MAIL = account("me"), account("foreign"), email("me@example.org")


def opaque(attribution: Attribution) -> MemberSpec:
    return MemberSpec(match="**", attribution=attribution)


@pytest.mark.parametrize(
    ("attribution", "named", "vouched", "owners"),
    [
        (Attribution.MANIFEST, (), (ME,), (ME,)),
        (Attribution.MANIFEST, (), (ME, FOREIGN), (ME, FOREIGN)),
        (Attribution.MANIFEST, (ME,), (ME,), (ME,)),
        (Attribution.MANIFEST, (ME,), (MY_MAIL,), (ME, MY_MAIL)),
        (Attribution.MANIFEST, (), (), ()),
        (Attribution.MANIFEST, (ME,), (), ()),
        (Attribution.PATH, (ME,), (), (ME,)),
        (Attribution.PATH, (ME,), (ME,), (ME,)),
        (Attribution.PATH, (), (), ()),
        (Attribution.PATH, (), (ME,), ()),
        (Attribution.DIRECT, (ME,), (ME,), ()),
        (Attribution.CONTAINER, (ME,), (ME,), ()),
        (Attribution.NONE, (ME,), (ME,), ()),
    ],
)
def test_an_opaque_member_belongs_to_whom_its_attribution_finds(
    attribution: Attribution,
    named: tuple[SubjectRef, ...],
    vouched: tuple[SubjectRef, ...],
    owners: tuple[SubjectRef, ...],
) -> None:
    assert Member(opaque(attribution), named, vouched).outer_owners() == owners


@pytest.mark.parametrize("attribution", list(Attribution))
def test_a_path_and_a_manifest_that_disagree_are_refused(attribution: Attribution) -> None:
    with pytest.raises(BadUpstream) as caught:
        Member(opaque(attribution), (ME,), (FOREIGN,)).outer_owners()
    assert caught.value.code is Code.BODY_AMBIGUOUS


def structured(*, subject: bool, attribution: Attribution = Attribution.DIRECT) -> MemberSpec:
    owners = ({"account": ("$.id",)},) if subject else ()
    return MemberSpec("**", Format.JSON, subject=owners, attribution=attribution)


def test_records_with_owners_keep_them_and_gain_those_of_the_member() -> None:
    spec = structured(subject=True)
    assert Member(spec, (), ()).owners((ME,)) == (ME,)
    assert Member(spec, (ME,), ()).owners((ME,)) == (ME,)
    assert Member(spec, (MY_MAIL,), ()).owners((ME,)) == (ME, MY_MAIL)
    assert Member(spec, (), (MY_MAIL,)).owners((ME,)) == (ME, MY_MAIL)


def test_a_record_that_names_nobody_stays_unattributed() -> None:
    assert Member(structured(subject=True), (ME,), (ME,)).owners(()) == ()


@pytest.mark.parametrize("member", [((FOREIGN,), ()), ((), (FOREIGN,))])
def test_a_record_that_disagrees_with_path_or_manifest_is_refused(
    member: tuple[tuple[SubjectRef, ...], tuple[SubjectRef, ...]],
) -> None:
    """A95."""
    with pytest.raises(BadUpstream) as caught:
        Member(structured(subject=True), *member).owners((ME,))
    assert caught.value.code is Code.BODY_AMBIGUOUS


def test_records_without_a_configured_subject_belong_to_the_members_owner() -> None:
    by_path = structured(subject=False, attribution=Attribution.PATH)
    by_manifest = structured(subject=False, attribution=Attribution.MANIFEST)
    assert Member(by_path, (ME,), ()).owners(()) == (ME,)
    assert Member(by_manifest, (), (ME,)).owners(()) == (ME,)
    assert Member(by_manifest, (ME,), ()).owners(()) == ()
    assert Member(structured(subject=False), (ME,), (ME,)).owners(()) == ()


def test_owners_of_one_kind_agree_exactly() -> None:
    """A93: 42 is not "42"."""
    for other in ((account("42"),), (account(42), account(43)), (account("ME"),)):
        with pytest.raises(BadUpstream):
            joint((account(42),), other)
    assert joint((account(42),), (account(42),)) == (account(42),)
    assert joint((), (ME,)) == joint((ME,), ()) == (ME,)
    assert joint((), ()) == ()
    assert joint((ME, FOREIGN), (FOREIGN, ME)) == (ME, FOREIGN)
