"""A body that nobody reads is one record of whom a header names."""

from dataclasses import replace

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import work
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import InMemory
from gateway.model import Attribution, Decision, Effect, Format, Group, SubjectRef
from gateway.response import Payload
from tests.support.documents import pdf

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


# Whose it is by its own metadata

SAYS = replace(SPEC, subject=({"account": ("pdf:Subject",)},), subject_header={})
MINE, FOREIGN = pdf(b"/Subject (me)"), pdf(b"/Subject (foreign)")


def saying(*owners: SubjectRef, record: int = 1 << 20) -> work.Task:
    return work.Task(Payload("image/jpeg", owners=owners), SAYS, Limits(record=record))


def test_a_file_may_say_whose_it_is() -> None:
    found = work.inspect(InMemory(MINE), saying())
    assert found.groups == (Group((ME,), Attribution.DIRECT, "photo", 1),)
    sink = MemorySink()
    counts = work.rewrite(InMemory(MINE), saying(), found, DECISION, sink)
    assert sink.getvalue() == MINE
    work.confirm(InMemory(MINE), saying(), found, DECISION, counts)


@pytest.mark.parametrize("data", [FOREIGN, pdf(b""), b"JPEG"])
def test_a_file_that_says_another_or_nobody_stays(data: bytes) -> None:
    found = work.inspect(InMemory(data), saying())
    with pytest.raises(BadUpstream) as caught:
        work.rewrite(InMemory(data), saying(), found, DECISION, MemorySink())
    assert caught.value.code is Code.REDACTION_UNSUPPORTED


def test_a_header_and_the_file_must_agree() -> None:
    assert work.inspect(InMemory(MINE), saying(ME)).subjects == work.inspect(
        InMemory(MINE), saying()
    ).subjects  # fmt: skip
    with pytest.raises(BadUpstream) as caught:
        work.inspect(InMemory(FOREIGN), saying(ME))
    assert caught.value.code is Code.BODY_AMBIGUOUS
    nobody = work.inspect(InMemory(pdf(b"")), saying(ME))
    assert nobody.groups == (Group((), Attribution.NONE, "photo", 1),)


def test_a_file_that_is_read_is_no_larger_than_a_record() -> None:
    with pytest.raises(BadUpstream) as caught:
        work.inspect(InMemory(MINE), saying(record=100))
    assert caught.value.code is Code.BODY_TOO_LARGE
