"""What becomes of JSON records: counted, kept or dropped, their fields masked."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from gateway.errors import BadUpstream, Code
from gateway.inspection import jsontext, masking
from gateway.inspection.embedded import Embedded
from gateway.inspection.jsonmatcher import Matched, Matcher
from gateway.inspection.locators import (
    Attributor,
    LocatorError,
    Steps,
    check_names,
    compile,
    find,
)
from gateway.inspection.maskshapes import fits
from gateway.inspection.settings import AlsoSpec, BodySpec, Limits, MemberSpec
from gateway.inspection.tally import Owners, Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Mask

_DEEPEST = 128
"""The most that `limits.depth` can be: what is masked was read within it."""


class Counting(Protocol):
    """Counts records; see `Census`."""

    def count(self, records: Sequence[Any]) -> None: ...

    def count_stray(self) -> None: ...


class Masking(Protocol):
    """Says what becomes of masked values; see `Selection`."""

    def blanks(self, records: Sequence[Any]) -> list[bool]: ...

    def masked(self, text: bytes) -> bytes: ...


class Selecting(Masking, Protocol):
    """Says what becomes of records."""

    def keeps(self, records: Sequence[Any]) -> list[bool]: ...

    def keeps_stray(self) -> bool: ...


class Census:
    """Counts the records of one body into a tally. `attribution` is how they have their owners."""

    def __init__(
        self,
        spec: BodySpec | MemberSpec | AlsoSpec,
        limits: Limits,
        tally: Tally,
        attribution: Attribution = Attribution.DIRECT,
    ) -> None:
        self._attributor, self._embedded = Attributor(spec.subject), Embedded(spec, limits)
        self._category, self._tally, self._attribution = spec.category, tally, attribution

    def count(self, records: Sequence[Any], owned: Sequence[Any] | None = None) -> None:
        """Count records by their owners, and note the names of their fields. Owners are looked for
        in the records, or in `owned`, one for each; documents always in the records."""
        objects = records
        if set(map(type, records)) != {dict}:
            objects = [record for record in records if isinstance(record, dict)]
        self._tally.add_fields(set().union(*objects))
        keys, owners = self._attributor.keyed(records if owned is None else owned)
        keys, owners = self._embedded.joined(records, keys, owners)
        self._tally.add_each(keys, owners, self._attribution, self._category)

    def count_matched(self, matched: Matched) -> None:
        """Count records that are like those whose fields were noted."""
        self._tally.add_each(matched.keys, matched.owners, self._attribution, self._category)

    def matcher(self, between: bytes, limits: Limits) -> Matcher | None:
        """What matches these records, where `between` parts them; None where more is asked of them
        than whose they are."""
        if not self._embedded.idle:
            return None
        return Matcher(self._attributor, between, limits)

    def count_stray(self, owners: Owners = ()) -> None:
        """Count something beside the records: what names these owners, or nobody's."""
        self._tally.add(owners, Attribution.DIRECT, self._category)


class Selection:
    """Applies a verdict to the records of one body.

    Raises BadUpstream(REDACTION_UNSUPPORTED) for a mask that is no JSONPath locator, or that leads
    into a document in a text. First comes which of some records stay, then what is blanked in them:
    a decision about them may be new.
    """

    def __init__(
        self, spec: BodySpec | MemberSpec | AlsoSpec, limits: Limits, verdict: Verdict
    ) -> None:
        self._attributor, self._embedded = Attributor(spec.subject), Embedded(spec, limits)
        self._category, self._verdict = spec.category, verdict
        self._mask: tuple[Mask, ...] = ()
        self._masks: list[tuple[Mask, Steps]] = []
        self._paths: list[Steps] = []
        self._doubtful = True
        self._compile()

    def keeps(self, records: Sequence[Any], owned: Sequence[Any] | None = None) -> list[bool]:
        """Which of the records stay; `owned` as in `Census.count`."""
        if self._verdict.asks:
            self._verdict.sees(
                set().union(*(record for record in records if isinstance(record, dict)))
            )
        keys, owners = self._attributor.keyed(records if owned is None else owned)
        keys, owners = self._embedded.joined(records, keys, owners)
        return self._verdict.keeps_each(keys, owners, self._category)

    def keeps_matched(self, matched: Matched) -> list[bool]:
        """Which of the records stay."""
        return self._verdict.keeps_each(matched.keys, matched.owners, self._category)

    def matcher(self, between: bytes, limits: Limits) -> Matcher | None:
        """What matches these records, where `between` parts them; None where more is asked of them
        than whose they are."""
        if self._verdict.asks or self._verdict.mask or not self._embedded.idle:
            return None
        return Matcher(self._attributor, between, limits)

    def keeps_stray(self, owners: Owners = ()) -> bool:
        """Whether something beside the records stays: what names these owners, or nobody's."""
        return self._verdict.keeps_each((owners,), lambda each: each, self._category)[0]

    def _compile(self) -> None:
        """A stream's masks may change with a decision."""
        if self._mask == self._verdict.mask:
            return
        try:
            self._masks = [
                (mask, compile(mask.path)) for mask in masking.strictest_first(self._verdict.mask)
            ]
        except LocatorError:
            raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a mask is no JSONPath") from None
        for _, steps in self._masks:
            self._embedded.check_mask(steps)
        self._paths = [steps for _, steps in self._masks]
        self._mask = self._verdict.mask

    def blanks(self, records: Sequence[Any]) -> list[bool]:
        """Which of the records have a value to mask, or one that the masks don't fit (which is
        refused where the record stays).

        Raises BadUpstream(BODY_AMBIGUOUS) for one that some parsers would find under another name.
        """
        self._compile()
        if not self._masks:
            return [False] * len(records)
        for record in records:
            for _, steps in self._masks:
                check_names(record, steps, "a mask")
        misfits = [not fits(record, self._paths) for record in records]
        self._doubtful = any(misfits)
        return [
            misfit or any(value is not None for path in self._paths for value in find(record, path))
            for record, misfit in zip(records, misfits, strict=True)
        ]

    def masked(self, text: bytes) -> bytes:
        """The text of a record with what its masked values become.

        Raises BadUpstream(REDACTION_UNSUPPORTED) for a value that can't become that, and for a
        record that the masks don't fit.
        """
        if self._doubtful and not fits(jsontext.parse(text, _DEEPEST), self._paths):
            note = "a mask meets another kind of value than it goes into"
            raise BadUpstream(Code.REDACTION_UNSUPPORTED, note)
        return masking.spliced(text, self._places(text), self._become)

    def _places(self, text: bytes) -> Iterator[tuple[int, int, int]]:
        begin, end = jsontext.trimmed(text)
        for number, (_, steps) in enumerate(self._masks):
            for first, last in jsontext.places(text, begin, end, steps):
                yield first, last, number

    def _become(self, value: bytes, number: int) -> bytes:
        mask, _ = self._masks[number]
        return masking.of_json(mask, value, self._verdict.key)
