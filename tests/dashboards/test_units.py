"""Numbers as Grafana writes them."""

import math

import pytest
from grafana_foundation_sdk.models import units

from dashboards.panels import Unit
from dashboards.units import written


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "s", "12.3 ms"),
        (0.00004, "s", "40 µs"),
        (75, "s", "1.25 min"),
        (0, "s", "0 s"),
        (25.31, "reqps", "25.3 req/s"),
        (1_234_567, "short", "1.23 Mil"),
        (2048, "bytes", "2 KiB"),
        (0, "bytes", "0 B"),
        (64 * 2**20, "Bps", "64 MiB/s"),
        (0.9987, "percentunit", "99.9%"),
        (0.5, "cps", "0.5 c/s"),
        (1_544_000_000_000, "dateTimeAsIso", "2018-12-05 08:53"),
        (math.nan, "s", "–"),
    ],
)
def test_a_number_has_three_digits_and_its_unit(value: float, unit: str, text: str) -> None:
    assert written(value, unit) == text


def test_every_unit_of_the_screen_is_one_of_grafanas() -> None:
    known = {value for name, value in vars(units).items() if isinstance(value, str)}
    assert {unit.value for unit in Unit} <= known


@pytest.mark.parametrize("unit", Unit)
def test_every_unit_of_the_screen_can_be_drawn(unit: Unit) -> None:
    assert written(1.0, unit)


def test_an_unknown_unit_is_an_error() -> None:
    with pytest.raises(ValueError, match="furlong"):
        written(1, "furlong")
