"""The listener: so many connections over TLS and no more, each with an end.

A connection has a place from its accept to its last byte. asyncio counts none before its handshake
is over, and keeps 300 kB for each: 700 that say nothing would be all the memory the injector has.

Where every place is taken, the oldest goes, unless it is as young as an honest review may be: then
who comes waits in the system's queue.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable

from gateway.errors import place
from gateway.log import Log

_PLACES, _QUEUE = 256, 512
_HANDSHAKE, _GOODBYE = 5.0, 1.0
_HONEST = 2.0
"""Seconds after which a connection may have to make room. A review takes milliseconds, and the API
server waits five seconds for it."""
_PAUSE = 1.0
"""Seconds until the next attempt, where the system gives no connection."""
_LOG = Log(__name__)


class Ending(asyncio.Protocol):
    """A connection's protocol; `over` is done when it is lost."""

    __slots__ = ()
    over: asyncio.Future[None]


class Places:
    """Makes a protocol of each connection; one may last `lasting` seconds, its handshake apart."""

    def __init__(self, make: Callable[[], Ending], context: ssl.SSLContext, lasting: float) -> None:
        self._make, self._context, self._lasting = make, context, lasting
        self._taken: dict[asyncio.Task[None], float] = {}
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is bound."""
        assert self._socket
        return int(self._socket.getsockname()[1])

    def start(self, host: str, port: int) -> None:
        """Raises OSError where the address can't be bound."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=_QUEUE)
        self._socket.setblocking(False)
        self._accepting = asyncio.get_running_loop().create_task(self._accept(self._socket))

    async def close(self) -> None:
        """Take no more connections; those that are there go on."""
        if self._accepting and self._socket:
            self._accepting.cancel()
            await asyncio.wait({self._accepting})
            self._socket.close()

    async def end(self) -> None:
        """End those that are left."""
        for task in tuple(self._taken):
            task.cancel()
        if self._taken:
            await asyncio.wait(tuple(self._taken))

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room()
            try:
                connection, _ = await loop.sock_accept(listening)
            except ConnectionError:
                continue  # who came has gone
            except OSError as error:
                _LOG.error("no connection can be accepted", fault=place(error))
                await asyncio.sleep(_PAUSE)
                continue
            task = loop.create_task(self._hold(connection))
            self._taken[task] = loop.time()
            task.add_done_callback(lambda task: self._taken.pop(task, None))

    async def _room(self) -> None:
        """Until a place is free."""
        while len(self._taken) >= _PLACES:
            oldest, since = next(iter(self._taken.items()))
            left = since + _HONEST - asyncio.get_running_loop().time()
            if left > 0:
                await asyncio.wait(
                    tuple(self._taken), timeout=left, return_when=asyncio.FIRST_COMPLETED
                )
            else:
                oldest.cancel()
                await asyncio.wait({oldest})

    async def _hold(self, connection: socket.socket) -> None:
        transport = None
        try:
            transport, protocol = await asyncio.get_running_loop().connect_accepted_socket(
                self._make, connection, ssl=self._context,
                ssl_handshake_timeout=_HANDSHAKE, ssl_shutdown_timeout=_GOODBYE,
            )  # fmt: skip
            async with asyncio.timeout(self._lasting):
                await protocol.over
        except OSError:  # its handshake failed, or its time is over
            pass
        finally:
            if transport:
                transport.abort()
