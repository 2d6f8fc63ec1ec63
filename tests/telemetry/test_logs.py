"""Structured logs: one JSON object a line, and never the text of an exception."""

import io
import json
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.log import Log
from gateway.telemetry import logs
from gateway.trace import CURRENT, Trace
from tests.support.said import restored

CANARY = "canary-33aa"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    out = io.StringIO()
    with restored():
        logs.configure("debug", out)
        yield out
    CURRENT.set(None)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_level_and_time(stream: io.StringIO) -> None:
    Log("gateway.life").info("listening", listen="http://127.0.0.1:1\r\n\x1b[31m")
    (line,) = lines(stream)
    assert stream.getvalue().isascii()
    assert line["event"] == "listening" and line["level"] == "info" and line["timestamp"]


def test_an_exception_is_logged_as_type_and_place_without_its_text(stream: io.StringIO) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("elsewhere").exception(CANARY)
    assert CANARY not in stream.getvalue()
    assert str(lines(stream)[0]["error"]).startswith("ValueError at tests.telemetry.test_logs:")


def test_what_a_library_says_is_reduced_to_who_said_it(stream: io.StringIO) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("aiohttp.server").exception("could not read %s", CANARY)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(CANARY, stacklevel=1)
    assert CANARY not in stream.getvalue()
    assert lines(stream)[0]["logger"] == "aiohttp.server"


def test_an_unhandled_exception_is_logged_without_its_text(stream: io.StringIO) -> None:
    error = RuntimeError(CANARY)
    sys.excepthook(RuntimeError, error, None)
    assert CANARY not in stream.getvalue()
    assert lines(stream)[0]["event"] == "unhandled"


def test_a_library_that_repeats_itself_does_not_fill_the_disk(stream: io.StringIO) -> None:
    """asyncio writes 1,024 lines each time that there is no descriptor for a new connection."""
    for _ in range(1024):
        logging.getLogger("asyncio").error("out of system resource")
    logging.getLogger("asyncio").error("something else")
    assert 2 <= len(lines(stream)) < 20


def test_what_the_gateway_says_of_itself_is_kept(stream: io.StringIO) -> None:
    """Why the decision log is unavailable must be somewhere; its rooms note no personal data."""
    logging.getLogger("gateway.decisionlog.append").error("unavailable: %s", "ENOSPC")
    logging.getLogger("gatewayish").error("unavailable: %s", CANARY)
    first, second = lines(stream)
    assert (first["event"], first["level"]) == ("unavailable: ENOSPC", "error")
    assert first["logger"] == "gateway.decisionlog.append"
    assert second["event"] == "library" and CANARY not in stream.getvalue()


def test_what_a_thread_or_a_finalizer_raises_is_logged_without_its_text(
    stream: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError(CANARY)

    class Broken:
        def __del__(self) -> None:
            fail()

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    Broken()
    assert CANARY not in stream.getvalue() + capfd.readouterr().err
    assert [line["event"] for line in lines(stream)] == ["unhandled"] * 2


def test_a_line_of_an_exchange_names_it_and_a_trace_that_is_kept(stream: io.StringIO) -> None:
    kept, quiet = Trace("a" * 32, "b" * 16, kept=True), Trace("a" * 32, "b" * 16)
    for current in (None, ("x1", kept), ("x2", quiet)):
        CURRENT.set(current)
        Log("gateway.policy.decisions").debug("decided")
        logging.getLogger("gateway.decisionlog.append").debug("settled")
    context = [
        {name: line[name] for name in ("exchange_id", "trace_id", "span_id") if name in line}
        for line in lines(stream)
    ]
    of_kept = {"exchange_id": "x1", "trace_id": "a" * 32, "span_id": "b" * 16}
    assert context == [{}, {}, of_kept, of_kept, {"exchange_id": "x2"}, {"exchange_id": "x2"}]


def test_a_line_that_names_an_exchange_itself_is_believed(stream: io.StringIO) -> None:
    CURRENT.set(("x1", Trace()))
    Log("gateway.telemetry.shadow").info("the shadow differs", exchange_id="x2")
    assert lines(stream)[0]["exchange_id"] == "x2"


def test_a_line_of_another_exchange_has_no_trace_of_this_one(stream: io.StringIO) -> None:
    CURRENT.set(("x1", Trace("a" * 32, "b" * 16, kept=True)))
    Log("gateway.telemetry.shadow").info("the shadow differs", exchange_id="x2")
    (line,) = lines(stream)
    assert line["exchange_id"] == "x2" and not {"trace_id", "span_id"} & line.keys()


def test_a_full_disk_or_a_reader_that_is_gone_costs_lines_and_nothing_else(
    stream: io.StringIO,
) -> None:
    """Else nobody could start on it, and at debug level no exchange would pass."""
    with Path("/dev/full").open("w") as full:
        logs.configure("debug", full)
        Log("gateway.policy.decisions").debug("decided")
        Log("gateway.policy.decisions").error("failed")
        with suppress(OSError):  # what is left in its buffer
            full.close()
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as broken:
        logs.configure("debug", broken)
        Log("gateway.policy.decisions").error("failed")
        with suppress(OSError):
            broken.close()
    logs.configure("debug", stream)
    Log("gateway.policy.decisions").debug("decided")
    assert [line["event"] for line in lines(stream)] == ["decided"]


def test_the_level_is_that_of_every_room_and_of_no_library(stream: io.StringIO) -> None:
    logs.configure("error", stream)
    Log("gateway.policy.decisions").warning("decided")
    logging.getLogger("gateway.proxy").warning("decided")
    chatty = logging.getLogger("somebody.elses")
    chatty.setLevel(logging.DEBUG)
    chatty.info("quoted")
    assert lines(stream) == []
    Log("gateway.policy.decisions").error("failed")
    assert [line["event"] for line in lines(stream)] == ["failed"]
