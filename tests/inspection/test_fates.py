"""What becomes of the entries of an archive."""

from dataclasses import replace

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import fates, notice
from gateway.inspection.archive import Around, open_archive
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import MemorySink
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Counts, Decision, Effect, Format, SubjectRef
from tests.support.containers import Rebuilt, Shelf
from tests.support.reading import masks

ME = SubjectRef("account", "me")
LINES = MemberSpec("*.ndjson", Format.NDJSON, subject=({"account": ("$.owner",)},))
PHOTOS = MemberSpec("{account}/*.jpg", attribution=Attribution.PATH, category="photo")
MANIFEST = MemberSpec(
    "manifest.ndjson",
    Format.NDJSON,
    subject=({"account": ("$.owner",)},),
    vouches_for="$.file",
)
VOICE = MemberSpec("*.wav", attribution=Attribution.MANIFEST, category="voice")
SPEC = BodySpec(Format.ZIP, members=(MANIFEST, VOICE, LINES, PHOTOS))


def rewritten(
    files: dict[str, bytes],
    *,
    unattributed: bool = False,
    withhold: frozenset[str] = frozenset(),
    mask: tuple[str, ...] = (),
) -> tuple[Rebuilt, Counts]:
    decision = Decision(
        Effect.REDACT, frozenset({ME}), unattributed, withhold, masks(*mask), (), "1"
    )
    shelf = Shelf(files)
    archive = open_archive(shelf, SPEC, Limits())
    counts = fates.rewrite(archive, Verdict(decision), MemorySink())
    assert shelf.rebuilt.finished
    return shelf.rebuilt, counts


MINE, OTHER = b'{"owner":"me","phone":1}\n', b'{"owner":"other"}\n'


def test_entries_are_dropped_copied_or_changed() -> None:
    new, counts = rewritten(
        {
            "mine.ndjson": MINE,
            "both.ndjson": OTHER + MINE,
            "other.ndjson": OTHER,
            "me/1.jpg": b"own",
            "other/1.jpg": b"canary",
            "else": b"?",
        }
    )
    assert new.files == {"mine.ndjson": MINE, "both.ndjson": MINE, "me/1.jpg": b"own"}
    assert new.changed == ["both.ndjson"]
    assert counts == Counts(seen=7, released=3, redacted=4)


def test_a_mask_changes_what_is_kept() -> None:
    new, _ = rewritten({"mine.ndjson": MINE, "me/1.jpg": b"own"}, mask=("$.phone",))
    assert new.files == {"mine.ndjson": b'{"owner":"me","phone":null}\n', "me/1.jpg": b"own"}


def test_a_directory_stays_with_what_is_in_it() -> None:
    files = {"me/": b"", "me/1.jpg": b"own", "other/": b"", "other/1.jpg": b"x", "empty/": b""}
    assert list(rewritten(files)[0].files) == ["me/", "me/1.jpg"]
    assert list(rewritten(files, unattributed=True)[0].files) == ["me/", "me/1.jpg", "empty/"]


def test_a_member_without_records_is_dropped() -> None:
    new, counts = rewritten({"a.ndjson": b"", "me/1.jpg": b"own"})
    assert new.files == {"me/1.jpg": b"own"}
    assert counts == Counts(seen=1, released=1)


def test_a_manifest_and_its_members_stay_or_go_together() -> None:
    files = {"1.wav": b"RIFF", "manifest.ndjson": b'{"owner":"me","file":"1.wav"}\n'}
    assert set(rewritten(files)[0].files) == set(files)
    with pytest.raises(BadUpstream) as caught:
        rewritten(files, withhold=frozenset({"voice"}))
    assert caught.value.code is Code.REDACTION_UNSUPPORTED


def refusal(files: dict[str, bytes], spec: BodySpec, withhold: frozenset[str]) -> Code:
    decision = Decision(Effect.REDACT, frozenset({ME}), False, withhold, (), (), "1")
    with pytest.raises(BadUpstream) as caught:
        fates.rewrite(open_archive(Shelf(files), spec, Limits()), Verdict(decision), MemorySink())
    return caught.value.code


def test_a_member_of_a_stated_size_is_dropped_or_kept_whole() -> None:
    stating = replace(MANIFEST, sizes="$.bytes", hashes={"md5": "$.md5"})
    rows = replace(LINES, attribution=Attribution.MANIFEST)
    spec = BodySpec(Format.ZIP, members=(stating, rows))
    for lines, code in ((MINE, None), (MINE + OTHER, Code.BODY_AMBIGUOUS)):
        listed = b'{"owner":"me","file":"a.ndjson","bytes":%d}\n' % len(lines)
        files = {"a.ndjson": lines, "manifest.ndjson": listed}
        decision = Decision(Effect.REDACT, frozenset({ME}), False, frozenset(), (), (), "1")
        shelf = Shelf(files)
        if code is None:
            fates.rewrite(open_archive(shelf, spec, Limits()), Verdict(decision), MemorySink())
            assert shelf.rebuilt.files == files
        else:
            assert refusal(files, spec, frozenset()) is code  # content and manifest disagree
    masked = Decision(Effect.REDACT, frozenset({ME}), False, frozenset(), masks("$.phone"), (), "1")
    listed = b'{"owner":"me","file":"a.ndjson","bytes":%d}\n' % len(MINE)
    archive = open_archive(Shelf({"a.ndjson": MINE, "manifest.ndjson": listed}), spec, Limits())
    with pytest.raises(BadUpstream) as caught:
        fates.rewrite(archive, Verdict(masked), MemorySink())
    assert caught.value.code is Code.REDACTION_UNSUPPORTED


def test_what_the_whole_archive_s_owner_owns_does_not_stay_without_their_name() -> None:
    holder = MemberSpec(
        "account.json",
        Format.JSON,
        subject=({"account": ("$.id",)},),
        owns_archive=True,
        category="profile",
    )
    held = MemberSpec("*.jpg", attribution=Attribution.CONTAINER)
    spec = BodySpec(Format.ZIP, members=(holder, held))
    files = {"account.json": b'{"id":"me"}', "1.jpg": b"J"}
    assert refusal(files, spec, frozenset({"profile"})) is Code.REDACTION_UNSUPPORTED


def test_a_notice_says_what_was_left_out() -> None:
    decision = Decision(Effect.REDACT, frozenset({ME}), False, frozenset(), (), (), "1")
    around = Around(notice="REMOVED.txt")
    shelf = Shelf({"a.ndjson": MINE + OTHER, "x/1.jpg": b"c", "REMOVED.txt": notice.text(9, 9)})
    fates.rewrite(open_archive(shelf, SPEC, Limits(), around), Verdict(decision), MemorySink())
    assert shelf.rebuilt.files == {"a.ndjson": MINE, "REMOVED.txt": notice.text(2, 1)}
    whole = Shelf({"a.ndjson": MINE, "REMOVED.txt": notice.text(9, 9)})
    fates.rewrite(open_archive(whole, SPEC, Limits(), around), Verdict(decision), MemorySink())
    assert whole.rebuilt.files == {"a.ndjson": MINE}
