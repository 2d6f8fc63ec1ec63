"""What is only observed is said loudly, for as long as it is."""

import asyncio
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.endpoints import Endpoint, Enforcement
from gateway.inspection.settings import BodySpec
from gateway.model import Format
from gateway.telemetry import logs
from gateway.telemetry.onboarding import Onboarding
from tests.support.said import restored

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
BODY = BodySpec(Format.JSON)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def observed(name: str, **ahead: float) -> Endpoint:
    return Endpoint(
        name,
        f"/{name}",
        BODY,
        enforcement=Enforcement.OBSERVE,
        observe_until=NOW + timedelta(**ahead),
    )


ENDPOINTS = [
    Endpoint("enforced", "/enforced", BODY),
    observed("new", days=2),
    observed("soon", minutes=10),
    observed("past", days=-1),
]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with restored():
        logs.configure(stream=stream)
        yield stream


def lines(log: io.StringIO) -> list[tuple[Any, ...]]:
    """What was said since the last time: level, endpoint, and whether it is over."""
    said = [json.loads(line) for line in log.getvalue().splitlines()]
    log.seek(0)
    log.truncate()
    return [(line["level"], line["endpoint"], "since" in line) for line in said]


def test_what_is_observed_now_is_listed_with_its_end() -> None:
    clock = Clock()
    onboarding = Onboarding(ENDPOINTS, clock)
    assert onboarding.observing() == [
        {"endpoint": "new", "until": "2026-05-03T12:00:00Z"},
        {"endpoint": "soon", "until": "2026-05-01T12:10:00Z"},
    ]
    clock.now += timedelta(minutes=10)
    assert [each["endpoint"] for each in onboarding.observing()] == ["new"]
    assert Onboarding(ENDPOINTS[:1], clock).observing() == []


def test_the_gauges_fall_when_the_time_is_over() -> None:
    clock = Clock()
    onboarding = Onboarding(ENDPOINTS, clock)

    def gauges(name: str) -> dict[str, float]:
        readings = [
            each for each in onboarding.readings() if each.metric.name == f"privacy_gateway_{name}"
        ]
        return {endpoint: each.value for each in readings for endpoint in each.labels}

    assert gauges("observing") == {"new": 1, "soon": 1, "past": 0}
    assert gauges("observing_until_timestamp_seconds")["soon"] == NOW.timestamp() + 600
    clock.now += timedelta(minutes=10)
    assert gauges("observing") == {"new": 1, "soon": 0, "past": 0}


def test_each_is_warned_of_at_the_start_regularly_and_at_its_end(log: io.StringIO) -> None:
    clock = Clock()
    onboarding = Onboarding(ENDPOINTS, clock)
    assert onboarding.announce() == 600
    assert lines(log) == [
        ("warning", "new", False), ("warning", "soon", False), ("warning", "past", True),
    ]  # fmt: skip
    clock.now += timedelta(minutes=10)
    assert onboarding.announce() == 3600
    assert lines(log) == [("warning", "new", False), ("warning", "soon", True)]
    clock.now += timedelta(days=2)
    assert onboarding.announce() is None
    assert lines(log) == [("warning", "new", True)]
    assert onboarding.announce() is None
    assert lines(log) == []


async def test_nothing_is_said_and_nothing_runs_where_all_is_enforced(log: io.StringIO) -> None:
    await asyncio.wait_for(Onboarding(ENDPOINTS[:1], Clock()).keep_announcing(), 5)
    assert lines(log) == []
