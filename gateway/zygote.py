"""The process that other children are forked from: `python -m gateway.zygote PARENT FD`.

It imports once what nearly all of them need, so that each of them begins at once, and has only
what it writes to in memory of its own (ADR 20). It knows no configuration, no key and no body:
these come to a child later, over a socket that only the child and the gateway have.

Each message asks for one child: what would stand behind `python -m`, and its end of that socket.
The answer is its process id with a descriptor of it (pidfd_open(2)), or the number of an error.
The children of a zygote end with it. It ends with the gateway, whose end of the socket between them
is closed then: PR_SET_PDEATHSIG would end it with the gateway's thread that started it.
"""

import errno
import gc
import os
import runpy
import signal
import socket
import struct
import sys
from contextlib import suppress
from importlib import import_module

from setproctitle import setproctitle

from gateway.living import harden

MAX_REQUEST = 4096
ANSWER = struct.Struct("!ii")
"""A process id and 0, or 0 and an error."""

_SHARED = (
    "gateway.inspection.process",
    "gateway.inspection.flowmessages",
    "gateway.decisionlog.file",
    "gateway.decisionlog.messages",
    "gateway.decisionlog.writer",
)
"""Nothing among it may start a thread: only the one that forks is there in the child."""


def serve(sock: socket.socket) -> list[str]:
    """Fork for as long as the gateway asks. Returns in each child, with what it is to run."""
    parent = os.getpid()
    with suppress(ConnectionError):  # it went without having heard the last answer
        while True:
            request, fds, _, _ = socket.recv_fds(sock, MAX_REQUEST, 1)
            if not request:
                break
            if not fds:  # there was no room for the one that came along
                sock.send(ANSWER.pack(0, errno.EMFILE))
                continue
            try:
                pid = os.fork()
                if pid == 0:
                    sock.close()
                    return [*request.decode().split("\0"), str(parent), str(fds[0])]
                fd = os.pidfd_open(pid)
                try:
                    socket.send_fds(sock, [ANSWER.pack(pid, 0)], [fd])
                finally:
                    os.close(fd)
            except ConnectionError:
                raise
            except OSError as error:
                # No room for a process or a descriptor, or it ended at once. One that was forked
                # ends when the gateway closes its end of their socket.
                sock.send(ANSWER.pack(0, error.errno))
            os.close(fds[0])
    os._exit(0)


def _reap(_number: int, _frame: object) -> None:
    """Nobody else asks after a child that ended. To ignore the signal would leave no zombies, too,
    but what it has spent would be in nobody's times."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main(_parent: str, fd: str) -> None:
    """The whole life of the process, and the beginning of each child's."""
    harden()
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group by some supervisors
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, _reap)
    for each in _SHARED:
        import_module(each)
    gc.collect()
    gc.freeze()  # a look for garbage writes to every page that it looks at
    module, *arguments = serve(socket.socket(fileno=int(fd)))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    setproctitle(" ".join(("privacy-gateway", module, *arguments)))
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
