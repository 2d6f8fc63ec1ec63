"""Telemetry's settings."""

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.telemetry.settings import TelemetrySettings

READ = TypeAdapter(TelemetrySettings).validate_python


def test_a_callers_trace_is_continued_unless_the_file_says_otherwise() -> None:
    assert READ({}).trust_traceparent
    assert not READ({"trust_traceparent": False}).trust_traceparent


def test_an_unknown_key_is_a_fault() -> None:
    with pytest.raises(ValidationError):
        READ({"trust": False})
