"""A body that nobody reads is one record of whom a header names."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import work
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import InMemory
from gateway.model import Attribution, Decision, Effect, Format, Group, SubjectRef
from gateway.response import Payload

ME = SubjectRef("account", "me")
SPEC = BodySpec(
    Format.OPAQUE, media_type="image/jpeg", category="photo", subject_header={"account": "X-Id"}
)
DECISION = Decision(Effect.REDACT, frozenset({ME}), False, frozenset(), (), (), "1")


def task(*owners: SubjectRef, declared: str = "image/jpeg") -> work.Task:
    return work.Task(Payload(declared, owners=owners), SPEC, Limits())


def test_it_is_one_record_of_whom_the_header_names() -> None:
    found = work.inspect(InMemory(b"JPEG"), task(ME))
    assert found.groups == (Group((ME,), Attribution.CONTAINER, "photo", 1),)
    assert (found.bytes_inspected, found.bytes_decoded) == (4, 4)


def test_without_an_owner_it_is_unattributed() -> None:
    found = work.inspect(InMemory(b"JPEG"), task())
    assert found.groups == (Group((), Attribution.NONE, "photo", 1),)


def test_it_is_released_whole_or_not_at_all() -> None:
    sink = MemorySink()
    found = work.inspect(InMemory(b"JPEG"), task(ME))
    work.rewrite(InMemory(b"JPEG"), task(ME), found, DECISION, sink)
    assert sink.getvalue() == b"JPEG"
    for owners in ((), (SubjectRef("account", "other"),), (ME, SubjectRef("mail", "x"))):
        found = work.inspect(InMemory(b"JPEG"), task(*owners))
        with pytest.raises(BadUpstream) as caught:
            work.rewrite(InMemory(b"JPEG"), task(*owners), found, DECISION, MemorySink())
        assert caught.value.code is Code.REDACTION_UNSUPPORTED


def test_another_type_and_an_empty_body_are_refused() -> None:
    """A15, A55."""
    with pytest.raises(BadUpstream):
        work.inspect(InMemory(b"JPEG"), task(ME, declared="application/json"))
    with pytest.raises(BadUpstream) as caught:
        work.inspect(InMemory(b""), task(ME))
    assert caught.value.code is Code.BODY_INCOMPLETE
