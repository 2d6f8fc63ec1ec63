"""The fields of a body that nothing ever compares: a mistake in one of them goes unnoticed.

Compared are the subjects' locators and what a manifest vouches for. Masked is what a decision of
this run masked. What is left is said, and where it looks like an identifier, or where the policy
names it and left it as it is all the same, that is said, too.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.inspection import jsontext, locators
from gateway.inspection.formats.csv import column
from gateway.inspection.locators import LocatorError, Steps
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.model import Format
from gateway.workbench.infer.evidence import Candidate, candidates
from gateway.workbench.infer.fields import Field, fields
from gateway.workbench.infer.looks import is_identifying
from gateway.workbench.infer.shapes import Place
from gateway.workbench.infer.words import Role
from gateway.workbench.mutate.bodies import Body
from gateway.workbench.mutate.tables import Table

_MOST = 5_000
"""Records that are looked at in one text."""

_LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`([^`]*)`')


@dataclass(frozen=True, slots=True)
class Uncompared:
    """A field that nothing compares. `part` is the pattern of members it is in, or empty; without
    `locator`, the contents of these members are never read at all."""

    part: str
    locator: str
    records: int = 0
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What a policy looks at: `masks` are paths that it masked, `named` those that its text and
    data hold, `names` what it holds against the names of fields."""

    masks: frozenset[Steps] = frozenset()
    named: frozenset[Steps] = frozenset()
    names: frozenset[str] = frozenset()


def known(modules: Iterable[str], data: Any, masks: Iterable[str]) -> Known:
    """From a policy's modules and data, and the masks that were seen."""
    literals = {text: _literals(text) for text in modules}
    asking = (found for text, found in literals.items() if "payload.fields" in text)
    return Known(
        _paths(masks),
        _paths((*_strings(data), *frozenset[str]().union(*literals.values()))),
        frozenset().union(*asking),
    )


def _literals(text: str) -> frozenset[str]:
    return frozenset(one or other for one, other in _LITERAL.findall(text))


def _paths(locators: Iterable[str]) -> frozenset[Steps]:
    paths = (_compiled(each) for each in locators if each.startswith("$"))
    return frozenset(path for path in paths if path)


def _compiled(locator: str) -> Steps | None:
    try:
        return locators.compile(locator)
    except LocatorError:
        return None


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, each in value.items():
                yield key
                yield from _strings(each)
        case list():
            for each in value:
                yield from _strings(each)
        case _:
            return


def uncompared(bodies: Sequence[Body], policy: Known) -> tuple[Uncompared, ...]:
    """The fields of all bodies of one endpoint, each once."""
    found: dict[tuple[str, str], Uncompared] = {}
    tables: dict[str, list[Table]] = {}
    for body in bodies:
        for part in body.parts:
            tables.setdefault(_pattern(part.table.spec), []).append(part.table)
        for name, member in (body.members or {}).items():
            if not member.is_structured and member.outer_owners():
                pattern = member.spec.match
                found.setdefault(
                    (pattern, ""), Uncompared(pattern, "", hint=f"contents, as of {name}")
                )
    for pattern, same in tables.items():
        for each in (*_of_records(pattern, same, policy), *_of_envelopes(pattern, same)):
            found.setdefault((each.part, each.locator), each)
    return tuple(found.values())


def _pattern(spec: BodySpec | MemberSpec) -> str:
    return spec.match if isinstance(spec, MemberSpec) else ""


def _of_records(pattern: str, tables: Sequence[Table], policy: Known) -> Iterator[Uncompared]:
    records = tuple(
        table.record(index) for table in tables for index in range(min(len(table.records), _MOST))
    )
    place = Place(locators.compile(tables[0].spec.records), (records,))
    all_fields = fields(place)
    hints = {each.field.locator: each for each in candidates(place, all_fields)}
    compared = _compared(tables[0].spec)
    for field in all_fields:
        masked = _covers(policy.masks, field)
        if field.steps in compared or masked or field.steps[0] in policy.names:
            continue
        if _covers(policy.named, field):
            hint = "the policy names it, and left it as it is"
        else:
            hint = _hint(field, hints.get(field.locator))
        yield Uncompared(pattern, field.locator, field.present, hint)


def _covers(paths: frozenset[Steps], field: Field) -> bool:
    return any(field.steps[: len(path)] == path for path in paths)


def _compared(spec: BodySpec | MemberSpec) -> frozenset[Steps]:
    said = [each for owner in spec.subject for found in owner.values() for each in found]
    if isinstance(spec, MemberSpec) and spec.vouches_for:
        said.append(spec.vouches_for)
    if spec.format is Format.CSV:
        return frozenset((column(each),) for each in said)
    return frozenset(map(locators.compile, said))


def _hint(field: Field, candidate: Candidate | None) -> str:
    """Why a field should perhaps be compared, or masked."""
    if candidate is None or not field.exact:
        return ""
    look = field.look
    match candidate.role:
        case Role.THIRD:
            return f"a third person's, {look.value}: mask it?" if is_identifying(look) else ""
        case Role.OWNER | Role.AUTHOR if candidate.points > 0:
            return f"looks like an owner's, {look.value}: compare it?"
        case _:
            return f"looks like {look.value}" if is_identifying(look) else ""


def _of_envelopes(pattern: str, tables: Sequence[Table]) -> Iterator[Uncompared]:
    """Scalars around the records, which leave with whatever is left in them."""
    if tables[0].spec.format is not Format.JSON:
        return
    steps = locators.compile(tables[0].spec.records)
    totals = frozenset(map(locators.compile, tables[0].spec.totals))
    documents = tuple(
        jsontext.parse(table.text.removeprefix(jsontext.BOM), Limits().depth) for table in tables
    )
    place = Place((), (documents,))
    around = [
        field
        for field in fields(place)
        if field.steps[: len(steps)] != steps and field.steps not in totals
    ]
    hints = {each.field.locator: each for each in candidates(place, around)}
    for field in around:
        hint = _hint(field, hints.get(field.locator)) or "leaves with any record"
        yield Uncompared(pattern, f"{field.locator} (envelope)", field.present, hint)
