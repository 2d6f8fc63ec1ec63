"""What a part says of itself: whose it is, and nothing that nobody reads."""

from collections import Counter
from dataclasses import replace

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import work
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.source import InMemory
from gateway.model import Attribution, Format
from gateway.response import Payload
from tests.support.multiparts import BOUNDARY, multipart, named, part

OWNER = ({"account": ("$.owner",)},)
HEADER = {"account": "X-Subject-Id"}
SPEC = BodySpec(
    Format.MULTIPART,
    members=(
        MemberSpec("m.json", Format.JSON, "$[*]", OWNER, vouches_for="$.file"),
        MemberSpec("said/*", subject_header=HEADER),
        MemberSpec("both/*.ndjson", Format.NDJSON, subject=OWNER, subject_header=HEADER),
        MemberSpec("plain/*.ndjson", Format.NDJSON, subject_header=HEADER),
        MemberSpec("two/*", subject_header={**HEADER, "tenant": "X-Tenant"}),
        MemberSpec("{account}/*.said", attribution=Attribution.PATH, subject_header=HEADER),
        MemberSpec("{account}/*.jpg", attribution=Attribution.PATH),
        MemberSpec("*.acme", media_type="application/vnd.acme"),
        MemberSpec("*.ndjson", Format.NDJSON, subject=OWNER),
    ),
)
LINE = b'{"owner":"me"}\n'
Owned = dict[tuple[tuple[str, str], ...], int]


def owned(*parts: bytes, by: Attribution | None = None, spec: BodySpec = SPEC) -> Owned:
    payload = Payload("multipart/form-data", boundary=BOUNDARY)
    body = InMemory(multipart(*parts))
    found = Counter[tuple[tuple[str, str], ...]]()
    for group in work.inspect(body, work.Task(payload, spec, Limits())).groups:
        found[tuple((owner.kind, str(owner.value)) for owner in group.owners)] += group.records
        assert by in (None, group.attribution)
    return dict(found)


def refused(*parts: bytes, spec: BodySpec = SPEC) -> Code:
    with pytest.raises(BadUpstream) as caught:
        owned(*parts, spec=spec)
    assert "foreign" not in caught.value.note
    return caught.value.code


MINE: Owned = {(("account", "me"),): 1}


# The owner in a part's header


def test_a_field_of_its_header_names_the_owner_of_a_part() -> None:
    one = named("said/1", b"x", "X-Subject-Id: me")
    assert owned(one, by=Attribution.DIRECT) == MINE
    other = named("said/2", b"x", "x-subject-id: foreign")
    assert owned(one, other) == {**MINE, (("account", "foreign"),): 1}
    lines = named("plain/1.ndjson", b"{}\n{}\n", "X-Subject-Id: me")
    assert owned(lines, by=Attribution.DIRECT) == {(("account", "me"),): 2}


def test_without_the_field_nobody_owns_it() -> None:
    assert owned(named("said/1", b"x")) == {(): 1}
    assert owned(named("said/1", b"x", "X-Subject: me")) == {(): 1}
    assert owned(named("two/1", b"x", "X-Subject-Id: me")) == {(): 1}
    both = named("two/1", b"x", "X-Subject-Id: me", "X-Tenant: t")
    assert owned(both) == {(("account", "me"), ("tenant", "t")): 1}


@pytest.mark.parametrize(
    "fields",
    [
        ["X-Subject-Id: me", "X-Subject-Id: me"],
        ["X-Subject-Id: foreign", "x-subject-id: me"],
        ["X-Subject-Id: me, foreign"],
        ["X-Subject-Id: me\r\n foreign"],
        ["X-Subject-Id:"],
    ],
)
def test_a_field_that_readers_take_differently_names_no_one(fields: list[str]) -> None:
    assert refused(named("said/1", b"x", *fields)) is Code.BODY_AMBIGUOUS


def test_header_content_and_name_must_agree() -> None:
    for owner, found in (("me", MINE), ("foreign", None)):
        field = f"X-Subject-Id: {owner}"
        for each in (named("both/1.ndjson", LINE, field), named("me/1.said", b"x", field)):
            if found:
                assert owned(each) == found
            else:
                assert refused(each) is Code.BODY_AMBIGUOUS
    empty = named("both/1.ndjson", b"", "X-Subject-Id: foreign")
    assert owned(empty, by=Attribution.DIRECT) == {(("account", "foreign"),): 1}


def test_a_field_that_is_asked_for_elsewhere_is_still_one_that_nobody_reads() -> None:
    assert refused(named("1.ndjson", LINE, "X-Subject-Id: foreign")) is Code.BODY_AMBIGUOUS
    assert owned(named("1.ndjson", LINE)) == MINE
    assert owned(named("both/1.ndjson", LINE, "X-Subject-Id: me")) == MINE


# A name beside the name


