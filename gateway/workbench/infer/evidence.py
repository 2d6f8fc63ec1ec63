"""Fields → candidates for the owner of a record, ranked, each with the reasons for its rank.

Points are added up; each reason says how many and why, so that a rank can be argued with. What
points become is a degree of belief, on the logistic curve: 2.5 points are a coin's toss, 4 make
four out of five.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from gateway.workbench.infer.fields import Field, telling
from gateway.workbench.infer.looks import Look, shortened
from gateway.workbench.infer.shapes import Place
from gateway.workbench.infer.words import (
    ATTRIBUTES,
    Role,
    entity,
    is_generic,
    person,
    role,
    singular,
)

_TOSS = 2.5
_AGREEING = 3
SURE = 0.8
MARGIN = 1.5
"""Points that the best candidate must be ahead of the next one about another person."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One piece of evidence, for or against."""

    points: float
    text: str

    def __str__(self) -> str:
        return f"{self.points:+.1f} {self.text}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A field that may name the owner; `agreeing` are others with the same value everywhere."""

    field: Field
    kind: str
    role: Role
    reasons: tuple[Reason, ...]
    agreeing: tuple[Field, ...] = ()

    @property
    def points(self) -> float:
        return sum(reason.points for reason in self.reasons)

    @property
    def belief(self) -> float:
        """From 0 to 1."""
        return 1 / (1 + math.exp(_TOSS - self.points))

    @property
    def locators(self) -> tuple[str, ...]:
        return (self.field.locator, *(each.locator for each in self.agreeing))

    @property
    def samples(self) -> tuple[str, ...]:
        """Up to three of its values, shortened."""
        return tuple(map(shortened, dict.fromkeys(self.field.exact)))[:3]

    @property
    def complete(self) -> bool:
        """Whether every record has it."""
        return self.field.present == len(self.field.values) and not self.field.unfit


def candidates(place: Place, fields: Sequence[Field]) -> tuple[Candidate, ...]:
    """The candidates for the owner of a record at a place, the likeliest first.

    Of fields that agree everywhere the likeliest stands for all of them.
    """
    person = record_is_person(place)
    scored = [
        Candidate(each, _kind(each, place), *_weighed(each, person))
        for each in fields
        if each.exact
    ]
    scored.sort(key=lambda each: (-each.points, len(each.field.steps), each.field.several))
    told: set[str] = set()
    ranked: list[Candidate] = []
    for each in scored:
        if each.field.locator in told:
            continue
        same = [
            other
            for other in telling(each.field, [other.field for other in scored])
            if _says_the_same(each.field, other) and other.locator not in told
        ][:_AGREEING]
        told |= {other.locator for other in same}
        reasons = each.reasons
        if same:
            names = ", ".join(other.locator for other in same)
            reasons += (Reason(1.5, f"{names} has the same value in every record"),)
        ranked.append(Candidate(each.field, each.kind, each.role, reasons, tuple(same)))
    return tuple(sorted(ranked, key=lambda each: (-each.points, len(each.field.steps))))


def _says_the_same(one: Field, other: Field) -> bool:
    """Whether a field with the same values everywhere is another word for the same identifier."""
    owners = (Role.OWNER, Role.AUTHOR)
    return not other.unfit and role(one.steps)[0] in owners and role(other.steps)[0] in owners


def record_is_person(place: Place) -> str:
    """The word for a person that the records are: from their place, or their type; or empty."""
    records = [record for each in place.records for record in each if isinstance(record, dict)]
    types = {record.get("resourceType") for record in records}
    if types <= {"Patient", "Person", "RelatedPerson"} and types and records:
        return "patient"
    names = [step for step in place.steps if isinstance(step, str)][-1:]
    who, word = role(names)
    plural = bool(names) and singular(names[0].lower()) != names[0].lower()
    return word if who in (Role.OWNER, Role.THIRD) and plural else ""


def _weighed(field: Field, person: str) -> tuple[Role, tuple[Reason, ...]]:
    who, named = _named(field, person)
    reasons = [named, _looking(field, who), *_spread(field, who, bool(person))]
    if field.several:
        reasons.append(Reason(-3, "a list: there may be several in a record"))
    return who, tuple(reason for reason in reasons if reason.points)


