"""Names that every reader, on any file system, takes for the same."""

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection import names


def refused(call, *args) -> Code:
    with pytest.raises(BadUpstream) as caught:
        call(*args)
    return caught.value.code


@pytest.mark.parametrize("name", ["a.txt", "folder/", "..a/b../...c", "K\u00e4se/1"])
def test_an_honest_name_is_taken(name: str) -> None:
    names.check(name, 1)


@pytest.mark.parametrize(
    "name", ["", "/a", "../a", "a//b", "a/./b", "C:a", "a\\b", "a\0b", "a\u202eb"]
)
def test_a_name_that_readers_alter_is_refused(name: str) -> None:
    """A83."""
    assert refused(names.check, name, 1) is Code.BODY_AMBIGUOUS


def test_a_name_of_too_many_segments_is_refused() -> None:
    names.check("a/" * 128 + "b", 1)
    assert refused(names.check, "a/" * 129 + "b", 1) is Code.BODY_TOO_COMPLEX


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Readme.txt", "README.TXT"),
        ("caf\u00e9", "cafe\u0301"),
        ("Stra\u00dfe", "STRASSE"),
        ("\u212aelvin", "kelvin"),
        ("\u00c9", "e\u0301"),
        ("a.txt", "a.txt."),
        ("me/a", "me. /a .. "),
        ("caf\u00e9", "cafe\u0301."),
    ],
)
def test_names_that_one_file_system_takes_for_one_fold_together(one: str, two: str) -> None:
    """A75."""
    assert names.folded(one) == names.folded(two)
    assert names.folded(one) != names.folded(two + "x")


@pytest.mark.parametrize(
    "several", [["a", "A"], ["a", "a/"], ["a", "a/b"], ["a/b", "A"], ["x/", "X/"], ["d./b", "d/b"]]
)
def test_names_that_become_one_file_are_refused(several: list[str]) -> None:
    """A75."""
    names.check_distinct(several[:1])
    assert refused(names.check_distinct, several) is Code.BODY_AMBIGUOUS


def test_files_in_one_folder_are_distinct() -> None:
    names.check_distinct(["a/", "a/b", "a/c", "b", "a/d/"])


@pytest.mark.parametrize("file", ["d", "a/b", "A/B"])
def test_a_file_is_no_folder_whatever_stands_between_them_in_order(file: str) -> None:
    several = [file + "!", file, file + "-x/y", file + "0"]
    names.check_distinct(several)
    assert refused(names.check_distinct, [*several, file + "/y"]) is Code.BODY_AMBIGUOUS


def test_deep_names_are_compared_in_memory_of_their_own_length() -> None:
    """Every folder of every name would be 64 times as long as the names."""
    deep = [f"{number}/" + "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy/" * 127 + "x" for number in range(100)]
    tracemalloc.start()
    try:
        names.check_distinct(deep)
        assert tracemalloc.get_traced_memory()[1] < 4 * sum(map(len, deep))
    finally:
        tracemalloc.stop()


def test_all_names_together_are_bounded() -> None:
    longest = [f"{number:04}" + "x" * 4092 for number in range(1 << 14)]
    assert refused(names.check_distinct, [*longest, "y"]) is Code.BODY_TOO_COMPLEX


SEGMENTS = st.sampled_from(["a", "A", "b", "a.", "b ", "\u00e4", "a\u0308"])
NAMES = st.lists(st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join), max_size=6)


@given(NAMES)
def test_names_one_by_one_are_as_distinct_as_all_at_once(several: list[str]) -> None:
    def one_by_one(several: list[str]) -> None:
        distinct = names.Distinct()
        for name in several:
            distinct.add(name)

    def verdict(check: Callable[[list[str]], None]) -> Code | None:
        try:
            check(several)
        except BadUpstream as refusal:
            return refusal.code
        return None

    assert verdict(one_by_one) is verdict(names.check_distinct)
