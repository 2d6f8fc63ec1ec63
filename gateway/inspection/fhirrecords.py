"""What becomes of FHIR resources: the entries of a Bundle, or resources that stand alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec import structs

from gateway.errors import BadUpstream, Code
from gateway.inspection import fhirowners, fhirtypes, jsonrecords, jsontext
from gateway.inspection.embedded import Embedded
from gateway.inspection.fhirowners import UNTOLD, Ownership
from gateway.inspection.fhirreferences import Meant, Patients, Place, restful
from gateway.inspection.locators import LocatorError, Steps, Wildcard, compile, written
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.tally import Owners, Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Mask

ALONE = Place()

_BINARY = {"resourceType", "id", "meta", "implicitRules", "language", "contentType", "data"}
"""The elements of a Binary (R4: binary.html) but for securityContext, which may name someone."""

_NARRATIVES: tuple[Steps, ...] = (
    ("text", "div"),
    ("contained", Wildcard.ELEMENTS, "text", "div"),
)
"""XHTML that says again what is in the resource (R4: narrative.html)."""


class Fate(NamedTuple):
    """Whose a record is, and of which category."""

    owners: Owners
    category: str
    nobodys: bool


class Fates:
    """Whose each record is. `entries` are the names that a Bundle's entries have (see
    `fhirbundle`); None where the records are resources, without a Bundle around them."""

    def __init__(
        self,
        spec: BodySpec | MemberSpec,
        patients: Patients,
        limits: Limits,
        entries: Mapping[str, Meant] | None = None,
    ) -> None:
        self._patients, self._entries = patients, entries
        self._categories, self._category = spec.categories, spec.category
        self.steps: Steps = () if entries is None else ("resource",)
        self._embedded = Embedded(spec, limits, self.steps, _NARRATIVES)

    def of(self, record: Any) -> Fate:
        """Raises BadUpstream(BODY_AMBIGUOUS) for what readers take in two ways."""
        if self._entries is None:
            found = fhirowners.of(record, ALONE, self._patients)
        else:
            found = self._entry(record, self._entries)
        if not self._embedded.idle:
            found = self._with_documents(record, found)
        if not found.owners and not found.nobodys:
            return Fate((), self._category, False)
        kind = self.resource(record)["resourceType"]
        return Fate(found.owners, self._categories.get(kind, self._category), found.nobodys)

    def _with_documents(self, record: Any, found: Ownership) -> Ownership:
        """Whoever owns something in a resource's documents owns the resource, too; of a Binary
        nothing else says whose it is."""
        inside = self._embedded.owners_inside(record)
        binary = self._is_binary(record)
        if inside is None or not (found.owners or found.nobodys or binary):
            return UNTOLD
        owners = tuple(dict.fromkeys((*found.owners, *inside)))
        return Ownership(owners, nobodys=not (owners or binary))

    def _is_binary(self, record: Any) -> bool:
        """Whether a record is a Binary and nothing more."""
        resource = self.resource(record)
        if type(resource) is not dict or resource.get("resourceType") != "Binary":
            return False
        alone = self._entries is None or self._plain_outcome(record.get("response"))
        return alone and resource.keys() <= _BINARY

    def resource(self, record: Any) -> Any:
        """The resource of a record; None where it has none."""
        if self._entries is None:
            return record
        return record.get("resource") if type(record) is dict else None

    def _entry(self, entry: Any, entries: Mapping[str, Meant]) -> Ownership:
        if type(entry) is not dict:
            return UNTOLD
        fhirtypes.check_names(entry)
        resource, url = entry.get("resource"), entry.get("fullUrl")
        if type(resource) is not dict or not self._plain_outcome(entry.get("response")):
            return UNTOLD  # a deletion, or the answer to one: it says of whom only by its URL
        if url is None:
            return fhirowners.of(resource, Place(True, entries), self._patients)
        if type(url) is not str:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a fullUrl that is no text")
        ours = False
        if parts := restful(url):
            named = (resource.get("resourceType"), resource.get("id", parts.id))
            if named != (parts.type, parts.id):
                raise BadUpstream(Code.BODY_AMBIGUOUS, "a fullUrl of another resource")
            ours = parts.root is not None and self._patients.serves(parts.root)
        return fhirowners.of(resource, Place(ours, entries), self._patients, url)

    def _plain_outcome(self, response: Any) -> bool:
        """Whether an entry's response holds no other resource than an OperationOutcome."""
        if response is None:
            return True
        if type(response) is not dict:
            return False
        fhirtypes.check_names(response)
        outcome = response.get("outcome")
        return outcome is None or (
            fhirowners.of(outcome, ALONE, self._patients).nobodys
            and outcome["resourceType"] == "OperationOutcome"
        )


