"""A real Helm."""

import shutil

import pytest

from tests.conftest import REPOSITORY, missing
from tests.helm.rendering import Helm


@pytest.fixture(scope="session")
def helm() -> Helm:
    tools = REPOSITORY / ".tools" / "bin"
    found = shutil.which("helm") or shutil.which("helm", path=str(tools))
    if found is None:
        missing("there is no helm on PATH or in .tools/bin")
    return Helm(found)
