"""Owners, attributions and categories, counted under limits: the making of an `Inspection`."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.model import Attribution, Group, SubjectRef

_Key = TypeVar("_Key", bound=Hashable)

Owners = tuple[SubjectRef, ...]
"""The owners of one record: distinct, in the order found; empty if unattributed."""

FIRST, _FULL = 8, 100
"""Of how many records in a group the place is kept, in so many groups; in all others of one."""

_OWNERS, _LETTERS = 16, 64
"""How many owners in all groups go on a subject, and how many letters of names on a field: what
was seen is asked about and answered from memory, however large the body was."""

_MOST_KNOWN = 16_384
_TOO_MANY = "more distinct subjects than limits.subjects"


def check_owners(count: int, limits: Limits) -> None:
    """That one record has no more owners than a body may have, before all of them are found.

    Raises BadUpstream(BODY_TOO_COMPLEX).
    """
    if count > limits.subjects:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, _TOO_MANY)


class Places(Protocol):
    """Told where the records lie that are counted. (`inspection.lineindex`)"""

    def add(
        self, groups: int | Sequence[int], texts: Sequence[bytes], between: int, size: int
    ) -> None:
        """Of the next records: the group of all of them, or of each, 1 for the first one in
        `Tally.groups`; and as in `Tally.place`."""
        ...

    def add_beside(self, size: int) -> None: ...


class Tally:
    """Counts records by owners, attribution and category.

    The only mutable thing in an inspection. `sealed` unless a member has bytes beside its content
    that nobody has read. `places` is told where the records lie, by formats that know. Raises
    BadUpstream(BODY_TOO_COMPLEX) as soon as the distinct subjects, fields or members pass their
    limit, so that its memory is bounded by them. Of a `part` of a body, whose groups may be among
    the first in all of it, the places are kept as of these.
    """

    def __init__(self, limits: Limits, places: Places | None = None, *, part: bool = False) -> None:
        self._limits, self._places = limits, places
        self._full = 4 * limits.subjects if part else _FULL
        self._groups: dict[tuple[Owners, Attribution, str], _Count] = {}
        self._records = 0
        self._subjects: set[SubjectRef] = set()
        self._fields: set[str] = set()
        self._owners = self._letters = 0
        # Most keys of a batch were in the last one, too: their groups are found without a search.
        self._counted: tuple[Any, Attribution, str] | None = None
        self._known: dict[Any, _Count] = {}
        self._numbers: dict[Any, int] = {}
        self._latest: int | Sequence[Any] = ()
        self.members = 0
        self.sealed = True

    def add(
        self, owners: Owners, attribution: Attribution, category: str, records: int = 1
    ) -> None:
        """Count the next `records` records, which all have these owners."""
        count = self._count(owners, attribution, category)
        self._latest = count.number
        count.records += records
        if count.room:
            taken = min(count.room, records)
            count.room -= taken
            count.first += range(self._records, self._records + taken)
        self._records += records

    def add_each(
        self,
        keys: Sequence[_Key],
        owners: Callable[[_Key], Owners],
        attribution: Attribution,
        category: str,
    ) -> None:
        """Count the next records, one for each key. Whose a record is follows from its key."""
        if keys and keys[0] == keys[-1] and keys.count(keys[0]) == len(keys):
            self.add(owners(keys[0]), attribution, category, len(keys))
            return
        counted = (owners, attribution, category)
        if counted != self._counted or len(self._known) > _MOST_KNOWN:
            self._counted, self._known, self._numbers = counted, {}, {}
        known, self._latest = self._known, keys
        lacking: dict[_Key, _Count] = {}
        missing = 0
        for key, records in Counter(keys).items():
            count = known.get(key)
            if count is None:
                count = known[key] = self._count(owners(key), attribution, category)
                self._numbers[key] = count.number
            count.records += records
            if count.room:
                lacking[key] = count
                missing += min(count.room, records)
        # Groups soon have as many places as are kept, so that most batches are not looked through.
        if lacking:
            for place, key in enumerate(keys, self._records):
                found = lacking.get(key)
                if found and found.room:
                    found.first.append(place)
                    found.room -= 1
                    missing -= 1
                    if not missing:
                        break
        self._records += len(keys)

    def place(self, texts: Sequence[bytes], between: int, size: int) -> None:
        """Note where the records lie that were counted last, in one call: next in the body are
        these texts, so many bytes between two of them; all of it, and what ends it, is `size`."""
        if self._places:
            latest = self._latest
            if not isinstance(latest, int):
                latest = list(map(self._numbers.__getitem__, latest))
            self._places.add(latest, texts, between, size)

    def place_beside(self, size: int) -> None:
        """Note that the next bytes are no record's."""
        if self._places:
            self._places.add_beside(size)

    def add_groups(self, groups: Iterable[Group]) -> None:
        """Count the records of a body inside this one; their places go on from here."""
        start = self._records
        for group in groups:
            count = self._count(group.owners, group.attribution, group.category)
            count.records += group.records
            # Where several groups inside are one here, an earlier one may have taken later places.
            if count.room or count.first[-1] >= start:
                most = len(count.first) + count.room
                inside = (start + place for place in group.first)
                count.first = sorted((*count.first, *inside))[:most]
                count.room = most - len(count.first)
            self._records += group.records

    def add_fields(self, names: Iterable[str]) -> None:
        """Note the names of a record's fields."""
        new = set(names) - self._fields
        self._fields |= new
        if len(self._fields) > self._limits.fields:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "more distinct fields than limits.fields")
        self._letters += sum(map(len, new))
        if self._letters > _LETTERS * self._limits.fields:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "longer field names than limits.fields holds")

    def add_member(self, inside: int = 0) -> None:
        """Note one archive member, and those inside it."""
        self.members += 1 + inside
        if self.members > self._limits.members:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "more members than limits.members")

    @property
    def records(self) -> int:
        return self._records

    @property
    def distinct(self) -> tuple[int, int]:
        """How many groups and fields there are: it grows where something new was seen."""
        return len(self._groups), len(self._fields)

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(
            Group(owners, attribution, category, count.records, tuple(count.first))
            for (owners, attribution, category), count in self._groups.items()
        )

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(sorted(self._fields))

    def _count(self, owners: Owners, attribution: Attribution, category: str) -> "_Count":
        key = (owners, attribution if owners else Attribution.NONE, category)
        count = self._groups.get(key)
        if count is None:
            self._admit(owners)
            number = len(self._groups)
            count = self._groups[key] = _Count(number + 1, FIRST if number < self._full else 1)
        return count

    def _admit(self, owners: Owners) -> None:
        self._subjects.update(owners)
        self._owners += len(owners)
        # Records with several owners make more groups than subjects: the groups are bounded too,
        # and how many owners they have together.
        if (
            len(self._subjects) > self._limits.subjects
            or len(self._groups) >= 4 * self._limits.subjects
            or self._owners > _OWNERS * self._limits.subjects
        ):
            raise BadUpstream(Code.BODY_TOO_COMPLEX, _TOO_MANY)


class _Count:
    """The records of one group so far, the places of the first ones, ascending, and the room left
    for more; `number` is that of the group among all, from 1."""

    __slots__ = ("first", "number", "records", "room")

    def __init__(self, number: int, room: int) -> None:
        self.number, self.records, self.room = number, 0, room
        self.first: list[int] = []
