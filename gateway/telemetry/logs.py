"""Structured logs: one JSON object a line, on standard error, without personal data.

A log line has an event name from the code and values that are numbers, codes, names from the
configuration or exchange ids. A line that is written in the course of an exchange has its
`exchange_id` and, where its trace is kept, `trace_id` and `span_id`. Exceptions are logged as a
type and a place: their text may quote a body, and a traceback's locals always do.

The standard library's `logging` does it: structlog takes a tenth of a second to import.
"""

import json
import logging
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from gateway.errors import place
from gateway.log import Log
from gateway.telemetry.levels import LEVELS
from gateway.trace import CURRENT

_PAUSE = 1.0
"""Seconds in which one place in a library is heard once."""
_LOG = Log("gateway")


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Set up everything that logs: the rooms, the libraries, and what nobody caught.

    `level` is that of all rooms until `telemetry.levels` changes one; rooms ask it before they log.
    """
    root = logging.getLogger()
    root.handlers[:] = [_Lines(stream or sys.stderr)]
    root.setLevel(logging.WARNING)
    logging.getLogger("gateway").setLevel(LEVELS[level])
    logging.captureWarnings(True)
    sys.excepthook = _unhandled
    # The defaults of these two print the error's text, the second one an object's repr, too.
    threading.excepthook = _unhandled_elsewhere
    sys.unraisablehook = _unhandled_elsewhere


class _Lines(logging.Handler):
    """Writes each record as a line of JSON. A stream on a full disk, or whose reader is gone, costs
    its lines and nothing else: who says something, on the way of an exchange or of a fault, goes on
    with what it does."""

    def __init__(self, out: TextIO) -> None:
        super().__init__()
        self._out = out
        self._heard: dict[tuple[str, int], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] == "gateway":
            values: dict[str, Any] = getattr(record, "values", {})
            line = {"event": record.getMessage(), **values, "logger": record.name}
        elif self._is_news(record):
            line = _of_library(record)
        else:
            return
        line["level"] = record.levelname.lower()
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
        line["timestamp"] = at.replace("+00:00", "Z")
        _name_exchange(line)
        with suppress(OSError):
            self._out.write(json.dumps(line, default=repr) + "\n")
            self._out.flush()

    def _is_news(self, record: logging.LogRecord) -> bool:
        """Whether a library says something that it didn't say just now."""
        if record.levelno < logging.WARNING:
            return False
        now, place_of_call = time.monotonic(), (record.pathname, record.lineno)
        if now - self._heard.get(place_of_call, -_PAUSE) < _PAUSE:
            return False
        self._heard[place_of_call] = now
        return True


def _of_library(record: logging.LogRecord) -> dict[str, Any]:
    """A library's message may quote what it read: only its logger, level and place are kept."""
    line: dict[str, Any] = {
        "event": "library",
        "logger": record.name,
        "library_level": record.levelname.lower(),
        "at": f"{record.module}:{record.lineno}",
    }
    if record.exc_info and record.exc_info[1]:
        line["error"] = place(record.exc_info[1])
    return line


def _name_exchange(line: dict[str, Any]) -> None:
    current = CURRENT.get()
    if current:
        exchange_id, trace = current
        if line.setdefault("exchange_id", exchange_id) == exchange_id and trace.kept:
            line |= {"trace_id": trace.trace_id, "span_id": trace.span_id}


def _unhandled(
    _kind: type[BaseException], error: BaseException, _traceback: TracebackType | None
) -> None:
    _LOG.error("unhandled", error=place(error))


def _unhandled_elsewhere(failure: Any) -> None:
    """In a thread, or in a finalizer: both hooks get an object with the error's type and value."""
    error = failure.exc_value
    name = failure.exc_type.__name__
    _LOG.error("unhandled", error=place(error) if error else name)
