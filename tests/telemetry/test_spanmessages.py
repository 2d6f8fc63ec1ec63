"""What the gateway and its exporting process say to each other."""

import msgspec
import pytest

from gateway.telemetry.spanmessages import (
    Exchange,
    Exported,
    Setup,
    Step,
    encode,
    read_batch,
    read_exported,
    read_setup,
)

EXCHANGE = Exchange(
    "a" * 32, "b" * 16, "", "GET", 1, 9, {"n": 1}, True, [Step("log", 2, 3, {"s": "t"}, True)]
)


def test_what_is_said_is_what_is_heard() -> None:
    assert read_setup(encode(Setup("i", "1.0", 2.5))) == Setup("i", "1.0", 2.5)
    assert read_batch(encode([EXCHANGE, EXCHANGE])) == [EXCHANGE, EXCHANGE]
    assert read_exported(encode(Exported(False, 503))) == Exported(False, 503)


def test_an_exchange_has_one_span_more_than_steps() -> None:
    assert EXCHANGE.spans == 2


def test_what_is_none_of_it_is_not_read() -> None:
    with pytest.raises(msgspec.DecodeError):
        read_exported(encode("canary"))
