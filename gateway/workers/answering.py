"""The child's side: `python -m gateway.workers.answering MODULE:FUNCTION DEPTH NICE PARENT FD`.

The function gets the setup and returns an `Answer`, which every job is given to, one by one.
"""

import gc
import importlib
import os
import socket
import sys
from collections.abc import Callable

from gateway.living import HEADER, freeze, living

_READ = 64 * 1024
_MAX_FDS = 4
_MAX_FRAME = 256 * 2**20

Answer = Callable[[bytes, list[int]], bytes]
"""What an entry's `serve` returns: answers one job; the descriptors are closed afterwards."""


def _answer_all(entry: str, sock: socket.socket, depth: int) -> None:
    module, _, function = entry.partition(":")
    gc.disable()  # what is imported stays: to look through it takes a tenth of the time
    serve = getattr(importlib.import_module(module), function)  # while the setup is still coming
    gc.enable()
    frames = _Frames(sock, takes_fds=depth == 1)
    setup, _ = frames.next()
    answer: Answer = serve(setup)
    freeze()
    sock.sendall(HEADER.pack(0, 0))
    while True:
        job, fds = frames.next()
        try:
            result = answer(job, fds)
        finally:
            for each in fds:
                os.close(each)
        sock.sendall(HEADER.pack(len(result), 0) + result)


class _Frames:
    """The frames that the parent sends. Several may come in one read; descriptors come with the
    first byte of their frame, and then (depth 1) with no other frame behind it. Elsewhere none are
    looked for, which costs each read as much again."""

    def __init__(self, sock: socket.socket, *, takes_fds: bool) -> None:
        self._sock, self._takes_fds = sock, takes_fds
        self._data = bytearray()
        self._fds: list[int] = []

    def next(self) -> tuple[bytes, list[int]]:
        self._hold(HEADER.size)
        length, count = HEADER.unpack_from(self._data)
        if length > _MAX_FRAME:
            raise ValueError("frame out of bounds")
        end = HEADER.size + length
        self._hold(end)
        payload = bytes(self._data[HEADER.size : end])
        del self._data[:end]
        fds, self._fds = self._fds[:count], self._fds[count:]
        if len(fds) != count:
            raise ValueError("descriptors are missing")
        return payload, fds

    def _hold(self, size: int) -> None:
        while len(self._data) < size:
            if self._takes_fds:
                data, fds, _, _ = socket.recv_fds(self._sock, _READ, _MAX_FDS)
                self._fds += fds
            else:
                data = self._sock.recv(_READ)
            if not data:
                os._exit(0)  # the parent closed its end
            self._data += data


if __name__ == "__main__":
    entry, depth, nice, parent, fd = sys.argv[1:]
    with living(f"worker {entry}", int(parent), nice=int(nice)):
        _answer_all(entry, socket.socket(fileno=int(fd)), int(depth))
