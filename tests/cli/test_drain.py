"""`drain`, as a preStop hook calls it; tests/e2e/test_life.py has it drain a gateway."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.conftest import typed


@contextmanager
def answering(status: int, asked: list[str]) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (403, 1), (404, 1)])
def test_it_asks_the_gateway_to_drain_and_says_when_it_does_not(status: int, code: int) -> None:
    asked: list[str] = []
    with answering(status, asked) as admin:
        result = typed("drain", "--admin", admin)
    assert (result.exit_code, asked) == (code, ["/drain"])
    assert (str(status) in result.stderr) is bool(code)


def test_a_gateway_that_is_not_there_is_one_line() -> None:
    result = typed("drain", "--admin", "127.0.0.1:1")
    assert result.exit_code == 1
    assert result.stderr == "127.0.0.1:1: ConnectionRefusedError\n"


def test_what_is_no_address_is_an_option_that_cannot_be_used() -> None:
    assert typed("drain", "--admin", "here").exit_code == 2
