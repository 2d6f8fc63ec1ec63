"""The programs that read end with the tests that ask them."""

from collections.abc import Iterator

import pytest

from tests.differential import peers


@pytest.fixture(autouse=True, scope="package")
def _ended() -> Iterator[None]:
    yield
    peers.close()
