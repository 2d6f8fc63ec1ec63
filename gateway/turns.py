"""Whose turn it is to put a body into the spool, where there isn't room for all at once.

A body whose length is known is waited for outside: nothing more of it is read, so that the service
behind the gateway is slowed down instead of refused, and no exchange holds a part of a body while
it waits for the rest. It waits for `spool.wait` at the most; then it is refused.

- First come, first served; nobody overtakes one that waits for room, or a big body would wait for
  ever. One that waits because of what its own caller holds is passed by.
- Bodies that are fetched fill half of the spool, or one has it alone: a redaction needs room beside
  its body, and goes first, since it makes room.
- A caller's first body may have what there is of that half. With further ones, a caller has at most
  as much of it as it leaves free (dynamic thresholds: Choudhury and Hahne, IEEE/ACM Transactions
  on Networking 6(2), 1998), so that whoever fetches much, or reads slowly, never has all.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Protocol

from gateway.errors import Code, Unavailable

_LOOK = 0.05
"""Seconds between two looks whether other processes have made room."""


class Numbers(Protocol):
    """A list, or memory that several processes share."""

    def __getitem__(self, at: int, /) -> int: ...

    def __setitem__(self, at: int, number: int, /) -> None: ...

    def __iter__(self) -> Iterator[int]: ...


class Ledger:
    """Bytes on disk: a number for each process that takes from one limit, in memory they share.

    Each writes its own number and reads all. Who takes writes first and adds up then, so that of
    two at once both may be refused, but never both be let in. What a process held that was killed
    is free, as its files are: whoever saw it die clears its number.
    """

    def __init__(self, numbers: Numbers | None = None, own: int = 0) -> None:
        self._numbers: Numbers = [0] if numbers is None else numbers
        self._own = own

    @property
    def own(self) -> int:
        return self._numbers[self._own]

    @property
    def all(self) -> int:
        return sum(self._numbers)

    def add(self, size: int) -> None:
        self._numbers[self._own] += size


@dataclass(slots=True, eq=False)
class _Waiting:
    size: int
    owner: Hashable
    redacts: bool
    turn: asyncio.Future[None]


class Turns:
    """Reserves from one `limit`. `patience` is in seconds."""

    def __init__(self, ledger: Ledger, limit: int, patience: float) -> None:
        self._ledger, self._limit, self._patience = ledger, limit, patience
        self._held: Counter[Hashable] = Counter()
        self._queue: deque[_Waiting] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def take(self, size: int, owner: Hashable, own: int = 0) -> None:
        """At once, for a body that has `own` bytes already, or none where it doesn't matter whose
        it is. Raises Unavailable(SPOOL_FULL)."""
        self._ledger.add(size)
        if size > 0 and self._ledger.all > self._limit:
            self._ledger.add(-size)
            raise Unavailable(Code.SPOOL_FULL, "spool.limit is reached")
        if owner is None:
            return
        others = self._held[owner] - own
        if size > 0 and others > 0 and self._held[owner] + size > self._free(self._ledger.all):
            self._ledger.add(-size)
            raise Unavailable(Code.SPOOL_FULL, "the caller has its share of spool.limit")
        self._held[owner] += size

    def spares(self, size: int) -> bool:
        """Whether there is so much room that nobody waits for, in the half of fetched bodies."""
        return not self._queue and self._free(self._ledger.all + size) >= 0

    def give_back(self, size: int, owner: Hashable) -> None:
        self._ledger.add(-size)
        self.disown(size, owner)
        if self._queue:
            self._look()

    def disown(self, size: int, owner: Hashable) -> None:
        """It is nobody's any more, and still takes its room."""
        if owner is not None:
            self._held[owner] -= size
            if self._held[owner] <= 0:
                del self._held[owner]

    async def wait(
        self, size: int, owner: Hashable, *, beside: int = 0, redacts: bool = False
    ) -> None:
        """Return when `size` bytes are reserved, beside so many that the same exchange holds.

        Raises Unavailable(SPOOL_FULL) when it takes too long, and at once where it can't be.
        """
        if size + beside > self._limit:
            raise Unavailable(Code.SPOOL_FULL, "more than spool.limit")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        each = _Waiting(size, owner, redacts, turn)
        if redacts:
            self._queue.appendleft(each)
        else:
            self._queue.append(each)
        self._look()
        try:
            async with asyncio.timeout(self._patience):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.give_back(size, owner)  # it came at the moment of giving up
            else:
                self._queue.remove(each)
                self._look()  # who waited behind it may have room
            if isinstance(error, TimeoutError):
                raise Unavailable(Code.SPOOL_FULL, "no room within spool.wait") from None
            raise

    def _look(self) -> None:
        """Give their turns to those who may have them."""
        for each in tuple(self._queue):
            if each.turn.done():
                continue  # it gave up a moment ago
            if not self._has_room(each):
                break
            if self._is_fair(each):
                self._queue.remove(each)
                self._ledger.add(each.size)
                if each.owner is not None:
                    self._held[each.owner] += each.size
                each.turn.set_result(None)
        if self._queue and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._look()

    def _has_room(self, each: _Waiting) -> bool:
        used = self._ledger.all + each.size
        if each.redacts or used == each.size:
            return used <= self._limit
        return self._free(used) >= 0

    def _is_fair(self, each: _Waiting) -> bool:
        held = self._held[each.owner] if each.owner is not None else 0
        free = self._free(self._ledger.all + each.size)
        return each.redacts or held == 0 or held + each.size <= free

    def _free(self, used: int) -> int:
        """What is left for bodies that are fetched when so much is used."""
        return self._limit // 2 - used