def _named(field: Field, person: str) -> tuple[Role, Reason]:
    who, word = role(field.steps)
    own_id = len(field.steps) == 1 and is_generic(str(field.steps[0]))
    match who:
        case _ if own_id and person:
            return Role.OWNER, Reason(3, f"the record is itself a person: {person}")
        case _ if own_id:
            return who, Reason(-2, "the record's own identifier")
        case Role.OWNER:
            return who, Reason(3, f"{word}: {who.value}")
        case Role.AUTHOR:
            return who, Reason(2, f"{word}: {who.value}")
        case Role.THIRD:
            return who, Reason(-5, f"{word}: {who.value}")
        case Role.THING:
            return who, Reason(-3, f"{word}: {who.value}")
        case Role.NAME:
            return who, Reason(-4, f"{word}: {who.value}")
        case Role.PLAIN:
            return who, Reason(0, who.value)
        case _:
            assert_never(who)


def _looking(field: Field, who: Role) -> Reason:
    looks = field.look
    match looks:
        case Look.PATIENT:
            points = 3.0
        case Look.IBAN:
            points = 2.5
        case Look.EMAIL:
            points = 1.5
        case Look.PHONE | Look.UUID:
            points = 1
        case Look.OPAQUE | Look.INTEGER:
            points = 0.5
        case Look.OTHER_REFERENCE:
            points = -6
        case Look.WORD:
            points = -1 if who is Role.OWNER else -3
        case Look.DATE | Look.LINK | Look.TEXT | Look.NO_IDENTIFIER:
            points = -4
        case _:
            assert_never(looks)
    return Reason(points, f"looks like {looks.value}")


def _spread(field: Field, who: Role, is_person: bool) -> list[Reason]:
    """How the values are spread over the records: an owner is in each, and has many records."""
    records, present, distinct = len(field.values), field.present, field.distinct
    reasons = []
    if present == records and not field.unfit:
        reasons.append(Reason(1, f"in every record ({records})"))
    else:
        share = present / records
        reasons.append(Reason(-1 - 4 * (1 - share), f"only in {present} of {records} records"))
    if field.unfit:
        reasons.append(Reason(-1, f"null or no identifier in {field.unfit} records"))
    if field.varies:
        reasons.append(Reason(2, "one value in each sample, another one in the next"))
    elif distinct == 1 and records > 1:
        reasons.append(Reason(0.5, "the same in all records: one person's export, or a constant"))
    elif distinct < present:
        reasons.append(Reason(1.5, f"repeated: {distinct} distinct in {present} records"))
    elif records > 2 and not is_person:
        points = -0.5 if who is Role.OWNER else -1.0
        reasons.append(
            Reason(points, "another one in each record, as a record's own identifier is")
        )
    return reasons


def _kind(field: Field, place: Place) -> str:
    """A name for the kind of identifier: what it looks like, else what its path calls it."""
    match field.look:
        case Look.PATIENT:
            return "fhir"
        case Look.EMAIL:
            return "email"
        case Look.IBAN:
            return "iban"
        case Look.PHONE:
            return "phone"
        case _:
            word = entity(field.steps) or record_is_person(place) or entity(place.steps)
            word = "".join(each for each in word.lower() if each.isascii() and each.isalnum())
            return word if word[:1].isalpha() else "account"


def about_another(one: Candidate, other: Candidate) -> bool:
    """Whether two candidates may name two persons, and not one person in two ways.

    Two identifiers of one kind are two persons, or a body that contradicts itself. Of two kinds
    they are one person where their paths say so (`user_id`, `user.email`), where one is a person's
    attribute beside an identifier (`customer_id`, `email`) and nobody shares it, or where each
    value of the one always comes with the same value of the other, in more than one record.
    """
    if one.kind == other.kind:
        return True
    whose, whose_other = person(one.field.steps), person(other.field.steps)
    if whose == whose_other:
        return False
    if {whose, whose_other} & ATTRIBUTES:
        return contradicting(one, other)
    return not _paired(one.field, other.field)


def contradicting(one: Candidate, other: Candidate) -> bool:
    """Whether records of one owner by the first candidate have several by the other."""
    values = zip(one.field.values, other.field.values, strict=True)
    pairs = {(repr(a), repr(b)) for a, b in values if a and b}
    return len({a for a, _ in pairs}) < len(pairs)


def _paired(one: Field, other: Field) -> bool:
    pairs = {(repr(a), repr(b)) for a, b in zip(one.values, other.values, strict=True)}
    single = len({a for a, _ in pairs}) == len(pairs) == len({b for _, b in pairs})
    return single and 1 < len(pairs) < len(one.values)
