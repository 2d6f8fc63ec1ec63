"""Accepts connections from sockets on which other processes accept, too.

Every process has the same sockets, so that a connection waits for whoever is free: none is lost
with a process that dies, and none waits behind one that is busy (with SO_REUSEPORT each has a queue
of its own, and anybody of the same user may open another). asyncio's server accepts all that wait
at once, and the first one that is awake would have all connections of a burst; here each turn of
the loop accepts one.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence

from gateway.log import Log

BACKLOG = 1024
_PAUSE = 1.0
"""Seconds without accepting where there is no descriptor or memory for a connection."""

_LOG = Log(__name__)


class Acceptor:
    """As much of `asyncio.Server` as the data server needs. Closing closes its sockets."""

    def __init__(
        self, sockets: Sequence[socket.socket], factory: Callable[[], asyncio.Protocol]
    ) -> None:
        self.sockets, self._factory = tuple(sockets), factory
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[None]] = set()
        self._closed = False
        for sock in self.sockets:
            sock.setblocking(False)
            sock.listen(BACKLOG)
            self._listen(sock)

    def close(self) -> None:
        """Accept nothing more here."""
        self._closed = True
        for sock in self.sockets:
            self._loop.remove_reader(sock)
            sock.close()

    async def wait_closed(self) -> None:
        """Until what was accepted is connected."""
        if self._connecting:
            await asyncio.wait(self._connecting)

    def _listen(self, sock: socket.socket) -> None:
        if not self._closed:
            self._loop.add_reader(sock, self._accept, sock)

    def _accept(self, sock: socket.socket) -> None:
        try:
            connection, _ = sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process was quicker, or the caller is gone
        except OSError as error:
            _LOG.error("a connection can't be accepted", errno=error.errno)
            self._loop.remove_reader(sock)
            self._loop.call_later(_PAUSE, self._listen, sock)
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._connect(connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._factory, connection)
        except OSError:
            connection.close()  # it is gone already
