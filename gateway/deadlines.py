"""Many deadlines of one length, under one timer.

`asyncio.timeout` sets a timer for every block and takes it back, which sorts a heap each time; of a
small exchange's time that was a twentieth. Here blocks of one length stand in a row in the order in
which they began, so that only the first one needs a timer.
"""

import asyncio
from types import TracebackType


class Deadlines:
    """Hands out blocks that end after `seconds`. Owned by one event loop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._open: dict[_Deadline, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # asking for it costs a system call

    def __call__(self) -> "_Deadline":
        """`with deadlines(): await …` cancels what is awaited when the time is up, and raises
        TimeoutError in its place (as `asyncio.timeout` does)."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return _Deadline(self, self._loop)

    def begin(self, deadline: "_Deadline") -> None:
        loop = deadline.loop
        deadline.due = loop.time() + self._seconds
        self._open[deadline] = None
        if self._timer is None:
            self._timer = loop.call_at(deadline.due, self._ring)

    def end(self, deadline: "_Deadline") -> None:
        self._open.pop(deadline, None)

    def _ring(self) -> None:
        self._timer = None
        while self._open:
            first = next(iter(self._open))
            if first.due > first.loop.time():
                self._timer = first.loop.call_at(first.due, self._ring)
                return
            del self._open[first]
            first.expire()


class _Deadline:
    """One block."""

    __slots__ = ("_before", "_deadlines", "_expired", "_task", "due", "loop")

    def __init__(self, deadlines: Deadlines, loop: asyncio.AbstractEventLoop) -> None:
        self._deadlines, self.loop, self._expired, self.due = deadlines, loop, False, 0.0

    def __enter__(self) -> None:
        task = asyncio.current_task(self.loop)
        assert task is not None, "a deadline needs a task to cancel"
        self._task, self._before = task, task.cancelling()
        self._deadlines.begin(self)

    def expire(self) -> None:
        self._expired = True
        self._task.cancel()

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        self._deadlines.end(self)
        # Somebody else's cancellation at the same time goes on as one.
        alone = self._expired and self._task.uncancel() <= self._before
        if alone and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error
