"""A scratch file in memory, for tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.inspection.scratch import Scratch


@contextmanager
def scratch(limit: int = 64 << 20) -> Iterator[Scratch]:
    """Checks that everything was given back."""
    fd = os.memfd_create("scratch")
    try:
        yield Scratch(fd, limit)
        assert os.fstat(fd).st_size == 0
    finally:
        os.close(fd)
