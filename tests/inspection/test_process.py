"""The process that reads bodies at rest: a job in, a typed answer out."""

import json
import os
import pickle
from array import array
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gateway.errors import BadUpstream, Code, InternalError
from gateway.inspection.halves import Part
from gateway.inspection.lineindex import Index
from gateway.inspection.process import Inspected, Job, Refused, Rewritten, answered, decode, serve
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.work import Task
from gateway.model import (
    Attribution,
    Counts,
    Decision,
    Effect,
    Format,
    Group,
    Inspection,
    SubjectRef,
)
from gateway.response import Payload

ME, OTHER = SubjectRef("account", "me"), SubjectRef("account", "other")
SPEC = BodySpec(Format.JSON, records="$[*]", subject=({"account": ("$.owner",)},))
TASK = Task(Payload("application/json"), SPEC, Limits())
BODY = json.dumps([{"owner": "me"}, {"owner": "other"}]).encode()
REDACT = Decision(Effect.REDACT, frozenset({ME}), False, frozenset(), (), (), "r1")


def test_a_body_in_the_job_is_inspected() -> None:
    answered = decode(serve(b"")(pickle.dumps(Job(TASK, BODY, len(BODY))), []))
    assert isinstance(answered, Inspected)
    assert {owner for group in answered.inspection.groups for owner in group.owners} == {ME, OTHER}


def test_a_body_behind_a_descriptor_is_rewritten_into_another(tmp_path: Path) -> None:
    for name, data in (("body", BODY), ("space", b"")):
        (tmp_path / name).write_bytes(data)
    fds = [os.open(tmp_path / name, os.O_RDWR) for name in ("body", "space")]
    answer = serve(b"")
    seen = decode(answer(pickle.dumps(Job(TASK, None, len(BODY))), fds[:1]))
    assert isinstance(seen, Inspected)
    job = Job(TASK, None, len(BODY), seen.inspection, REDACT, space=1_000)
    answered = decode(answer(pickle.dumps(job), fds))
    for fd in fds:
        os.close(fd)
    written = (tmp_path / "space").read_bytes()
    assert answered == Rewritten(Counts(seen=2, released=1, redacted=1), len(written))
    assert json.loads(written) == [{"owner": "me"}]


def test_lines_are_copied_by_the_index_that_inspecting_left_behind_the_body(tmp_path: Path) -> None:
    spec = BodySpec(Format.NDJSON, subject=SPEC.subject)
    task = Task(Payload("application/x-ndjson"), spec, Limits())
    lines = b'{"owner":"me"}\n{"owner":"other"}\n{"owner":"me"}'
    for name, data in (("body", lines), ("space", b"")):
        (tmp_path / name).write_bytes(data)
    fds = [os.open(tmp_path / name, os.O_RDWR) for name in ("body", "space")]
    answer = serve(b"")
    seen = decode(
        answer(pickle.dumps(Job(task, None, len(lines), index=Index(len(lines), 1_000))), fds[:1])
    )
    assert isinstance(seen, Inspected)
    assert (tmp_path / "body").stat().st_size == len(lines) + seen.index > len(lines)
    index = Index(len(lines), seen.index)
    job = Job(task, None, len(lines), seen.inspection, REDACT, space=1_000, index=index)
    answered = decode(answer(pickle.dumps(job), fds))
    os.pwrite(fds[0], bytes(seen.index), len(lines))
    refused = decode(answer(pickle.dumps(job), fds))
    for fd in fds:
        os.close(fd)
    kept = b'{"owner":"me"}\n{"owner":"me"}'
    assert answered == Rewritten(Counts(seen=3, released=2, redacted=1), len(kept))
    assert (tmp_path / "space").read_bytes()[: len(kept)] == kept
    assert isinstance(refused, Refused) and refused.code is Code.INTERNAL_ERROR


def test_what_may_not_leave_is_said_by_its_code() -> None:
    answered = decode(serve(b"")(pickle.dumps(Job(TASK, b"[{", 2)), []))
    assert isinstance(answered, Refused)
    assert answered.code is Code.BODY_MALFORMED


def test_what_is_no_answer_is_none() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(b"nonsense")


def test_what_is_refused_is_raised_and_so_is_an_answer_to_another_question() -> None:
    rewritten = Rewritten(Counts(), 7)
    assert answered(rewritten, Rewritten) is rewritten
    with pytest.raises(InternalError):
        answered(rewritten, Inspected)
    with pytest.raises(BadUpstream) as refused:
        answered(Refused(Code.BODY_MALFORMED, "line 7"), Inspected)
    assert (refused.value.code, refused.value.note) == (Code.BODY_MALFORMED, "line 7")


def test_what_is_left_of_a_part_does_not_begin_like_a_body(tmp_path: Path) -> None:
    """Behind another one, a byte order mark would stand in the midst."""
    spec = BodySpec(Format.NDJSON, subject=SPEC.subject)
    task = Task(Payload("application/x-ndjson"), spec, Limits())
    ahead, part = b'{"owner":"me"}\n', b'\xef\xbb\xbf{"owner":"me"}\n'
    numbers = array("I", (len(ahead), 1, len(part), 1)).tobytes()
    (tmp_path / "body").write_bytes(ahead + part + numbers)
    (tmp_path / "space").write_bytes(b"")
    fds = [os.open(tmp_path / name, os.O_RDWR) for name in ("body", "space")]
    at = len(ahead + part)
    groups = (Group((ME,), Attribution.DIRECT, "", 1),)
    found = Inspection(Format.NDJSON, groups, (), 0, 0, 0)
    job = Job(task, None, at, found, REDACT, space=1_000)
    job = job.of(Part(len(ahead), len(part), Index(at + 8, 8), groups))
    alone = decode(serve(b"")(pickle.dumps(job), fds))
    behind = replace(job, ahead=Part(0, len(ahead), Index(at, 8)), stay=(True,))
    refused = decode(serve(b"")(pickle.dumps(behind), fds))
    for fd in fds:
        os.close(fd)
    assert isinstance(alone, Rewritten)
    assert isinstance(refused, Refused) and refused.code is Code.BODY_MALFORMED
