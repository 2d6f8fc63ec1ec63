"""The members of archives: read into, vouched for, named by folder, or nobody's."""

import json
from typing import Any

import pytest

from gateway.model import Format
from gateway.workbench.infer.archives import Archives, read_archives
from gateway.workbench.infer.specimens import Specimen
from gateway.workbench.unusable import Unusable
from tests.support.zips import M, archive


def of(*members: tuple[str, Any]) -> Archives:
    built = archive(
        *(
            M(name, data if isinstance(data, bytes) else json.dumps(data).encode())
            for name, data in members
        )
    )
    return read_archives([Specimen("x.zip", built, Format.ZIP)])


def settings(found: Archives) -> list[dict[str, Any]]:
    return [dict(entry.settings) for entry in found.entries]


MANIFEST = {
    "recordings": [{"customer_id": "A-1001", "file": f"recordings/{n}.wav"} for n in range(1, 4)]
}
WAVS = [(f"recordings/{n}.wav", b"RIFF\0") for n in range(1, 4)]


def test_a_manifest_vouches_for_the_members_that_it_names() -> None:
    found = of(("manifest.json", MANIFEST), *WAVS)
    assert settings(found) == [
        {
            "match": "manifest.json", "format": "json", "records": "$.recordings[*]",
            "subject": {"customer": "$.customer_id"}, "vouches_for": "$.file",
        },
        {"match": "recordings/*.wav", "attribution": "manifest"},
    ]  # fmt: skip
    assert all(entry.sure for entry in found.entries)


def test_a_manifest_that_names_missing_members_is_said_to_be_refused() -> None:
    found = of(("manifest.json", MANIFEST), *WAVS[:2])
    assert "vouches_for" not in settings(found)[0]
    assert any("names 1 members that are not there" in each for each in found.warnings)


def test_folders_called_like_owners_found_inside_are_captured() -> None:
    found = of(
        ("profiles.json", [{"account": "A-1001"}, {"account": "B-2002"}, {"account": "A-1001"}]),
        ("accounts/A-1001/photo.jpg", b"\xff\xd8\xff"),
        ("accounts/B-2002/photo.jpg", b"\xff\xd8\xff"),
    )
    assert settings(found)[1] == {
        "match": "accounts/{account}/photo.jpg", "attribution": "path",
    }  # fmt: skip
    assert found.entries[1].sure


def test_a_folder_that_only_sounds_like_owners_is_not_sure() -> None:
    found = of(("users/7/photo.jpg", b"\xff\xd8\xff"), ("users/8/photo.jpg", b"\xff\xd8\xff"))
    assert settings(found) == [{"match": "users/{user}/photo.jpg", "attribution": "path"}]
    assert not found.entries[0].sure


def test_members_that_nothing_speaks_for_get_no_entry() -> None:
    found = of(("manifest.json", MANIFEST), *WAVS, ("notes/readme.txt", b"hello"))
    assert len(found.entries) == 2
    assert "notes/readme.txt: a member without an owner: withheld" in found.warnings


def test_two_persons_in_one_archive_are_said_to_be_two() -> None:
    found = of(("manifest.json", MANIFEST), *WAVS, ("profile.json", {"customer_id": "B-2002"}))
    (together,) = [each for each in found.warnings if "2 persons" in each]
    assert "manifest.json" in together and "profile.json" in together
    assert "A-1001" not in together and "B-2002" not in together


def test_two_lists_that_name_one_member_differently_are_said_to_disagree() -> None:
    rows = b"customer_id,file\nA-1001,recordings/1.wav\nB-2002,recordings/2.wav\n"
    found = of(("manifest.json", MANIFEST), *WAVS, ("transcripts.csv", rows))
    text = "\n".join(found.warnings)
    assert "only one of them can be the manifest" in text
    assert "1 members have another owner in transcripts.csv than in manifest.json" in text


def test_an_archive_that_the_gateway_would_refuse_is_unusable() -> None:
    broken = archive(M("a", b"1"), comment=b"hello")
    with pytest.raises(Unusable, match=r"x\.zip: the gateway would refuse this body"):
        read_archives([Specimen("x.zip", broken, Format.ZIP)])
    with pytest.raises(Unusable, match="without members"):
        of()


def test_a_member_that_can_not_be_read_is_left_opaque() -> None:
    assert of(("a.json", b'{"a": 1, "a": 2}')).entries == ()
