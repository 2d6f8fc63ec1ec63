"""What crosses between the main process and a serving one."""

from pathlib import Path

import msgspec
import pytest

from gateway.config import load
from gateway.fleet import messages
from gateway.fleet.messages import Ask, Drain, Level, Linked, Serving, Setup, State, Stop, Unfit
from gateway.living import HEADER
from tests.e2e.conftest import endpoints
from tests.support.gateway import configuration
from tests.support.issuer import TestIssuer


@pytest.mark.parametrize("order", [Linked(), Ask(7), Drain(), Stop(), Level("spool", "debug")])
def test_an_order_is_read_as_it_was_sent(order: messages.Order) -> None:
    frame = messages.frame(order)
    assert HEADER.unpack_from(frame)[0] == len(frame) - HEADER.size
    assert messages.read_order(frame[HEADER.size :]) == order


STATE = State(1, {"keys": True}, {"reasons": {"keys": "none yet"}}, "r1", 3, b"\x00\xff")


@pytest.mark.parametrize("report", [Serving(), Unfit("no bundle"), messages.Unlinked(), STATE])
def test_a_report_is_read_as_it_was_sent(report: messages.Report) -> None:
    assert messages.read_report(messages.frame(report)[HEADER.size :]) == report


@pytest.mark.parametrize("raw", [b"", b"garbage", messages.frame(Ask(1))[HEADER.size :]])
def test_what_is_no_report_is_refused(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        messages.read_report(raw)


def test_a_whole_configuration_crosses(tmp_path: Path) -> None:
    config = configuration(tmp_path, TestIssuer(), "http://127.0.0.1:9", endpoints())
    setup = Setup(load(config, {}), "id", 1, 2, {"policy": "debug"})
    order = messages.read_order(messages.frame(messages.begin(setup, 1))[HEADER.size :])
    assert isinstance(order, messages.Begin)
    assert messages.read_setup(order) == setup
