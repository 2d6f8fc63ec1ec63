"""What every test of telemetry leaves as it was."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def level() -> Iterator[None]:
    """`logs.configure` sets the level of all rooms."""
    gateway = logging.getLogger("gateway")
    before = gateway.level
    yield
    gateway.setLevel(before)
