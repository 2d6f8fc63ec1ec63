"""What the rooms say, kept instead of written."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(
            {
                "event": record.getMessage(),
                **getattr(record, "values", {}),
                "logger": record.name,
                "log_level": record.levelname.lower(),
            }
        )


@contextmanager
def restored() -> Iterator[None]:
    """`logs.configure` is for a whole process: everything is as it was afterwards."""
    root, rooms = logging.getLogger(), logging.getLogger("gateway")
    handlers, levels = list(root.handlers), (root.level, rooms.level)
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        rooms.setLevel(levels[1])
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks


@contextmanager
def capture_logs() -> Iterator[list[dict[str, Any]]]:
    """The lines that the gateway's levels let through, as they are said."""
    kept, rooms = _Kept(), logging.getLogger("gateway")
    rooms.addHandler(kept)
    try:
        yield kept.lines
    finally:
        rooms.removeHandler(kept)


def text(caplog: pytest.LogCaptureFixture) -> str:
    """All that was logged, with the values, and with the traces of the libraries."""
    return caplog.text + "".join(f"{getattr(each, 'values', '')}\n" for each in caplog.records)
