"""Manifests: what they vouch for, and reconciliation with what is there."""

import hashlib
import json
from dataclasses import replace

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.manifests import Manifest, Voucher, Vouchers, owner_of_archive, reconcile
from gateway.inspection.settings import Limits, MemberSpec
from gateway.inspection.source import InMemory
from gateway.inspection.stated import Stated
from gateway.inspection.tally import Owners
from gateway.inspection.zipdata import Contents
from gateway.inspection.zipdirectory import read_directory
from gateway.model import Format, SubjectRef
from tests.support.zips import DEFLATED, M, archive

JSON = MemberSpec(
    match="manifest.json",
    format=Format.JSON,
    records="$.recordings[*]",
    subject=({"account": ("$.owner",)},),
    vouches_for="$.file",
)
NDJSON = MemberSpec(
    "m.ndjson", Format.NDJSON, subject=({"account": ("$.owner",)},), vouches_for="$.file"
)
CSV = MemberSpec("m.csv", Format.CSV, subject=({"account": ("owner",)},), vouches_for="file")

ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")
NAMES = ("a.wav", "b.wav", "media/b.wav", "media/c.wav")


def reconciled(
    *manifests: tuple[str, bytes, MemberSpec],
    names: tuple[str, ...] = NAMES,
    limits: Limits = Limits(),  # noqa: B008
) -> Vouchers:
    members = [M(name, data, DEFLATED) for name, data, _ in manifests]
    stored = InMemory(archive(*members))
    entries = read_directory(stored, Limits()).entries
    listed = [
        Manifest(Contents(stored, entry), spec)
        for entry, (_, _, spec) in zip(entries, manifests, strict=True)
    ]
    return reconcile(listed, frozenset(names) | {entry.name for entry in entries}, limits)


def recordings(*records: object) -> bytes:
    return json.dumps({"recordings": records}).encode()


def record(file: object, owner: object = "me") -> dict[str, object]:
    return {"file": file, "owner": owner}


def refused(
    *manifests: tuple[str, bytes, MemberSpec],
    names: tuple[str, ...] = NAMES,
    limits: Limits = Limits(),  # noqa: B008
) -> Code:
    with pytest.raises(BadUpstream) as caught:
        reconciled(*manifests, names=names, limits=limits)
    assert "wav" not in caught.value.note
    return caught.value.code


def test_a_json_manifest_vouches_for_members() -> None:
    data = recordings(record("a.wav"), record("b.wav", "foreign"))
    assert reconciled(("manifest.json", data, JSON)) == {
        "a.wav": Voucher((ME,), 1),
        "b.wav": Voucher((FOREIGN,), 1),
    }


@pytest.mark.parametrize("fault", [record(7), record("a.wav", ["me"]), record("gone.wav")])
def test_a_long_manifest_is_read_to_its_end(fault: dict[str, object]) -> None:
    """Its records are looked at many at a time."""
    names = tuple(f"{number}.wav" for number in range(2_500))
    listed = [record(name) for name in names]
    data = recordings(*listed)
    vouchers = reconciled(("manifest.json", data, JSON), names=names)
    assert list(vouchers.items()) == [(name, Voucher((ME,), 1)) for name in names]
    data = recordings(*listed[:-1], fault, listed[-1])
    refused(("manifest.json", data, JSON), names=(*names, "a.wav"))


def test_an_ndjson_manifest_vouches_for_members() -> None:
    data = b'{"file":"a.wav","owner":"me"}\n{"owner":"foreign","file":"b.wav"}\n'
    assert reconciled(("m.ndjson", data, NDJSON)) == {
        "a.wav": Voucher((ME,), 1),
        "b.wav": Voucher((FOREIGN,), 1),
    }


def test_an_xml_manifest_vouches_for_members() -> None:
    spec = MemberSpec(
        "m.xml",
        Format.XML,
        "/list/file",
        subject=({"account": ("@owner", "../@all")},),
        vouches_for="name",
    )
    body = (
        b'<list all="me"><file owner="me"><name>a.wav</name></file>'
        b"<file><name>media/c.wav</name></file></list>"
    )
    assert reconciled(("m.xml", body, spec)) == {
        "a.wav": Voucher((ME,), 1),
        "media/c.wav": Voucher((), 1),
    }
    assert refused(("m.xml", body.replace(b"c.wav", b"no.wav"), spec)) is Code.MANIFEST_MISMATCH
    foreign = body.replace(b'owner="me"', b'owner="foreign"')
    assert refused(("m.xml", foreign, spec)) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    ("subject", "vouches_for"),
    [("owner", "file"), ("$.owner", "$.file"), ("$['owner']", "$['file']")],
)
def test_a_csv_manifest_vouches_for_members(subject: str, vouches_for: str) -> None:
    data = b'file,"owner",note\r\na.wav,me,"x,\r\ny"\r\n"b.wav",foreign,\r\n'
    spec = MemberSpec(
        "m.csv", Format.CSV, subject=({"account": (subject,)},), vouches_for=vouches_for
    )
    assert reconciled(("m.csv", data, spec)) == {
        "a.wav": Voucher((ME,), 1),
        "b.wav": Voucher((FOREIGN,), 1),
    }


