"""What stands between two records is learnt from two neighbours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inspection.jsonguide import Guide
from tests.support.reading import spaced


def learnt(first: bytes, second: bytes) -> tuple[bytes, int]:
    guide = Guide(1024)
    guide.learn(first, second)
    return guide.marker, guide.comma


@pytest.mark.parametrize(
    ("first", "second", "marker"),
    [
        (b'{"id": 1, "x": "a"}', b' {"id": 2, "x": "b"}', b'"}, {"id"'),
        (b'{"id": 1, "x": [2]}', b'{"id": 2, "x": [3]}', b']},{"id"'),
        (b'{"id": 1}', b'{"x": 2}', b"},{"),
        (b'{"a": "b"}', b'{"a": 1}', b'},{"a"'),
        (b"[1]", b"[2]", b"],["),
        (b"1", b"2", b",2"),
    ],
)
def test_as_far_as_two_neighbours_agree(first: bytes, second: bytes, marker: bytes) -> None:
    assert learnt(first, second)[0] == marker


RECORDS = st.dictionaries(st.text("ab", max_size=2), st.integers() | st.text("{},", max_size=3))


@given(first=RECORDS, second=RECORDS, seed=st.integers(0, 99))
def test_the_marker_stands_between_the_two_it_was_learnt_from(
    first: dict[str, object], second: dict[str, object], seed: int
) -> None:
    one, two = spaced(first, seed), spaced(second, seed + 1)
    marker, comma = learnt(one, two)
    whole = one + b"," + two
    assert whole[len(one) - comma :].startswith(marker)
    assert marker[comma : comma + 1] == b","
