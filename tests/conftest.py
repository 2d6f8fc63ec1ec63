"""Fixtures that every room's tests share."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
CORPUS = REPOSITORY.parent / "shared" / "corpus"


def missing(reason: str) -> NoReturn:
    """A real part is not there: skip with the reason, or fail where parts are required (CI)."""
    if os.environ.get("REQUIRE_PARTS"):
        pytest.fail(f"a required part is missing: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real files that nobody here wrote; tests that use it carry the marker."""
    if not CORPUS.is_dir():
        missing("the corpus is not beside this checkout (../shared/corpus)")
    return CORPUS
