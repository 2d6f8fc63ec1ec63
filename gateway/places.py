"""Places, of which there are few, and how many of them one caller may have.

An exchange takes one of `client.exchanges` when its request arrives, and gives it back when its
answer has left; a stream has one of `inspection.streams` for as long as it lasts. A caller that
reads slowly, or asks for much at once, holds what it has. Whose a place is, is known once the
caller is; then it is `claim`ed.

- What comes beyond the places that there are is refused.
- A caller's first place may be any that is free. With further ones, it has at most as many as it
  leaves free, as in the spool (dynamic thresholds, see `turns`): one caller alone gets half, and
  what it leaves is shared alike.

Nobody waits here: a place that is waited for is a place.
"""

from collections import Counter
from collections.abc import Hashable

from gateway.errors import Code, Unavailable


class Places:
    """As many as `setting` says, which is named where a caller has its share. `taken` counts all,
    those of exchanges that are being refused among them."""

    def __init__(self, limit: int, setting: str) -> None:
        self._limit, self._setting, self.taken = limit, setting, 0
        self._held: Counter[Hashable] = Counter()

    @property
    def full(self) -> bool:
        return self.taken >= self._limit

    @property
    def largest(self) -> int:
        """How many places the caller has who has most."""
        return max(self._held.values(), default=0)

    def take(self) -> "Place":
        """A place that is nobody's yet."""
        self.taken += 1
        return Place(self)

    def claim(self, owner: Hashable) -> None:
        """For a place that was taken. Raises Unavailable(OVERLOADED)."""
        held = self._held.get(owner, 0)
        if held and held + 1 > self._limit - self.taken:
            raise Unavailable(Code.OVERLOADED, f"the caller has its share of {self._setting}")
        self._held[owner] = held + 1

    def give_back(self, owner: Hashable | None) -> None:
        self.taken -= 1
        if owner is not None:
            self._held[owner] -= 1
            if not self._held[owner]:
                del self._held[owner]


class Place:
    """One of them."""

    __slots__ = ("_owner", "_places")

    def __init__(self, places: Places) -> None:
        self._places = places
        self._owner: Hashable | None = None

    def claim(self, owner: Hashable) -> None:
        """Once, when it is known whose it is. Raises Unavailable(OVERLOADED) where the caller has
        its share already."""
        self._places.claim(owner)
        self._owner = owner

    def give_back(self) -> None:
        """Once, when it is over."""
        self._places.give_back(self._owner)
