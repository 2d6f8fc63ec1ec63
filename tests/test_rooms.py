"""When an endpoint's records leave as they come, and what a stream goes on with."""

from pathlib import Path

import pytest
from msgspec import structs

from gateway.endpoints import ReleaseMode, Route
from gateway.spool import Spool, SpoolSettings
from tests.test_exchange import ORDERS, REQUEST, STREAMED, World, streaming


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Spool(SpoolSettings(directory=tmp_path / "spool")))


def test_what_is_to_be_streamed_is_where_the_caller_can_see_a_cut(world: World) -> None:
    _, rooms = streaming(world)
    route = Route(STREAMED, {})
    assert STREAMED.release is ReleaseMode.STREAM
    assert rooms.streams(route, REQUEST)
    assert not rooms.streams(route, structs.replace(REQUEST, version=(1, 0)))
    assert not rooms.streams(Route(ORDERS, {}), REQUEST)
    assert not world.rooms().streams(route, REQUEST)


async def test_a_stream_goes_on_with_the_rooms_that_opened_it(world: World) -> None:
    _, rooms = streaming(world)
    course = rooms.course(Route(STREAMED, {}))
    assert course.endpoint is STREAMED
    assert (course.decide, course.append) == (rooms.policy.decide, rooms.log.append)
    assert (course.observe, course.now) == (rooms.observer.exchange, rooms.now)
