"""A function's answer from a process of its own, which ends with it.

What it took in memory, imported modules included, is given back then. The process is forked: it has
what is here already, and may not be made beside a thread, which it wouldn't have.
"""

import contextlib
import os
import signal
from collections.abc import Callable

from gateway.living import end_with


class Apart:
    """Begins at once; `answer` waits for it. Raises OSError where there is no room for a process.

    How `find` fails is its own to tell. It ends with its parent, and without a word at a Ctrl-C
    that its parent doesn't ignore.
    """

    def __init__(self, find: Callable[[], bytes]) -> None:
        parent = os.getpid()
        self._reading, writing = os.pipe()
        try:
            self._child = os.fork()
        except OSError:
            os.close(self._reading)
            os.close(writing)
            raise
        if self._child == 0:
            with contextlib.suppress(BaseException), open(writing, "wb") as found:  # noqa: PTH123
                end_with(parent)
                if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                    signal.signal(signal.SIGINT, signal.SIG_DFL)
                found.write(find())
            os._exit(0)
        os.close(writing)

    def answer(self) -> bytes:
        """Raises EOFError where it came to no end, with its exit code, or the number of the signal
        that killed it below zero."""
        with open(self._reading, "rb") as found:  # noqa: PTH123
            said = found.read()
        _, status = os.waitpid(self._child, 0)
        if status or not said:  # it may have been killed in the midst of its answer
            raise EOFError(os.waitstatus_to_exitcode(status))
        return said