def test_a_csv_manifest_in_utf_16_with_another_dialect_is_read() -> None:
    spec = MemberSpec(
        "m.csv",
        Format.CSV,
        subject=({"account": ("the 'owner'",)},),
        vouches_for="file name",
        delimiter=";",
        quote="'",
    )
    data = "file name;'the ''owner'''\na.wav;'me'\n".encode("utf-16")
    assert reconciled(("m.csv", data, spec)) == {"a.wav": Voucher((ME,), 1)}


def test_several_manifests_add_up() -> None:
    assert reconciled(
        ("manifest.json", recordings(record("a.wav")), JSON),
        ("m.csv", b"file,owner\nb.wav,foreign\n", CSV),
    ) == {"a.wav": Voucher((ME,), 1), "b.wav": Voucher((FOREIGN,), 2)}


def test_names_may_count_from_the_manifests_own_folder() -> None:
    data = recordings(record("c.wav"), record("media/b.wav"), record("a.wav"))
    assert set(reconciled(("media/manifest.json", data, JSON))) == {
        "media/c.wav",
        "media/b.wav",
        "a.wav",
    }


def test_a_name_that_means_two_members_is_refused() -> None:
    data = recordings(record("b.wav"))
    assert refused(("media/manifest.json", data, JSON)) is Code.MANIFEST_MISMATCH
    assert reconciled(("manifest.json", data, JSON))


@pytest.mark.parametrize(
    "name", ["d.wav", "A.WAV", "./a.wav", "/a.wav", "media", "media/", "", "a.wav ", "../a.wav"]
)
def test_an_entry_without_a_member_is_refused(name: str) -> None:
    data = recordings(record("b.wav"), record(name))
    assert refused(("manifest.json", data, JSON)) is Code.MANIFEST_MISMATCH


def test_an_entry_without_a_member_is_refused_even_if_it_has_no_owner() -> None:
    data = recordings({"file": "d.wav"})
    assert refused(("manifest.json", data, JSON)) is Code.MANIFEST_MISMATCH


@pytest.mark.parametrize("owner", ["me", "foreign", None])
def test_a_member_vouched_for_twice_is_refused(owner: str | None) -> None:
    again = record("a.wav", owner) if owner else {"file": "a.wav"}
    one = recordings(record("a.wav"), record("b.wav"), again)
    assert refused(("manifest.json", one, JSON)) is Code.MANIFEST_MISMATCH
    two = (
        ("manifest.json", recordings(record("a.wav")), JSON),
        ("x.json", recordings(again), JSON),
    )
    assert refused(*two) is Code.MANIFEST_MISMATCH


def test_a_name_that_looks_like_the_one_that_vouches_is_refused() -> None:
    twofold = {**record("a.wav"), "File": "b.wav"}
    assert refused(("manifest.json", recordings(twofold), JSON)) is Code.BODY_AMBIGUOUS
    beside = {**record("a.wav"), "length": "b.wav"}
    assert set(reconciled(("manifest.json", recordings(beside), JSON))) == {"a.wav"}


def test_a_record_without_an_owner_vouches_for_nothing() -> None:
    data = recordings({"file": "a.wav"})
    assert reconciled(("manifest.json", data, JSON)) == {"a.wav": Voucher((), 1)}


def test_a_record_that_names_no_member_vouches_for_nothing() -> None:
    assert reconciled(("manifest.json", recordings({"owner": "me"}), JSON)) == {}
    assert reconciled(("m.csv", b"file,owner\n,me\n", CSV)) == {}


def test_a_record_may_name_several_members() -> None:
    spec = MemberSpec(
        "m.json",
        Format.JSON,
        records="$[*]",
        subject=({"account": ("$.owner",)},),
        vouches_for="$.files[*]",
    )
    data = b'[{"owner":"me","files":["a.wav","b.wav"]}]'
    assert set(reconciled(("m.json", data, spec))) == {"a.wav", "b.wav"}


@pytest.mark.parametrize("name", [1, None, True, ["a.wav"], {"name": "a.wav"}, 1.5])
def test_a_name_that_is_no_text_is_refused(name: object) -> None:
    data = recordings(record(name))
    assert refused(("manifest.json", data, JSON)) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize("owner", [None, True, 1.5, "", [], {}])
def test_an_owner_that_is_no_identifier_is_refused_or_none(owner: object) -> None:
    """A93."""
    data = recordings(record("a.wav", owner))
    assert refused(("manifest.json", data, JSON)) is Code.BODY_AMBIGUOUS


TWICE = b'{"recordings":[{"file":"a.wav","file":"b.wav","owner":"me"}]}'


