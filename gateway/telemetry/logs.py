"""Structured logs: one JSON object a line, on standard error, without personal data.

A log line has an event name from the code and values that are numbers, codes, names from the
configuration or exchange ids. Exceptions are logged as a type and a place: their text may quote a
body, and a traceback's locals always do.
"""

import logging
import sys
from types import TracebackType
from typing import Any, TextIO

import structlog

from gateway.errors import place

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Set up structlog and everything that logs through the standard library."""
    out = stream or sys.stderr
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _exception_as_place,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_FromLibraries(logging.WARNING)]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _unhandled


def _exception_as_place(_logger: Any, _name: str, event: Any) -> Any:
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["error"] = place(error)
    return event


class _FromLibraries(logging.Handler):
    """A library's message may quote what it read: only its logger, level and place are kept."""

    def emit(self, record: logging.LogRecord) -> None:
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
