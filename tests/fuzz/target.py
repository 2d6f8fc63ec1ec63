"""What must hold for any bytes at all: one target for every format, one for every coding.

Nothing crashes or hangs; how a body is cut into chunks changes nothing; a body is read or refused,
and what is read is written again: whole where all may stay, without a record where none may. What
leaves of a body as it comes is what leaves of it at rest; one that is refused at rest has no end.
"""

import random
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any
from unittest import mock

from gateway.errors import BadUpstream, Code
from gateway.inspection import source, work
from gateway.inspection.codings import CODINGS
from gateway.inspection.formats import FORMATS
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import InMemory
from gateway.model import Counts, Decision, Effect, Format, Inspection
from gateway.response import Payload
from tests.fuzz.mutator import mutated
from tests.fuzz.seeds import EMBEDDED, SEEDS
from tests.support.codings import CODED
from tests.support.scratches import scratch

LIMITS = Limits(body=1 << 20, decoded=1 << 20, record=1 << 12, depth=20, members=50, fields=100)
HANGING = 20
"""Seconds for a body of a few kilobytes."""

_IN_TEXTS = "embedded"

NAMES = (*(str(form) for form in SEEDS), *CODINGS, _IN_TEXTS)
"""What is tried: every format but the opaque one, whose metadata has tests of its own, and
documents in the texts of records."""


def examine(name: str, dice: random.Random) -> bool:
    """Try one body on the format or coding of this name. Whether it was read to its end.

    Raises AssertionError, or whatever else went wrong.
    """
    if name in CODINGS:
        return _examine_coding(name, dice)
    if name == _IN_TEXTS:
        spec, bodies = EMBEDDED
        return examine_body(spec.format, mutated(bodies, dice), dice.randint(1, 9), spec)
    form = Format(name)
    return examine_body(form, mutated(SEEDS[form][1], dice), dice.randint(1, 9))


def examine_body(form: Format, body: bytes, chunk: int, spec: BodySpec | None = None) -> bool:
    """Try one body, whole and in chunks of `chunk` bytes. See `examine`."""
    reader, spec = FORMATS[form], spec or SEEDS[form][0]
    boundary = "b" if form is Format.MULTIPART else None
    task = work.Task(Payload(reader.media_types[0], boundary=boundary), spec, LIMITS)
    with _in_time():
        found = _read(body, task)
        with mock.patch.object(source, "CHUNK", chunk):
            cut = _read(body, task)
        assert (found and found.groups) == (cut and cut.groups), "cut otherwise, read otherwise"
        _examine_stream(body, task, chunk)
        if found is None:
            return False
        kept = _rewritten(body, task, found, everything=True)
        assert reader.random_access or kept == body, "what stays is not as it came"
        _rewritten(body, task, found, everything=False)
        with mock.patch.object(source, "CHUNK", chunk):
            assert _rewritten(body, task, found, everything=True) == kept
    return True


def _read(body: bytes, task: work.Task) -> Inspection | None:
    try:
        with scratch(LIMITS.decoded) as file:
            return work.inspect(InMemory(body), task, file)
    except BadUpstream:
        return None


def _examine_stream(body: bytes, task: work.Task, chunk: int) -> None:
    members = tuple(each for each in task.spec.members if not _needs_others(each))
    task = replace(task, spec=replace(task.spec, members=members))
    if not FORMATS[task.spec.format].flows(task.spec):
        return
    left: list[bytes] = []

    def ask(seen: Inspection, _: Counts) -> Decision:
        return Decision(Effect.REDACT, frozenset(seen.subjects), True, frozenset(), (), (), "r1")

    pieces = (body[at : at + chunk] for at in range(0, len(body), chunk))
    try:
        work.stream(pieces, task, ask, lambda data, _: left.append(data))
    except BadUpstream:
        return
    found = _read(body, task)
    assert found, "refused at rest, and whole as it comes"
    assert b"".join(left) == _rewritten(body, task, found, everything=True), "another one"


def _needs_others(member: MemberSpec) -> bool:
    return bool(member.vouches_for or member.owns_archive or FORMATS[member.format].random_access)


def _rewritten(
    body: bytes, task: work.Task, found: Inspection, *, everything: bool
) -> bytes | None:
    """What stays, which was read again; None where the format can't do without what must go."""
    permitted = frozenset(found.subjects) if everything else frozenset()
    decision = Decision(Effect.REDACT, permitted, everything, frozenset(), (), (), "r1")
    sink = MemorySink()
    try:
        with scratch(LIMITS.decoded) as file:
            counts = work.rewrite(InMemory(body), task, found, decision, sink, file)
    except BadUpstream as refusal:
        assert not everything and refusal.code in (
            Code.REDACTION_UNSUPPORTED,
            Code.BODY_AMBIGUOUS,  # a total that doesn't count the records
        ), refusal
        return None
    assert counts.released == (found.records if everything else 0)
    with scratch(LIMITS.decoded) as file:
        work.confirm(InMemory(sink.getvalue()), task, found, decision, counts, file)
    return sink.getvalue()


def _examine_coding(name: str, dice: random.Random) -> bool:
    encode, _ = CODED[name]
    contents = [b"", b"me", bytes(700), b'{"owner": "me"}\n' * 50, dice.randbytes(90)]
    received = mutated([encode(content) for content in contents], dice)
    with _in_time():
        decoded = _decoded(name, received, len(received) or 1)
        assert decoded == _decoded(name, received, dice.randint(1, 9))
        if decoded is None:
            return False
        encoder = CODINGS[name].encoder()
        again = encoder.compress(decoded[0]) + encoder.flush()
        assert (_decoded(name, again, 7) or [None])[0] == decoded[0]
    return True


def _decoded(name: str, received: bytes, size: int) -> Sequence[Any] | None:
    """The content, and whether the coding was sealed; None where it was refused."""
    content: list[bytes] = []
    decoder = CODINGS[name].decode(received[at : at + size] for at in range(0, len(received), size))
    while True:
        try:
            content.append(next(decoder))
        except StopIteration as end:
            return b"".join(content), end.value
        except BadUpstream:
            return None


@contextmanager
def _in_time() -> Iterator[None]:
    def late(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(HANGING)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
