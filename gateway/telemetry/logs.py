"""Structured logs: one JSON object a line, on standard error, without personal data.

A log line has an event name from the code and values that are numbers, codes, names from the
configuration or exchange ids. A line that is written in the course of an exchange has its
`exchange_id` and, where its trace is kept, `trace_id` and `span_id`. Exceptions are logged as a
type and a place: their text may quote a body, and a traceback's locals always do.
"""

import logging
import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO, cast

import structlog

from gateway.errors import place
from gateway.telemetry.levels import LEVELS
from gateway.trace import CURRENT

_PAUSE = 1.0
"""Seconds in which one place in a library is heard once."""


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Set up structlog and everything that logs through the standard library.

    `level` is that of all rooms until `telemetry.levels` changes one; rooms ask it before they log.
    """
    out = stream or sys.stderr
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _exception_as_place,
            _of_exchange,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Lossy(out))),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_FromLibraries()]
    root.setLevel(logging.WARNING)
    logging.getLogger("gateway").setLevel(LEVELS[level])
    logging.captureWarnings(True)
    sys.excepthook = _unhandled
    # The defaults of these two print the error's text, the second one an object's repr, too.
    threading.excepthook = _unhandled_elsewhere
    sys.unraisablehook = _unhandled_elsewhere


class _Lossy:
    """A stream on a full disk, or whose reader is gone, costs its lines and nothing else: who says
    something, on the way of an exchange or of a fault, goes on with what it does."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._out.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._out.flush()


def _exception_as_place(_logger: Any, _name: str, event: Any) -> Any:
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["error"] = place(error)
    return event


def _of_exchange(_logger: Any, _name: str, event: Any) -> Any:
    current = CURRENT.get()
    if current:
        exchange_id, trace = current
        if event.setdefault("exchange_id", exchange_id) == exchange_id and trace.kept:
            event |= {"trace_id": trace.trace_id, "span_id": trace.span_id}
    return event


class _FromLibraries(logging.Handler):
    """A library's message may quote what it read: only its logger, level and place are kept.

    The gateway's rooms log through the standard library too; what they say is kept.
    """

    def __init__(self) -> None:
        super().__init__()
        self._heard: dict[tuple[str, int], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("gateway."):
            structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name)
            return
        if record.levelno < logging.WARNING:
            return
        now, place_of_call = time.monotonic(), (record.pathname, record.lineno)
        if now - self._heard.get(place_of_call, -_PAUSE) < _PAUSE:
            return
        self._heard[place_of_call] = now
        structlog.get_logger().warning(
            "library",
            logger=record.name,
            library_level=record.levelname.lower(),
            at=f"{record.module}:{record.lineno}",
            **(
                {"error": place(record.exc_info[1])}
                if record.exc_info and record.exc_info[1]
                else {}
            ),
        )


def _unhandled(
    _kind: type[BaseException], error: BaseException, _traceback: TracebackType | None
) -> None:
    structlog.get_logger().error("unhandled", error=place(error))


def _unhandled_elsewhere(failure: Any) -> None:
    """In a thread, or in a finalizer: both hooks get an object with the error's type and value."""
    error = failure.exc_value
    name = failure.exc_type.__name__
    structlog.get_logger().error("unhandled", error=place(error) if error else name)
