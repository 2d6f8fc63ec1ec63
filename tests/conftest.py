"""Fixtures that every room's tests share."""

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

from gateway import processes

# How long one example takes says something about the machine, and nothing about what is tested.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

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


@pytest.fixture(scope="session")
def opa_binary() -> str:
    """A real OPA; tests that use it carry the marker `opa`."""
    tools = REPOSITORY / ".tools" / "bin"
    found = shutil.which("opa") or shutil.which("opa", path=str(tools))
    if found is None:
        missing("there is no opa on PATH or in .tools/bin")
    return found


@pytest.fixture
def own_zygote(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Children are forked from one that has the standard error and the environment of now."""
    monkeypatch.setattr(processes, "_zygote", None)
    yield
    if processes._zygote:
        processes._zygote.end()


@pytest.fixture(autouse=True)
def _levels_as_in_a_new_process() -> None:
    """What a test before said about log levels (the commands run in this process) is forgotten."""
    for name in [name for name in logging.Logger.manager.loggerDict if name.startswith("gateway.")]:
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.getLogger("gateway").setLevel(logging.INFO)
