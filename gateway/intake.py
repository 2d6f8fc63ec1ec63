"""Receives the rest of a body whose length is known, past the parser and without a chunk for each
read.

The parser of a response (`wire.Wire`) makes three objects of each read and wakes a task for it. A
body with a Content-Length has no framing left to parse once its head is read: it is the next so
many bytes. This takes the parser's place on the connection for just these. It reads them into one
buffer for all bodies, and hands on each piece before anything else is read.
"""

import asyncio
from collections.abc import Callable

BLOCK = 512 * 1024
"""The most bytes that are read at once. Twice as many as elsewhere: larger writes to a file are
cheaper for each byte, and beyond this hardly."""

Take = Callable[[memoryview], None]
"""Takes a piece, which is gone afterwards. What it raises ends the reading."""


class Intake(asyncio.BufferedProtocol):
    """`left` bytes are still to come, `take` gets them, and `end` is told that they were all here
    (with what stands behind them, if anything came with the last), or what `take` raised. The
    connection's own protocol is told of everything else."""

    def __init__(
        self,
        own: asyncio.Protocol,
        buffer: memoryview,
        left: int,
        take: Take,
        heard: Callable[[], None],
        end: Callable[[bytes, Exception | None], None],
    ) -> None:
        self._own, self._buffer, self._left = own, buffer, left
        self._take, self._heard, self._end = take, heard, end

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        self._heard()
        mine = min(size, self._left)
        try:
            self._take(self._buffer[:mine])
        except Exception as error:  # noqa: BLE001 - whoever waits for the body gets it
            self._end(b"", error)
            return
        self._left -= mine
        if not self._left:
            self._end(bytes(self._buffer[mine:size]), None)

    def eof_received(self) -> bool | None:
        return self._own.eof_received()

    def pause_writing(self) -> None:
        self._own.pause_writing()

    def resume_writing(self) -> None:
        self._own.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._own.connection_lost(exc)
