"""Sizes, durations and instants as people write them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from gateway.quantities import (
    Duration,
    Instant,
    Size,
    parse_duration,
    parse_instant,
    parse_size,
    spell_duration,
    spell_size,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0B", 0), ("1B", 1), ("64KiB", 65536), ("64 KiB", 65536), ("2GiB", 2**31), ("1kB", 1000),
        ("1MB", 10**6), ("3GB", 3 * 10**9), ("1.5MiB", 1572864), ("1.005kB", 1005),
        ("999999999999999GiB", 999999999999999 * 2**30),
    ],
)  # fmt: skip
def test_sizes_are_exact(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert type(parse_size(text)) is int


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("30s", 30.0), ("1.5 s", 1.5), ("2m", 120.0), ("1h", 3600.0),
     ("1d", 86400.0), ("0s", 0.0), ("0.1ms", 0.0001)],
)  # fmt: skip
def test_durations_are_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert type(parse_duration(text)) is float


REFUSED = [
    "5", "", " ", "KiB", "-1s", "+1B", "1e3B", "1_000B", "0x10B", "1,5s", "1.s", ".5s", "1  s",
    " 1s", "1s ", "1s\n", "nan s", "inf s", "\u0661s", "1\u00a0s", "1" * 16 + "B", "1.1234567890s",
    5, 5.0, True, None, [], b"5s",
]  # fmt: skip


@pytest.mark.parametrize("text", [*REFUSED, "1s", "1kib", "1Kb", "1KIB", "1TiB", "1M"])
def test_what_is_no_size_is_refused_with_the_units_there_are(text: Any) -> None:
    with pytest.raises(ValueError, match="the units are B, kB, MB, GB, KiB, MiB, GiB"):
        parse_size(text)


@pytest.mark.parametrize("text", [*REFUSED, "1B", "1S", "1sec", "1M", "1min", "1us"])
def test_what_is_no_duration_is_refused_with_the_units_there_are(text: Any) -> None:
    with pytest.raises(ValueError, match="the units are ms, s, m, h, d"):
        parse_duration(text)


def test_a_fraction_of_a_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="whole number of bytes"):
        parse_size("0.5B")
    assert parse_size("0.5KiB") == 512


@given(st.integers(0, 10**15 - 1))
def test_a_spelled_size_is_read_back(size: int) -> None:
    assert parse_size(spell_size(size)) == size


@given(st.integers(0, 10**11))
def test_a_spelled_duration_is_read_back(milliseconds: int) -> None:
    assert parse_duration(spell_duration(milliseconds / 1000)) == milliseconds / 1000


def test_quantities_are_spelled_in_the_largest_unit_that_fits() -> None:
    assert [spell_size(size) for size in (0, 1, 65536, 2**31, 10**6, 1500)] == [
        "0B", "1B", "64KiB", "2GiB", "1MB", "1500B",
    ]  # fmt: skip
    assert [spell_duration(seconds) for seconds in (0.0, 0.25, 90.0, 3600.0, 86400.0)] == [
        "0s", "250ms", "90s", "1h", "1d",
    ]  # fmt: skip


def test_settings_read_quantities_and_nothing_else() -> None:
    assert TypeAdapter(Size).validate_python("1KiB") == 1024
    assert TypeAdapter(Duration).validate_python("1m") == 60.0
    for kind in (Size, Duration):
        with pytest.raises(ValueError, match="the units are"):
            TypeAdapter(kind).validate_python(5)


@given(
    st.one_of(st.sampled_from([str(each) for each in REFUSED]), st.from_regex(r"\d+ ?[a-zA-Z]+"))
)
def test_the_schema_and_the_reader_agree(text: str) -> None:
    import re

    for kind, parse in ((Size, parse_size), (Duration, parse_duration)):
        pattern = TypeAdapter(kind).json_schema()["pattern"]
        try:
            parse(text)
        except ValueError as error:
            read = "whole number" in str(error)
        else:
            read = True
        # In JSON Schema (ECMA-262) `$` is the end of the text; in Python also before a line end.
        assert bool(re.search(pattern.replace("$", r"\Z"), text)) is read


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-12-31", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2028-02-28", datetime(2028, 2, 29, tzinfo=UTC)),
        ("2026-12-31T12:00:00Z", datetime(2026, 12, 31, 12, tzinfo=UTC)),
        ("2026-12-31T12:00:00.5+01:00", datetime(2026, 12, 31, 11, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_a_date_is_its_end_and_an_instant_is_in_utc(text: str, instant: datetime) -> None:
    parsed = parse_instant(text)
    assert parsed == instant
    assert parsed.utcoffset() == timedelta()
    assert TypeAdapter(Instant).validate_python(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "", "tomorrow", "2026-12", "2026-13-01", "2026-02-30", "31.12.2026", "2026-12-31T12:00:00",
        "2026-12-31 12:00:00Z", "2026-12-31T25:00:00Z", "2026-W53-4", "20261231", "9999-12-31",
        "2026-12-31T12:00Z", " 2026-12-31", "2026-12-31\n", "٢٠٢٦-12-31", 20261231, None, True,
        "0001-01-01T00:00:00+23:00",
    ],
)  # fmt: skip
def test_what_is_no_day_and_has_no_zone_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match=r"expected a date|no such day"):
        parse_instant(text)
