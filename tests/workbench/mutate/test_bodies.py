"""A body in its units, and edits of whole bodies."""

import io
import zipfile

import pytest

from gateway.errors import BadUpstream
from gateway.inspection.formats import FORMATS
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.source import Body as Coded
from gateway.inspection.source import InMemory
from gateway.inspection.tally import Tally
from gateway.model import Format, SubjectRef
from gateway.workbench.mutate.bodies import dissect, vouched
from tests.workbench.mutate.support import ARCHIVE, exported, lines

A1, B2 = SubjectRef("account", "A1"), SubjectRef("account", "B2")


def counted(body: bytes, spec: BodySpec) -> dict[tuple[SubjectRef, ...], int]:
    """How many records have which owners, as the gateway counts them."""
    tally = Tally(Limits())
    FORMATS[spec.format].inspect(Coded(InMemory(body), (), Limits()), spec, Limits(), tally)
    counts: dict[tuple[SubjectRef, ...], int] = {}
    for group in tally.groups:
        counts[group.owners] = counts.get(group.owners, 0) + group.records
    return counts


@pytest.mark.parametrize(
    ("body", "spec"),
    [
        (exported("A1", "B2", "A1"), ARCHIVE),
        (lines("A1", "B2", 7), BodySpec(Format.NDJSON, subject=({"account": ("$.id",)},))),
        (b"id,b\nA1,1\n,2\n", BodySpec(Format.CSV, subject=({"account": ("id",)},))),
        (
            b'{"orders": [{"id": "A1"}, {}]}',
            BodySpec(Format.JSON, records="$.orders[*]", subject=({"account": ("$.id",)},)),
        ),
    ],
)
def test_units_have_the_owners_that_the_gateway_counts(body: bytes, spec: BodySpec) -> None:
    found = dissect(body, spec)
    counts: dict[tuple[SubjectRef, ...], int] = {}
    for each in found.owned():
        counts[each.owners] = counts.get(each.owners, 0) + 1
    assert counts == counted(body, spec)
    assert [each.unit for each in found.owned()] == [*found.units()]


def test_a_changed_member_changes_its_own_units_only() -> None:
    body = dissect(exported("A1", "B2"), ARCHIVE)
    part = next(each for each in body.parts if each.name == "orders.csv")
    (spot,) = part.table.spots(1, "customer_id")
    after = dissect(body.edited(part, part.table.with_values([(spot.span, b"C3")])), ARCHIVE)
    differ = [
        (old.member, old.index)
        for old, new in zip(body.units(), after.units(), strict=True)
        if old != new
    ]
    assert differ == [("orders.csv", 1)]


def test_what_is_rebuilt_is_an_archive_for_other_readers_too() -> None:
    body = dissect(exported("A1", "B2"), ARCHIVE)
    renamed = body.renamed("unknown.bin", "é.bin")
    with zipfile.ZipFile(io.BytesIO(renamed)) as archive:
        assert archive.testzip() is None
        assert "é.bin" in archive.namelist() and "unknown.bin" not in archive.namelist()
    assert len(dissect(renamed, ARCHIVE).units()) == len(body.units())


def test_a_manifest_vouches_from_the_root_or_its_own_folder() -> None:
    body = dissect(exported("A1", "B2"), ARCHIVE)
    part = next(each for each in body.parts if each.name == "manifest.json")
    names = frozenset(body.members or ())
    assert vouched(part, 1, names) == ("recordings/1.wav",)
    rows = next(each for each in body.parts if each.name == "orders.csv")
    assert vouched(rows, 0, names) == ()


def test_a_body_that_the_gateway_refuses_is_refused() -> None:
    with pytest.raises(BadUpstream):
        dissect(b"PK\x03\x04", ARCHIVE)
