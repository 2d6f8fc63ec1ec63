"""Names of members → patterns that the gateway reads."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inspection.members import first_match
from gateway.inspection.settings import MemberSpec
from gateway.workbench.infer.patterns import Named, covers, patterns


def matches(names: Iterable[str], shape: str = "") -> list[str]:
    return [named.match for named in patterns(dict.fromkeys(names, ("json", shape)))]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["manifest.json"], ["manifest.json"]),
        (["r/0001.wav", "r/0002.wav"], ["r/*.wav"]),
        (["orders-1.json", "orders-2.json"], ["orders-*.json"]),
        (["a/A1/p.json", "a/B2/p.json"], ["a/*/p.json"]),
        (["a/A1/p.json", "b/B2/q.json"], ["a/A1/p.json", "b/B2/q.json"]),
        (["x/DM 1/m.json", "y/DM 2/m.json"], ["*/*/m.json"]),
        (["odd{name}.json"], ["odd*name*.json"]),
        (["noending", "other"], ["*"]),
    ],
)
def test_members_that_are_alike_share_a_pattern(names: list[str], expected: list[str]) -> None:
    assert matches(names) == expected


def test_other_shapes_have_other_patterns_and_exact_names_come_first() -> None:
    shapes = {"manifest.json": "m", "o1.json": "o", "o2.json": "o"}
    found = patterns({name: ("json", shape) for name, shape in shapes.items()})
    assert [named.match for named in found] == ["manifest.json", "*.json"]
    assert found[1].names == ("o1.json", "o2.json")


def test_the_same_name_may_have_other_shapes_inside() -> None:
    shapes = {"a/1/info.json": "x", "a/2/info.json": "y", "a/2/data.json": "z"}
    found = patterns({name: ("json", shape) for name, shape in shapes.items()})
    assert [named.match for named in found] == ["a/2/data.json", "a/*/info.json"]


@given(
    st.dictionaries(
        st.lists(st.text("ab1.", min_size=1, max_size=4), min_size=1, max_size=3).map("/".join),
        st.sampled_from("xy"),
        max_size=12,
    )
)
def test_every_member_is_read_by_the_pattern_that_means_it(shapes: dict[str, str]) -> None:
    found = patterns({name: ("json", shape) for name, shape in shapes.items()})
    specs = [MemberSpec(named.match) for named in found]
    meant: dict[str, Named] = {name: named for named in found for name in named.names}
    assert meant.keys() == shapes.keys()
    for name, named in meant.items():
        spec, _ = first_match(name, specs)
        assert spec.match == named.match
        assert covers(named.match, name)