@pytest.mark.parametrize(
    ("data", "spec", "code"),
    [
        (TWICE, JSON, Code.BODY_AMBIGUOUS),
        (b'{"recordings":[', JSON, Code.BODY_MALFORMED),
        (b"", JSON, Code.BODY_MALFORMED),
        (b'{"file":"a.wav","owner":"me"}\n{"file', NDJSON, Code.BODY_MALFORMED),
        (b"file,file,owner\na.wav,b.wav,me\n", CSV, Code.BODY_AMBIGUOUS),
        (b"file,owner\na.wav\n", CSV, Code.BODY_MALFORMED),
        (b"name,owner\na.wav,me\n", CSV, Code.MANIFEST_MISMATCH),
        (b"x", MemberSpec("x", Format.OPAQUE, vouches_for="$.file"), Code.MEMBER_UNSUPPORTED),
        (b"x", MemberSpec("x", Format.ZIP, vouches_for="$.file"), Code.MEMBER_UNSUPPORTED),
    ],
)
def test_a_manifest_that_is_not_read_in_one_way_is_refused(
    data: bytes, spec: MemberSpec, code: Code
) -> None:
    assert refused(("m", data, spec)) is code


def test_a_manifest_over_the_limit_is_refused() -> None:
    data = recordings(*(record("a.wav") for _ in range(100)))
    limits = Limits(record=1000)
    assert refused(("manifest.json", data, JSON), limits=limits) is Code.BODY_TOO_LARGE


# --- what is stated of members, and who owns all of them ----------------------------------------

SHA = hashlib.sha256(b"1").hexdigest()
STATING = replace(JSON, sizes="$.bytes", hashes={"sha256": "$.sha256"})
SAID = Stated(1, (("sha256", bytes.fromhex(SHA)),))


def test_sizes_and_hashes_are_read_where_the_manifest_has_them() -> None:
    data = recordings(record("a.wav") | {"bytes": 1, "sha256": SHA}, record("b.wav"))
    assert reconciled(("manifest.json", data, STATING)) == {
        "a.wav": Voucher((ME,), 1, SAID),
        "b.wav": Voucher((ME,), 1),
    }


def test_a_table_and_an_xml_state_them_too() -> None:
    table = replace(CSV, sizes="bytes", hashes={"sha256": "sha"})
    rows = f"owner,file,bytes,sha\nme,a.wav,1,{SHA}\nme,b.wav,,\n".encode()
    assert reconciled(("m.csv", rows, table)) == {
        "a.wav": Voucher((ME,), 1, SAID),
        "b.wav": Voucher((ME,), 1),
    }
    xml = MemberSpec(
        "m.xml",
        Format.XML,
        records="/m/f",
        subject=({"account": ("@owner",)},),
        vouches_for="@name",
        sizes="@bytes",
        hashes={"sha256": "@sha"},
    )
    text = f'<m><f owner="me" name="a.wav" bytes="1" sha="{SHA}"/></m>'.encode()
    assert reconciled(("m.xml", text, xml)) == {"a.wav": Voucher((ME,), 1, SAID)}


def test_what_is_stated_of_several_members_stands_in_their_order() -> None:
    several = replace(JSON, vouches_for="$.files[*].name", sizes="$.files[*].bytes")
    files = [{"name": "a.wav", "bytes": 1}, {"name": "b.wav", "bytes": 2}]
    data = recordings({"owner": "me", "files": files})
    sizes = {
        name: voucher.stated.size
        for name, voucher in reconciled(("manifest.json", data, several)).items()
    }
    assert sizes == {"a.wav": 1, "b.wav": 2}
    del files[0]["bytes"]
    data = recordings({"owner": "me", "files": files})
    assert refused(("manifest.json", data, several)) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "wrong", [{"bytes": -1}, {"bytes": None}, {"sha256": "0"}, {"SHA256": SHA}]
)
def test_a_statement_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    assert refused(("manifest.json", recordings(record("a.wav") | wrong), STATING)) is (
        Code.BODY_AMBIGUOUS
    )


def test_an_archive_has_the_owner_that_its_record_names() -> None:
    def owner(data: bytes) -> Owners:
        stored = InMemory(archive(M("owner.json", data)))
        contents = Contents(stored, read_directory(stored, Limits()).entries[0])
        spec = MemberSpec("owner.json", Format.JSON, "$.o[*]", JSON.subject, owns_archive=True)
        return owner_of_archive(Manifest(contents, spec), Limits())

    assert owner(b'{"o":[{"owner":"me"}]}') == owner(b'{"o":[{"owner":"me"},{"owner":"me"}]}')
    assert owner(b'{"o":[{"owner":"me"}]}') == (ME,)
    assert owner(b'{"o":[]}') == owner(b'{"o":[{}]}') == ()
    for data in (b'{"o":[{"owner":"me"},{"owner":"foreign"}]}', b'{"o":[{"owner":"me"},{}]}'):
        with pytest.raises(BadUpstream) as caught:
            owner(data)
        assert caught.value.code is Code.BODY_AMBIGUOUS
