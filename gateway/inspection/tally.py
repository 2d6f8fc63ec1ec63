"""Owners, attributions and categories, counted under limits: the making of an `Inspection`."""

from collections.abc import Iterable

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.model import Attribution, Group, SubjectRef

Owners = tuple[SubjectRef, ...]
"""The owners of one record: distinct, in the order found; empty if unattributed."""


_OWNERS, _LETTERS = 16, 64
"""How many owners in all groups go on a subject, and how many letters of names on a field: what
was seen is asked about and answered from memory, however large the body was."""


class Tally:
    """Counts records by owners, attribution and category.

    The only mutable thing in an inspection. Raises BadUpstream(BODY_TOO_COMPLEX) as soon as the
    distinct subjects, fields or members pass their limit, so that its memory is bounded by them.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._groups: dict[tuple[Owners, Attribution, str], int] = {}
        self._subjects: set[SubjectRef] = set()
        self._fields: set[str] = set()
        self._owners = self._letters = 0
        self.members = 0

    def add(
        self, owners: Owners, attribution: Attribution, category: str, records: int = 1
    ) -> None:
        """Count `records` records that all have these owners."""
        key = (owners, attribution if owners else Attribution.NONE, category)
        count = self._groups.get(key)
        if count is None:
            self._admit(owners)
            count = 0
        self._groups[key] = count + records

    def add_fields(self, names: Iterable[str]) -> None:
        """Note the names of a record's fields."""
        new = set(names) - self._fields
        self._fields |= new
        if len(self._fields) > self._limits.fields:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "more distinct fields than limits.fields")
        self._letters += sum(map(len, new))
        if self._letters > _LETTERS * self._limits.fields:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "longer field names than limits.fields holds")

    def add_member(self) -> None:
        """Note one archive member."""
        self.members += 1
        if self.members > self._limits.members:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "more members than limits.members")

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(
            Group(owners, attribution, category, records)
            for (owners, attribution, category), records in self._groups.items()
        )

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(sorted(self._fields))

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
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "more distinct subjects than limits.subjects")
