"""A room's log: an event and values, under a level of the room's own."""

import logging
from collections.abc import Iterator

import pytest

from gateway.log import Log
from tests.support.said import capture_logs


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    gateway = logging.getLogger("gateway")
    before = gateway.level
    gateway.setLevel(logging.INFO)
    yield
    gateway.setLevel(before)
    logging.getLogger("gateway.there").setLevel(logging.NOTSET)


def test_a_room_says_what_its_level_lets_through_and_names_the_module() -> None:
    log = Log("gateway.there.module")
    with capture_logs() as lines:
        for say in (log.debug, log.info, log.warning, log.error):
            say("said", number=1)
    assert [line["log_level"] for line in lines] == ["info", "warning", "error"]
    assert lines[0] == {
        "event": "said",
        "number": 1,
        "logger": "gateway.there.module",
        "log_level": "info",
    }


def test_a_rooms_level_is_that_of_its_modules_and_of_no_other_room() -> None:
    log, elsewhere = Log("gateway.there.module"), Log("gateway.elsewhere")
    logging.getLogger("gateway.there").setLevel(logging.DEBUG)
    with capture_logs() as lines:
        assert log.debugging and not elsewhere.debugging
        log.debug("here")
        elsewhere.debug("there")
        logging.getLogger("gateway.there").setLevel(logging.ERROR)
        log.warning("no more")
    assert [line["event"] for line in lines] == ["here"]
