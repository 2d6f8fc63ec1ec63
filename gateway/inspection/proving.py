"""Reads what nobody looks into to its proven end; by two threads, where that means to inflate it.

Inflating a member, and adding up its checksum or hash, leaves the interpreter's lock, so that the
members of an archive are proven in half the time where a second core is free.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from gateway.errors import Code, InternalError

if TYPE_CHECKING:
    from gateway.inspection.archive import Contents, Entry


def prove(contents: "Contents") -> None:
    """Read to the end. Raises BadUpstream."""
    for _ in contents.chunks():
        pass
    check_proven(contents)


def check_proven(contents: "Contents") -> None:
    if not contents.proven:
        raise InternalError(Code.INTERNAL_ERROR, "a member's reader stopped before its end")


class Proofs(AbstractContextManager["Proofs"]):
    """Proves entries, one by one; `contents` opens an entry.

    `ahead` are all that will be asked for, in their order, once each, where a second thread begins
    with the last of them; none, where there is one thread.
    """

    def __init__(
        self, contents: Callable[["Entry"], "Contents"], ahead: Sequence["Entry"] = ()
    ) -> None:
        self._contents, self._left = contents, deque(ahead)
        self._read: dict[int, BaseException | None] = {}
        self._thread: threading.Thread | None = None
        self._over = False
        if ahead:
            self._thread = threading.Thread(target=self._from_the_end, daemon=True)
            self._thread.start()

    def of(self, entry: "Entry") -> None:
        """Return when the contents are proven. Raises BadUpstream, as if there were one thread."""
        if self._thread and not self._is_left(entry):
            self._thread.join()
            unread = InternalError(Code.INTERNAL_ERROR, "a member that nobody has read")
            if refused := self._read.get(entry.number, unread):
                raise refused
            return
        prove(self._contents(entry))

    def __exit__(self, *_: object) -> None:
        self._over = True
        if self._thread:
            self._thread.join()

    def _is_left(self, entry: "Entry") -> bool:
        """Whether the second thread has not taken it, and what is behind it; it won't any more."""
        try:
            following = self._left.popleft()
        except IndexError:
            return False
        if following is not entry:
            raise InternalError(Code.INTERNAL_ERROR, "members that are proven in another order")
        return True

    def _from_the_end(self) -> None:
        while not self._over:
            try:
                entry = self._left.pop()
            except IndexError:
                return
            try:
                contents = self._contents(entry)
                for _ in contents.chunks():
                    if self._over:
                        return
                check_proven(contents)
            except BaseException as error:  # noqa: BLE001 - raised when it is asked for
                self._read[entry.number] = error
            else:
                self._read[entry.number] = None