def form(field: str, file: str, content: bytes = b"x") -> bytes:
    return part(content, f'Content-Disposition: form-data; name="{field}"; filename="{file}"')


@pytest.mark.parametrize(
    ("field", "file"),
    [
        ("foreign/1.jpg", "me/1.jpg"),
        ("foreign/1.said", "me/1.jpg"),
        ("m.json", "me/1.jpg"),
        ("foreign/1.jpg", "rest"),
    ],
)
def test_a_field_that_names_another_owner_than_the_file_is_refused(field: str, file: str) -> None:
    assert refused(form(field, file)) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize("field", ["file", "files[]", "me/1.jpg", "me/2.jpg", "1.ndjson"])
def test_a_field_that_names_no_other_owner_passes(field: str) -> None:
    assert owned(form(field, "me/1.jpg")) == MINE


def test_a_field_that_a_manifest_vouches_for_as_another_part_is_refused() -> None:
    spec = replace(
        SPEC, members=(SPEC.members[0], MemberSpec("*.jpg", attribution=Attribution.MANIFEST))
    )
    listed = b'[{"file":"1.jpg","owner":"me"},{"file":"2.jpg","owner":"foreign"}]'
    mine, theirs = named("1.jpg", b"x"), named("2.jpg", b"y")
    whole = {(("account", "me"),): 2, (("account", "foreign"),): 2}
    assert owned(named("m.json", listed), form("f", "1.jpg"), theirs, spec=spec) == whole
    assert owned(named("m.json", listed), mine, theirs, spec=spec) == whole
    swapped = (named("m.json", listed), form("2.jpg", "1.jpg"), form("1.jpg", "2.jpg"))
    assert refused(*swapped, spec=spec) is Code.BODY_AMBIGUOUS


def identified(identity: str, file: str, content: bytes = b"x") -> bytes:
    return named(file, content, f"Content-ID: <{identity}>")


@pytest.mark.parametrize(
    ("identity", "file"),
    [("foreign/1.jpg", "me/1.jpg"), ("m.json", "me/1.jpg"), ("foreign/1.jpg", "rest")],
)
def test_a_content_id_that_names_another_owner_than_the_file_is_refused(
    identity: str, file: str
) -> None:
    assert refused(identified(identity, file)) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize("identity", ["1.2@x.org", "me/1.jpg", "me/2.jpg"])
def test_a_content_id_that_names_no_other_owner_passes(identity: str) -> None:
    assert owned(identified(identity, "me/1.jpg")) == MINE


def test_a_part_whose_records_are_read_says_nothing_else() -> None:
    for field in (
        "Content-ID: <foreign@x.org>",
        "Content-MD5: foreign",
        "Content-Digest: sha-256=:Zm9yZWlnbg==:",
    ):
        assert refused(named("1.ndjson", LINE, field)) is Code.BODY_AMBIGUOUS
        assert owned(named("me/1.jpg", b"x", field)) == MINE
    for placed in ("foreign", "x-foreign", "attachment/foreign"):
        odd = part(LINE, f'Content-Disposition: {placed}; filename="1.ndjson"')
        assert refused(odd) is Code.BODY_AMBIGUOUS
    assert owned(named("1.ndjson", LINE, "Content-ID: <1.ndjson>")) == MINE
    assert owned(part(LINE, "Content-ID: <1.ndjson>")) == MINE
    assert owned(form("records", "1.ndjson", LINE)) == MINE


# What leaves unread


@pytest.mark.parametrize(
    ("name", "field", "code"),
    [
        ("me/1.jpg", "Content-Type: image/jpeg", None),
        ("me/1.jpg", "Content-Type: IMAGE/JPEG", None),
        ("me/1.jpg", "Content-Type: text/plain; charset=UTF-8", None),
        ("me/1.jpg", "Content-Type: image/foreign-lives-in-here", Code.FORMAT_MISMATCH),
        ("me/1.jpg", "Content-Type: image", Code.FORMAT_MISMATCH),
        ("me/1.jpg", "Content-Type: text/plain; charset=foreign", Code.FORMAT_MISMATCH),
        ("me/1.jpg", "Content-Type: image/jpeg; x=foreign", Code.BODY_AMBIGUOUS),
        ("me/1.jpg", "Content-Type: application/vnd.acme", Code.FORMAT_MISMATCH),
        ("1.acme", "Content-Type: application/vnd.acme", None),
        ("1.acme", "Content-Type: image/jpeg", Code.FORMAT_MISMATCH),
        ("unmatched", "Content-Type: image/foreign", Code.FORMAT_MISMATCH),
    ],
)
def test_what_an_unread_part_declares_is_of_a_closed_set(
    name: str, field: str, code: Code | None
) -> None:
    each = named(name, b"x", field)
    if code:
        assert refused(each) is code
    else:
        assert sum(owned(each).values()) == 1
