"""Everything that can be changed in a body, one thing at a time.

Only what the policy releases is changed: a record that stays behind anyway proves nothing. For each
change the units are known that must stay behind because of it, and no others.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from gateway.errors import BadUpstream
from gateway.inspection.members import UNMATCHED, first_match
from gateway.model import Attribution
from gateway.workbench.mutate.bodies import Body, Owned, Part, vouched
from gateway.workbench.mutate.mutants import Change, Edit, Kind, Where
from gateway.workbench.mutate.tables import Spot, Table
from gateway.workbench.mutate.values import Variant, foreign, lookalikes, types


@dataclass(frozen=True)
class Fixture:
    """A body that the policy releases something of. `kept` are the numbers of the units that do."""

    file: str
    body: Body
    owned: tuple[Owned, ...]
    kept: frozenset[int]

    @cached_property
    def numbers(self) -> Mapping[tuple[str, int | None], int]:
        """Member and number of a record in it → number among all units."""
        return {(each.unit.member, each.unit.index): n for n, each in enumerate(self.owned)}

    @cached_property
    def inside(self) -> Mapping[str, frozenset[int]]:
        """Member → the numbers of its units."""
        found: dict[str, set[int]] = {}
        for number, each in enumerate(self.owned):
            found.setdefault(each.unit.member, set()).add(number)
        return {member: frozenset(numbers) for member, numbers in found.items()}

    @cached_property
    def members(self) -> frozenset[str]:
        return frozenset(self.body.members or ())

    def foreign(self, kind: str, value: str | int) -> Variant:
        """Somebody's of the same body whose records stay behind, or a stranger's."""
        seen, released = self._identifiers.get(kind, (frozenset(), frozenset()))
        return foreign(value, seen - released, seen)

    @cached_property
    def _identifiers(self) -> Mapping[str, tuple[frozenset[str | int], frozenset[str | int]]]:
        """Kind → the identifiers of all units, and of those that leave."""
        seen: dict[str, tuple[set[str | int], set[str | int]]] = {}
        for number, each in enumerate(self.owned):
            for ref in each.owners:
                everywhere, released = seen.setdefault(ref.kind, (set(), set()))
                everywhere.add(ref.value)
                if number in self.kept:
                    released.add(ref.value)
        return {kind: (frozenset(a), frozenset(b)) for kind, (a, b) in seen.items()}


def edits(fixture: Fixture, most: int, seed: int) -> Iterator[Edit]:
    """All edits of at most `most` records in each text, and of as many members; none is made
    before it is asked for."""
    dice = random.Random(seed)  # noqa: S311 - a sample, not a secret
    for part in fixture.body.parts:
        kept = [
            index
            for index in range(len(part.table.records))
            if fixture.numbers[part.name, index] in fixture.kept
        ]
        for index in sorted(dice.sample(kept, min(most, len(kept)))):
            gone = _concerned(fixture, part, index)
            yield from _of_owners(fixture, part, index, gone)
            yield from _of_manifest(fixture, part, index, gone)
    names = [name for name in fixture.body.members or () if fixture.inside.get(name)]
    for name in sorted(dice.sample(names, min(most, len(names)))):
        yield from _of_member(fixture, name)


def _concerned(fixture: Fixture, part: Part, index: int) -> frozenset[int]:
    """The numbers of a record, and of the members that it vouches for."""
    names = vouched(part, index, fixture.members)
    named = (fixture.inside.get(name, frozenset[int]()) for name in names)
    return frozenset({fixture.numbers[part.name, index]}).union(*named)


# --- owners -------------------------------------------------------------------------------------


def _of_owners(fixture: Fixture, part: Part, index: int, gone: frozenset[int]) -> Iterator[Edit]:
    table = part.table
    for owner in table.spec.subject:
        for kind, locators in owner.items():
            found = [table.spots(index, locator) for locator in locators]
            for value in dict.fromkeys(spot.value for spots in found for spot in spots):
                for what, variant in _variants(fixture.foreign(kind, value), value):
                    if not table.can_hold(variant.text):
                        continue
                    for how, locator, spots in _places(locators, found, variant, value):
                        where = Where(fixture.file, locator, part.name, index)
                        change = Change(what, where, how, _json(value), variant.text)
                        yield Edit(change, _changed(fixture, part, spots, variant), gone)


def _variants(stranger: Variant, value: str | int) -> Iterator[tuple[Kind, Variant]]:
    yield Kind.OWNER, stranger
    for variant in types(value):
        yield Kind.TYPE, variant
    for variant in lookalikes(value):
        yield Kind.LOOKALIKE, variant


def _places(
    locators: Sequence[str], found: Sequence[Sequence[Spot]], variant: Variant, value: str | int
) -> Iterator[tuple[str, str, list[Spot]]]:
    """Everywhere at once, so that the record agrees with itself; then in one place of several."""
    same = [[spot for spot in spots if _same(spot.value, value)] for spots in found]
    together = [spot for spots in same for spot in spots]
    yield variant.how, " = ".join(locators), together
    if len(locators) > 1:
        for locator, spots in zip(locators, same, strict=True):
            if spots and len(spots) < len(together):
                yield f"{variant.how}, in one place of {len(locators)}", locator, spots


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


def _changed(
    fixture: Fixture, part: Part, spots: Sequence[Spot], variant: Variant
) -> Callable[[], bytes]:
    def make() -> bytes:
        text = part.table.written(variant.text)
        spans = {spot.span for spot in spots}
        return fixture.body.edited(part, part.table.with_values((span, text) for span in spans))

    return make


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


# --- manifests ----------------------------------------------------------------------------------


def _of_manifest(fixture: Fixture, part: Part, index: int, gone: frozenset[int]) -> Iterator[Edit]:
    table = part.table
    locator = getattr(table.spec, "vouches_for", None)
    spots = table.spots(index, locator) if locator else ()
    if not spots:
        return
    where = Where(fixture.file, str(locator), part.name, index)
    name = _json(spots[0].value)

    def edit(
        how: str, new: str, changed: Callable[[], Table], expected: frozenset[int] = gone
    ) -> Edit:
        change = Change(Kind.MANIFEST, where, how, name, new)
        return Edit(change, lambda: fixture.body.edited(part, changed()), expected)

    if table.is_list:
        yield edit("entry dropped", "-", partial(table.without, index))
        yield edit("entry twice", f"{name} twice", partial(table.doubled, index), frozenset())
    another = _another(table, index, str(locator))
    for how, new in (
        ("points at another's", another),
        ("points at nothing", _beside(str(spots[0].value))),
    ):
        if new is not None:
            value = table.written(_json(new))
            yield edit(how, _json(new), partial(table.with_values, [(spots[0].span, value)]))


def _another(table: Table, index: int, locator: str) -> str | None:
    """A name that the next entry of the manifest has."""
    count = len(table.records)
    for step in range(1, count):
        spots = table.spots((index + step) % count, locator)
        if spots and isinstance(spots[0].value, str):
            return spots[0].value
    return None


def _beside(name: str) -> str:
    """A name like this one, that no member has."""
    folder, slash, base = name.rpartition("/")
    stem, dot, ending = base.rpartition(".")
    return f"{folder}{slash}{stem}-mutant{dot}{ending}" if dot else f"{name}-mutant"


# --- members ------------------------------------------------------------------------------------


def _of_member(fixture: Fixture, name: str) -> Iterator[Edit]:
    own = fixture.inside[name]
    if not own & fixture.kept:
        return
    # Without its manifest a member has no owner.
    parts = [part for part in fixture.body.parts if part.name == name]
    entries = ((part, index) for part in parts for index in range(len(part.table.records)))
    gone = own.union(*(_concerned(fixture, part, index) for part, index in entries))
    for how, new in _names(fixture, name):
        where = Where(fixture.file, "the member's name", name)
        change = Change(Kind.MEMBER, where, how, name, new)
        yield Edit(change, partial(fixture.body.renamed, name, new), gone)


def _names(fixture: Fixture, name: str) -> Iterator[tuple[str, str]]:
    """New names under which the member must not leave."""
    body = fixture.body
    members = body.members or {}
    member = members[name]
    for owner in member.named:
        stranger = fixture.foreign(owner.kind, owner.value).value
        new = name.replace(str(owner.value), str(stranger))
        if new not in members and _matches(body, new) == member.spec.match:
            yield "another's folder", new
    if member.vouched and (new := _beside(name)) not in members:
        yield "not the name in the manifest", new
    direct = member.spec.subject or member.spec.attribution is not Attribution.NONE
    new = f"mutant/{name}.mutant"
    if direct and not member.vouched and _matches(body, new) == UNMATCHED.match:
        yield "a name that no pattern matches", new


def _matches(body: Body, name: str) -> str | None:
    try:
        spec, _ = first_match(name, body.spec.members)
    except BadUpstream:
        return None
    return UNMATCHED.match if spec is UNMATCHED else spec.match
