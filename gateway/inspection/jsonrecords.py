"""What becomes of JSON records: counted, kept or dropped, their fields blanked."""

from collections.abc import Iterator, Sequence
from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import jsontext
from gateway.inspection.locators import (
    Attributor,
    LocatorError,
    Steps,
    check_names,
    compile,
    find,
)
from gateway.inspection.settings import BodySpec, MemberSpec
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution


class Census:
    """Counts the records of one body into a tally."""

    def __init__(self, spec: BodySpec | MemberSpec, tally: Tally) -> None:
        self._attributor = Attributor(spec.subject)
        self._category, self._tally = spec.category, tally

    def count(self, records: Sequence[Any]) -> None:
        """Count records by their owners, and note the names of their fields."""
        objects = records
        if set(map(type, records)) != {dict}:
            objects = [record for record in records if isinstance(record, dict)]
        self._tally.add_fields(set().union(*objects))
        keys, owners = self._attributor.keyed(records)
        self._tally.add_each(keys, owners, Attribution.DIRECT, self._category)

    def count_stray(self) -> None:
        """Count something that no locator names."""
        self._tally.add((), Attribution.NONE, self._category)


class Selection:
    """Applies a verdict to the records of one body.

    Raises BadUpstream(REDACTION_UNSUPPORTED) for a mask that is no JSONPath locator. First comes
    which of some records stay, then what is blanked in them: a decision about them may be new.
    """

    def __init__(self, spec: BodySpec | MemberSpec, verdict: Verdict) -> None:
        self._attributor = Attributor(spec.subject)
        self._category, self._verdict = spec.category, verdict
        self._mask: tuple[str, ...] = ()
        self._masks: list[Steps] = []
        self._compile()

    def keeps(self, records: Sequence[Any]) -> list[bool]:
        """Which of the records stay."""
        if self._verdict.asks:
            self._verdict.sees(
                set().union(*(record for record in records if isinstance(record, dict)))
            )
        keys, owners = self._attributor.keyed(records)
        return self._verdict.keeps_each(keys, owners, self._category)

    def keeps_stray(self) -> bool:
        """Whether something that no locator names stays."""
        return self._verdict.keeps_each(((),), lambda owners: owners, self._category)[0]

    def _compile(self) -> None:
        """A stream's masks may change with a decision."""
        if self._mask == self._verdict.mask:
            return
        try:
            self._masks = [compile(mask) for mask in self._verdict.mask]
        except LocatorError:
            raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a mask is no JSONPath") from None
        self._mask = self._verdict.mask

    def blanks(self, records: Sequence[Any]) -> list[bool]:
        """Which of the records have a value to blank.

        Raises BadUpstream(BODY_AMBIGUOUS) for one that some parsers would find under another name.
        """
        self._compile()
        if not self._masks:
            return [False] * len(records)
        for record in records:
            for steps in self._masks:
                check_names(record, steps, "a mask")
        return [
            any(value is not None for steps in self._masks for value in find(record, steps))
            for record in records
        ]

    def masked(self, text: bytes) -> bytes:
        """The text of a record, its masked values blanked."""
        return jsontext.blank(text, self._places(text))

    def _places(self, text: bytes) -> Iterator[tuple[int, int]]:
        begin, end = jsontext.trimmed(text)
        for steps in self._masks:
            yield from jsontext.places(text, begin, end, steps)
