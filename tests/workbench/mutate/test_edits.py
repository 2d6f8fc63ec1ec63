"""Everything that is changed in a body, and what must stay behind because of it."""

from collections import Counter

import pytest

from gateway.inspection.settings import BodySpec
from gateway.model import Format
from gateway.workbench.mutate.bodies import dissect
from gateway.workbench.mutate.edits import Edit, Fixture, edits
from gateway.workbench.mutate.mutants import Kind
from tests.workbench.mutate.support import ARCHIVE, exported, lines

LINES = BodySpec(Format.NDJSON, subject=({"account": ("$.id",)},))


def fixture(body: bytes, spec: BodySpec, *owners: str | int) -> Fixture:
    """A fixture of which what is these owners' leaves."""
    found = dissect(body, spec)
    owned = found.owned()
    kept = [
        number
        for number, each in enumerate(owned)
        if each.owners and all(ref.value in owners for ref in each.owners)
    ]
    return Fixture("f", found, owned, frozenset(kept))


def made(body: bytes, spec: BodySpec, *owners: str | int) -> list[Edit]:
    return list(edits(fixture(body, spec, *owners), most=100, seed=0))


def test_only_what_leaves_is_changed() -> None:
    found = made(lines("A1", "B2", "A1"), LINES, "A1")
    assert {each.change.where.record for each in found} == {0, 2}
    assert {each.gone for each in found} == {frozenset({0}), frozenset({2})}


def test_a_stranger_of_the_same_body_is_taken_before_one_made_up() -> None:
    (first, *_) = made(lines("A1", "B2"), LINES, "A1")
    assert (first.change.kind, first.change.old, first.change.new) == (Kind.OWNER, '"A1"', '"B2"')
    assert first.make() == lines("B2", "B2")


def test_every_edit_changes_the_body_and_leaves_the_other_records_alone() -> None:
    body = lines("A1", 42)
    others = set(body.splitlines())
    for edit in made(body, LINES, "A1", 42):
        assert len(others - set(edit.make().splitlines())) == 1, edit.change


def test_several_locators_are_changed_together_and_one_by_one() -> None:
    spec = BodySpec(Format.NDJSON, subject=({"account": ("$.id", "$.owner.id")},))
    found = made(b'{"id": "A1", "owner": {"id": "A1"}}\n', spec, "A1")
    owners = [each for each in found if each.change.kind is Kind.OWNER]
    assert [each.change.where.locator for each in owners] == [
        "$.id = $.owner.id",
        "$.id",
        "$.owner.id",
    ]
    assert owners[0].make().count(b"A9") == 2 and owners[1].make().count(b"A9") == 1


def test_of_several_owners_each_is_changed_alone() -> None:
    spec = BodySpec(Format.NDJSON, subject=({"account": ("$.ids[*]",)},))
    found = made(b'{"ids": ["A1", "B2"]}\n', spec, "A1", "B2")
    owners = [each.make() for each in found if each.change.kind is Kind.OWNER]
    assert owners == [b'{"ids": ["A9", "B2"]}\n', b'{"ids": ["A1", "B9"]}\n']


def test_a_manifests_entry_takes_its_member_with_it() -> None:
    taken = fixture(exported("A1", "B2"), ARCHIVE, "A1")
    names = [each.unit.member for each in taken.owned]
    entry = {names.index("manifest.json"), names.index("recordings/0.wav")}
    found = list(edits(taken, 100, 0))
    of_entry = [
        each
        for each in found
        if (each.change.where.member, each.change.where.record) == ("manifest.json", 0)
    ]
    assert {each.gone for each in of_entry if each.change.how != "entry twice"} == {
        frozenset(entry)
    }
    manifest = {each.change.how: each for each in of_entry if each.change.kind is Kind.MANIFEST}
    assert {*manifest} == {
        "entry dropped", "entry twice", "points at another's", "points at nothing",
    }  # fmt: skip
    assert manifest["points at another's"].change.new == '"recordings/1.wav"'
    assert manifest["points at nothing"].change.new == '"recordings/0-mutant.wav"'
    assert manifest["entry twice"].gone == frozenset()


def test_a_renamed_manifest_takes_all_of_its_members_with_it() -> None:
    taken = fixture(exported("A1", "A1"), ARCHIVE, "A1")
    (renamed,) = [
        each
        for each in edits(taken, 100, 0)
        if (each.change.kind, each.change.where.member) == (Kind.MEMBER, "manifest.json")
    ]
    names = {taken.owned[number].unit.member for number in renamed.gone}
    assert names == {"manifest.json", "recordings/0.wav", "recordings/1.wav"}


def test_members_get_names_under_which_they_must_not_leave() -> None:
    found = [
        each.change for each in made(exported("A1", "B2"), ARCHIVE, "A1")
        if each.change.kind is Kind.MEMBER
    ]  # fmt: skip
    told = {(each.where.member, each.how): each.new for each in found}
    assert told == {
        ("recordings/0.wav", "not the name in the manifest"): "recordings/0-mutant.wav",
        ("photos/A1/me.jpg", "another's folder"): "photos/B2/me.jpg",
        ("photos/A1/me.jpg", "a name that no pattern matches"): "mutant/photos/A1/me.jpg.mutant",
        ("manifest.json", "a name that no pattern matches"): "mutant/manifest.json.mutant",
        ("orders.csv", "a name that no pattern matches"): "mutant/orders.csv.mutant",
    }


def test_a_table_gets_no_value_that_it_can_not_hold() -> None:
    spec = BodySpec(Format.CSV, subject=({"account": ("id",)},))
    kinds = Counter(each.change.kind for each in made(b"id\n42\n", spec, "42"))
    assert kinds.keys() == {Kind.OWNER, Kind.LOOKALIKE}


@pytest.mark.parametrize("most", [1, 3])
def test_of_many_records_a_sample_is_changed(most: int) -> None:
    found = edits(fixture(lines(*["A1"] * 50), LINES, "A1"), most, seed=4)
    assert len({each.change.where.record for each in found}) == most
