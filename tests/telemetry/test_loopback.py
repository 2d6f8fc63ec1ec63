"""Only what is on the pod's own loopback may change something."""

from typing import Any

import pytest
from multidict import CIMultiDict

from gateway.telemetry.loopback import is_local


class Request:
    """A request as far as its connection goes."""

    def __init__(self, origin: str | None = None, **ends: Any) -> None:
        self.headers = CIMultiDict({} if origin is None else {"origin": origin})
        self.transport = self if ends else None
        self.get_extra_info = ends.get


@pytest.mark.parametrize(
    ("peer", "own", "local"),
    [
        (("127.0.0.1", 5), ("127.0.0.1", 8282), True),
        (("::1", 5, 0, 0), ("::1", 8282, 0, 0), True),
        (("10.0.0.7", 5), ("10.0.0.8", 8282), False),
        (("127.0.0.1", 5), ("10.0.0.8", 8282), False),
        (("10.0.0.8", 5), ("127.0.0.1", 8282), False),
        (("::ffff:127.0.0.1", 5, 0, 0), ("::1", 8282, 0, 0), False),
        (None, None, False),
        ("", "/run/socket", False),
    ],
)
def test_both_ends_must_be_loopback(peer: Any, own: Any, local: bool) -> None:
    assert is_local(Request(peername=peer, sockname=own)) is local  # type: ignore[arg-type]


def test_a_connection_that_is_gone_is_not_local() -> None:
    assert not is_local(Request())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "origin", ["https://stranger.example", "null", "http://127.0.0.1:8282", ""]
)
def test_a_web_page_is_not_the_pod_itself(origin: str) -> None:
    """In the browser of somebody who forwards the port; the last one under a name that it had
    point to 127.0.0.1, or as a page of the port itself, which there is none of."""
    ends = {"peername": ("127.0.0.1", 5), "sockname": ("127.0.0.1", 8282)}
    assert is_local(Request(**ends))  # type: ignore[arg-type]
    assert not is_local(Request(origin, **ends))  # type: ignore[arg-type]
