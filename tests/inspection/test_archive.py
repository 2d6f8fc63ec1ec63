"""What all archives share: which specification reads a member, and whose it is."""

import pytest

from gateway.errors import BadUpstream, Code, InternalError
from gateway.inspection.archive import check_proven, count, folders_of, open_archive
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.tally import Tally
from gateway.model import Attribution, Format, SubjectRef
from tests.support.containers import Shelf

LIMITS = Limits()
ME = SubjectRef("account", "me")
LINES = MemberSpec("*.ndjson", Format.NDJSON, subject=({"account": ("$.owner",)},))
PHOTOS = MemberSpec("{account}/*.jpg", attribution=Attribution.PATH, category="photo")
MANIFEST = MemberSpec(
    "manifest.ndjson",
    Format.NDJSON,
    subject=({"account": ("$.owner",)},),
    vouches_for="$.file",
)
VOICE = MemberSpec("*.wav", attribution=Attribution.MANIFEST)
SPEC = BodySpec(Format.ZIP, members=(MANIFEST, VOICE, LINES, PHOTOS))


def tallied(files: dict[str, bytes], limits: Limits = LIMITS) -> Tally:
    tally = Tally(limits)
    counted = [entry.name for entry in count(open_archive(Shelf(files), SPEC, limits), tally)]
    assert counted == list(files)
    return tally


def owned(files: dict[str, bytes]) -> dict[tuple[str, ...], list[tuple[Attribution, int]]]:
    found: dict[tuple[str, ...], list[tuple[Attribution, int]]] = {}
    for group in tallied(files).groups:
        owners = tuple(str(owner.value) for owner in group.owners)
        found.setdefault(owners, []).append((group.attribution, group.records))
    return found


def test_an_owner_comes_from_content_path_or_manifest() -> None:
    files = {
        "a.ndjson": b'{"owner":"me"}\n{"x":1}\n',
        "me/1.jpg": b"JPEG",
        "1.wav": b"RIFF",
        "manifest.ndjson": b'{"owner":"me","file":"1.wav"}\n',
        "else": b"?",
        "empty/": b"",
    }
    assert owned(files) == {
        ("me",): [(Attribution.DIRECT, 2), (Attribution.PATH, 1), (Attribution.MANIFEST, 1)],
        (): [(Attribution.NONE, 3)],
    }
    assert tallied(files).members == 5


def test_a_manifest_that_names_what_is_not_there_is_refused() -> None:
    with pytest.raises(BadUpstream) as caught:
        tallied({"manifest.ndjson": b'{"owner":"me","file":"1.wav"}\n'})
    assert caught.value.code is Code.MANIFEST_MISMATCH


@pytest.mark.parametrize("name", ["1.bin", "me/1.jpg"])
def test_a_member_that_does_not_come_to_its_end_is_refused(name: str) -> None:
    tallied({name: b"whole"})
    with pytest.raises(BadUpstream) as caught:
        tallied({name: b"BROKEN"})
    assert caught.value.code is Code.BODY_MALFORMED


def test_more_members_than_the_limit_are_refused() -> None:
    files = {f"{number}.bin": b"" for number in range(3)}
    assert tallied(files, Limits(members=3)).members == 3
    with pytest.raises(BadUpstream):
        tallied(files, Limits(members=2))


def test_a_reader_that_stops_early_is_a_fault_of_ours() -> None:
    contents = Shelf({"a": b"12"}).contents(1)
    next(contents.chunks())
    with pytest.raises(InternalError):
        check_proven(contents)


def test_every_folder_above_a_file_holds_it() -> None:
    assert folders_of(["a/b/c", "a/d", "e"]) == {"a", "a/b"}
