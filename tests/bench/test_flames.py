"""Samples of stacks are summed by the innermost module of ours."""

import json

from bench.flames import DOCS, RESULTS, placeless, room, shares


def test_the_innermost_frame_of_ours_counts() -> None:
    stack = (
        "process 12:python;guard (gateway/exchange.py:120);inspect (gateway/inspection/work.py:30);"
        "loads (msgspec/json.py:1)"
    )
    assert room(stack) == "inspection.work"
    assert room("run (asyncio/runners.py:1);feed (aiohttp/web_protocol.py:3)") == "aiohttp"
    assert room("run (asyncio/runners.py:1)") == "the event loop, and what it waits for"


def test_shares_add_up_and_the_largest_comes_first() -> None:
    found = shares("a (gateway/spool.py:1) 30\nb (gateway/wire.py:2) 60\nc (asyncio/x.py:1) 10\n")
    assert found == {"wire": 0.6, "spool": 0.3, "the event loop, and what it waits for": 0.1}


def test_a_picture_loses_its_folders_and_nothing_else() -> None:
    drawn = (
        '<svg xmlns="http://a/b"><title>py-spy -o /home/a/x.svg</title><text x="1">a/b.py</text>'
    )
    assert placeless(drawn) == drawn.replace("/home/a/", "")


def test_the_pictures_name_no_place_of_the_machine_they_were_made_on() -> None:
    assert set(json.loads(RESULTS.read_text())) == {"2k", "200m", "2k, microseconds"}
    for name in ("2k", "200m"):
        picture = (DOCS / f"flame-{name}.svg").read_text()
        assert "gateway/" in picture
        assert not any(place in picture for place in ("/home/", "/root/", "/tmp/", "/work/"))
