"""Text that an entry holds as it is."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decisionlog.plain import method, text, timestamp, whole


@given(st.text(st.characters(), max_size=2_000))
def test_any_text_can_be_written_and_is_bounded(value: str) -> None:
    assert len(text(value)) <= 512
    json.dumps(text(value)).encode()
    assert len(whole(value).encode()) >= len(value)


def test_a_text_of_the_configuration_stays_as_it_is() -> None:
    assert whole("über" * 400) == "über" * 400
    assert text("über") == "über"


def test_times_are_written_in_utc_with_microseconds() -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert timestamp(noon) == "2026-07-01T12:00:00.000000Z"
    assert timestamp(noon.astimezone(timezone(timedelta(hours=2)))) == timestamp(noon)
    with pytest.raises(ValueError, match="without a zone"):
        timestamp(datetime(2026, 7, 1))


def test_a_method_that_nobody_knows_is_other() -> None:
    assert [method(each) for each in ("GET", "BREW", None)] == ["GET", "other", None]
