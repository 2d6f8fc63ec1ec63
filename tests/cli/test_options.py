"""What the texts of options mean."""

from datetime import UTC, datetime

import pytest

from gateway.cli.options import moment, pairs
from gateway.workbench.unusable import Unusable


def test_pairs_are_names_with_all_of_their_values() -> None:
    assert pairs(["a=1", "b=x=y", "a=2"], "--query") == {"a": ("1", "2"), "b": ("x=y",)}
    assert pairs(None, "--query") == {}


@pytest.mark.parametrize("given", [["a"], ["=1"], ["a=1", "a=2"]])
def test_what_is_no_pair_is_one_clear_line(given: list[str]) -> None:
    with pytest.raises(Unusable, match="--param"):
        pairs(given, "--param")


def test_a_moment_needs_its_zone() -> None:
    assert moment("2026-06-01T12:00:00Z") == datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert moment(None) is None
    for text in ("2026-06-01T12:00:00", "soon", "2026-06-01"):
        with pytest.raises(Unusable, match="--at"):
            moment(text)


def test_a_date_is_enough_where_the_zone_is_known() -> None:
    assert moment("2026-06-01", "--since", UTC) == datetime(2026, 6, 1, tzinfo=UTC)
    assert moment("2026-06-01T14:00:00+02:00", "--since", UTC) == datetime(
        2026, 6, 1, 12, tzinfo=UTC
    )
    with pytest.raises(Unusable, match="--since 'soon': expected a date or time"):
        moment("soon", "--since", UTC)