class Census:
    """Counts the records of one body into a tally."""

    def __init__(self, fates: Fates, spec: BodySpec | MemberSpec, tally: Tally) -> None:
        self._fates, self._category, self._tally = fates, spec.category, tally

    def count(self, records: Sequence[Any]) -> None:
        """Count records by their owners, and note the names of their resources' elements."""
        resources = map(self._fates.resource, records)
        self._tally.add_fields(set().union(*(each for each in resources if type(each) is dict)))
        for category, group in groupby(map(self._fates.of, records), attrgetter("category")):
            owners = [fate.owners for fate in group]
            self._tally.add_each(owners, _themselves, Attribution.DIRECT, category)

    def count_stray(self) -> None:
        """Count something in a Bundle that is no entry."""
        self._tally.add((), Attribution.NONE, self._category)


def _themselves(owners: Owners) -> Owners:
    return owners


class Selection:
    """Applies a verdict to the records of one body. A mask is relative to the resource, and what
    stands beside a masked value (`_beside`) becomes null."""

    def __init__(
        self, fates: Fates, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict
    ) -> None:
        self._fates, self._verdict, self._category = fates, verdict, spec.category
        self._spec, self._limits = replace(spec, subject=()), limits
        self._mask: tuple[Mask, ...] = ()
        self._masks = self._compiled()

    def keeps(self, records: Sequence[Any]) -> list[bool]:
        """Which of the records stay."""
        if self._verdict.asks:
            resources = map(self._fates.resource, records)
            self._verdict.sees(set().union(*(each for each in resources if type(each) is dict)))
        keeps: list[bool] = []
        for category, group in groupby(map(self._fates.of, records), attrgetter("category")):
            owners = [fate.owners for fate in group]
            keeps += self._verdict.keeps_each(owners, _themselves, category)
        return keeps

    def keeps_stray(self) -> bool:
        """Whether something in a Bundle that is no entry stays."""
        return self._verdict.keeps_each(((),), _themselves, self._category)[0]

    def _compiled(self) -> jsonrecords.Selection:
        """A stream's masks may change with a decision."""
        self._mask, verdict = self._verdict.mask, self._verdict
        masks = (*self._mask, *(each for mask in self._mask for each in _beside(mask)))
        masking = replace(verdict, decision=structs.replace(verdict.decision, mask=masks))
        return jsonrecords.Selection(self._spec, self._limits, masking)

    def blanks(self, records: Sequence[Any]) -> list[bool]:
        """Which of the records have a value to blank."""
        if self._mask != self._verdict.mask:
            self._masks = self._compiled()
        return self._masks.blanks([self._fates.resource(record) for record in records])

    def masked(self, text: bytes) -> bytes:
        """The text of a record, its resource's masked values blanked."""
        begin, end = jsontext.trimmed(text)
        ((begin, end),) = jsontext.places(text, begin, end, self._fates.steps)
        return text[:begin] + self._masks.masked(text[begin:end]) + text[end:]


def _beside(mask: Mask) -> Iterator[Mask]:
    """A mask of what a primitive element has beside its value: `_birthDate` beside `birthDate`
    (R4: json.html#primitive). Extensions there may say more than the value does."""
    try:
        steps = compile(mask.path)
    except LocatorError:
        return
    while steps and steps[-1] is Wildcard.ELEMENTS:
        steps = steps[:-1]
    if steps and isinstance(steps[-1], str):
        yield Mask(written((*steps[:-1], f"_{steps[-1]}")))
