"""Members that name other members, and folders that are called like owners."""

from typing import Any

import pytest

from gateway.model import Format
from gateway.workbench.infer.evidence import candidates
from gateway.workbench.infer.fields import fields
from gateway.workbench.infer.shapes import places
from gateway.workbench.infer.specimens import Contents
from gateway.workbench.infer.vouching import Folder, Voucher, folder, vouchers


def found(records: list[Any], names: set[str], match: str = "manifest.json") -> list[Voucher]:
    (place,) = places(Format.NDJSON, [Contents(records)])
    owner = candidates(place, fields(place))[0]
    return list(vouchers(match, [match], place, owner, frozenset(names)))


RECORDS = [{"owner_id": "A-1000", "file": "r/1.wav"}, {"owner_id": "B-2000", "file": "r/2.wav"}]


def test_a_field_whose_values_are_members_vouches_for_them() -> None:
    (voucher,) = found(RECORDS, {"r/1.wav", "r/2.wav", "x"})
    assert voucher.sound and voucher.field.locator == "$.file"
    assert voucher.owners == {"r/1.wav": "A-1000", "r/2.wav": "B-2000"}


def test_names_may_start_at_the_manifests_own_folder() -> None:
    (voucher,) = found(RECORDS, {"deep/r/1.wav", "deep/r/2.wav"}, "deep/manifest.json")
    assert voucher.sound and set(voucher.owners) == {"deep/r/1.wav", "deep/r/2.wav"}


def test_a_missing_member_or_one_named_twice_is_not_sound() -> None:
    records = [*RECORDS, {"owner_id": "A-1000", "file": "r/2.wav"}]
    (twice,) = found(records, {"r/1.wav", "r/2.wav"})
    assert (twice.twice, twice.sound) == (1, False)
    records = [*RECORDS, {"owner_id": "A-1000", "file": "r/3.wav"}]
    (missing,) = found(records, {"r/1.wav", "r/2.wav"})
    assert (missing.missing, missing.sound) == (1, False)


def test_texts_that_name_no_members_vouch_for_nothing() -> None:
    assert found(RECORDS, {"other.wav"}) == []


def test_a_manifest_goes_before_another_list_of_files() -> None:
    names = {"r/1.wav", "r/2.wav"}
    (manifest,), (other,) = found(RECORDS, names), found(RECORDS, names, "transcripts.csv")
    assert manifest.rank > other.rank


@pytest.mark.parametrize(
    ("match", "names", "expected"),
    [
        ("a/*/p.jpg", ["a/A1/p.jpg", "a/B2/p.jpg"], Folder("a/{account}/p.jpg", True)),
        ("*.pdf", ["A1.pdf", "B2.pdf"], Folder("{account}.pdf", True)),
        ("A1/p.jpg", ["A1/p.jpg"], Folder("{account}/p.jpg", True)),
        ("users/*/p.jpg", ["users/7/p.jpg", "users/8/p.jpg"], Folder("users/{user}/p.jpg", False)),
        ("x/*/p.jpg", ["x/a@b.org/p.jpg", "x/c@d.org/p.jpg"], Folder("x/{email}/p.jpg", False)),
        ("albums/*/p.jpg", ["albums/7/p.jpg", "albums/8/p.jpg"], None),
        ("a/*.jpg", ["a/1.jpg", "a/2.jpg"], None),
    ],
)
def test_a_folder_called_like_an_owner_names_one(
    match: str, names: list[str], expected: Folder | None
) -> None:
    assert folder(match, names, {"A1": "account", "B2": "account"}) == expected
