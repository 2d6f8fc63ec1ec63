"""A disk that fails when it is told to."""

from pathlib import Path

import pytest

from tests.decisionlog.support import FaultyDisk


@pytest.fixture
def faulty(tmp_path: Path) -> FaultyDisk:
    return FaultyDisk(tmp_path / "disk")
