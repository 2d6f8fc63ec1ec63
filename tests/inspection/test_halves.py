"""A body that is read in two halves is the one that is read as a whole."""

import json
import os
import pickle
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from gateway.errors import BadUpstream, Code
from gateway.inspection import halves, jsonmatcher, tally, work
from gateway.inspection.formats import ndjson
from gateway.inspection.halves import Part
from gateway.inspection.process import Answer, Inspected, Job, Refused, Rewritten, decode, serve
from gateway.inspection.settings import BodySpec, EmbeddedSpec, Limits
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import OnDisk
from gateway.model import Decision, Effect, Format, Inspection, SubjectRef
from gateway.response import Payload

SPEC = BodySpec(Format.NDJSON, subject=({"account": ("$.owner",)},))
TASK = work.Task(Payload("application/x-ndjson"), SPEC, Limits())
OWNERS: list[str | int] = ["me", "foreign", 42, "42"]
READ = serve(b"")


def deciding(*permitted: str | int, unattributed: bool = False) -> Decision:
    owners = frozenset(SubjectRef("account", each) for each in permitted)
    return Decision(Effect.REDACT, owners, unattributed, frozenset(), (), (), "r1")


@contextmanager
def on_disk(data: bytes) -> Iterator[OnDisk]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        yield OnDisk(file.fileno(), len(data))


def inspected(body: OnDisk, part: Part, task: work.Task = TASK) -> Inspected | Refused:
    job = Job(task, None, part.size, index=part.index, start=part.start, part=True)
    answer = decode(READ(pickle.dumps(job), [body.fd]))
    assert isinstance(answer, Inspected | Refused)
    return answer


def by_halves(body: OnDisk, parts: tuple[Part, Part], task: work.Task = TASK) -> Inspection | None:
    found = [inspected(body, part, task) for part in parts]
    read = [each.inspection for each in found if isinstance(each, Inspected)]
    return halves.merged(read, task.limits) if len(read) == 2 else None


def places(found: Inspection) -> list[tuple[int, ...]]:
    return [group.first for group in found.groups]


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is a few records, what they look like is learnt at once, and the first places are
    few."""
    monkeypatch.setattr(ndjson, "WINDOW", 300)
    monkeypatch.setattr(jsonmatcher, "_PATIENCE", 0)
    monkeypatch.setattr(halves, "LEAST", 2)
    monkeypatch.setattr(tally, "_FULL", 2)
    monkeypatch.setattr("gateway.inspection.source.CHUNK", 128)


RECORDS = st.one_of(
    st.builds(lambda owner, note: {"owner": owner, "n": note}, st.sampled_from(OWNERS), st.text()),
    st.builds(lambda owner, name: {"owner": owner, name: 7}, st.sampled_from(OWNERS), st.text()),
    st.sampled_from([{}, [1], 7, None, "me"]),
)
RUNS = st.lists(
    st.tuples(RECORDS, st.integers(1, 12), st.sampled_from(["\n", "\r\n"])), min_size=1, max_size=12
)


def text(runs: list[tuple[Any, int, str]]) -> bytes:
    return "".join((json.dumps(record) + end) * times for record, times, end in runs).encode()


@pytest.mark.usefixtures("_short")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(RUNS, st.booleans(), st.sampled_from([b"", b"\xef\xbb\xbf"]))
def test_what_is_in_both_is_what_is_in_the_body(
    runs: list[tuple[Any, int, str]], cut: bool, mark: bytes
) -> None:
    data = mark + text(runs)
    if cut and isinstance(runs[-1][0], dict | list):
        data = data.rstrip()
    with on_disk(data) as body:
        if parts := halves.of(body, 0):
            found, whole = by_halves(body, parts), work.inspect(body, TASK)
            assert found == whole
            assert found is not None and places(found) == places(whole)


PIECES = st.sampled_from(
    [
        *(b'{"owner":"me"}\n', b'{"owner":"foreign"}\r\n', b"[1]\n", b"7\n", b"{}", b"7"),
        *(b'{"owner":', b'{"a":1,"a":2}\n', b'"\n"', b"<a>\n"),
        *(b"\n", b"\r", b" \n", b"\0", b"\xff", b"\xef\xbb\xbf"),
    ]
)


@pytest.mark.usefixtures("_short")
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=400
)
@given(st.lists(PIECES, min_size=1, max_size=8), st.integers(0, 20))
def test_what_is_refused_as_a_whole_is_refused_in_halves_and_nothing_else(
    pieces: list[bytes], cut: int
) -> None:
    data = b"".join(pieces)
    data = data[: len(data) - cut]
    with on_disk(data) as body:
        if parts := halves.of(body, 0):
            try:
                whole = work.inspect(body, TASK)
            except BadUpstream:
                whole = None
            assert by_halves(body, parts) == whole


@pytest.mark.usefixtures("_short")
def test_a_body_that_is_cut_off_anywhere_is_refused() -> None:
    data = text([({"owner": "me"}, 3, "\n"), ({"owner": "foreign"}, 3, "\n")]).rstrip()
    lines = [n for n in range(len(data)) if data[n - 1 : n] == b"\n"]
    ends = [n for n in range(len(data)) if data[n - 1 : n] == b"}"]
    for size in range(32, len(data)):
        with on_disk(data[:size]) as body:
            parts = halves.of(body, 0)
            assert parts
            assert (by_halves(body, parts) is None) is (size not in (*lines, *ends))


@pytest.mark.usefixtures("_short")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(RUNS, st.booleans(), st.sets(st.sampled_from(OWNERS)), st.booleans())
def test_what_is_left_of_both_is_what_parsing_leaves(
    runs: list[tuple[Any, int, str]], cut: bool, permitted: set[str | int], unattributed: bool
) -> None:
    data = text(runs)
    if cut and isinstance(runs[-1][0], dict | list):
        data = data.rstrip()
    decision = deciding(*permitted, unattributed=unattributed)
    with on_disk(data) as body, on_disk(b"") as space:
        whole = work.inspect(body, TASK)
        sink = MemorySink()
        work.rewrite(body, TASK, whole, decision, sink)
        if parts := halves.of(body, 1 << 20):
            left, right = indexed(body, parts)
            # The second half first: neither waits for the other.
            second = rewritten(body, right, decision, space, ahead=left)
            first = rewritten(body, left, decision, space)
            assert isinstance(first, Rewritten) and isinstance(second, Rewritten)
            assert (first.start, second.start) == (0, first.size)
            assert os.pread(space.fd, len(data), 0) == sink.getvalue()


def indexed(body: OnDisk, parts: tuple[Part, Part]) -> list[Part]:
    read = []
    for part in parts:
        found = inspected(body, part)
        assert isinstance(found, Inspected) and found.index
        index = part.index._replace(size=found.index)
        read.append(replace(part, index=index, groups=found.inspection.groups))
    return read


def rewritten(
    body: OnDisk, part: Part, decision: Decision, space: OnDisk, ahead: Part | None = None
) -> Answer:
    found = Inspection(Format.NDJSON, part.groups, (), 0, 0, 0)
    job = Job(
        TASK, None, part.size, found, decision, body.size,
        index=part.index, start=part.start, part=True, ahead=ahead,
        stay=tuple(map(decision.releases, ahead.groups if ahead else ())),
    )  # fmt: skip
    return decode(READ(pickle.dumps(job), [body.fd, space.fd]))


LINES = b'{"owner":"me"}\n' * 2 + b'{"owner":"you"}\n' * 2


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize("number", [0, 1])
def test_an_index_of_a_half_that_is_wrong_lets_nothing_pass(number: int) -> None:
    """It says that a line is another one's."""
    with on_disk(b"".join(LINES.splitlines(keepends=True)[n] for n in (0, 2, 3, 1))) as body:
        parts = halves.of(body, 64)
        assert parts
        read = indexed(body, parts)
        for decision in (deciding("me"), deciding("you")):
            with on_disk(b"") as space:
                assert isinstance(rewritten(body, read[number], decision, space), Rewritten)
        at = read[number].index.at
        pairs = os.pread(body.fd, 16, at)
        os.pwrite(body.fd, pairs[:4] + pairs[12:16] + pairs[8:12] + pairs[4:8], at)
        for decision in (deciding("me"), deciding("you")):
            with on_disk(b"") as space:
                refused = rewritten(body, read[number], decision, space)
                assert isinstance(refused, Refused) and refused.code is Code.INTERNAL_ERROR


@pytest.mark.usefixtures("_short")
def test_limits_are_those_of_the_body() -> None:
    spec = replace(SPEC, category="x")
    for limits in (Limits(subjects=1), Limits(fields=1)):
        task = work.Task(TASK.payload, spec, limits)
        data = b'{"owner":"me"}\n' * 3
        other = b'{"owner":"you"}\n' if limits.subjects == 1 else b'{"field":"me"}\n'
        for second, fits in ((data, True), (other * 3, False)):
            with on_disk(data + second) as body:
                parts = halves.of(body, 0)
                assert parts
                if fits:
                    assert by_halves(body, parts, task) == work.inspect(body, task)
                    continue
                with pytest.raises(BadUpstream) as refused:
                    by_halves(body, parts, task)
                assert refused.value.code is Code.BODY_TOO_COMPLEX


def test_a_small_body_has_none_and_one_in_which_no_line_ends_near_the_middle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with on_disk(LINES) as body:
        assert halves.of(body, 0) is None
        monkeypatch.setattr(halves, "LEAST", 2)
        assert [(part.start, part.size) for part in halves.of(body, 0) or ()] == [(0, 30), (30, 32)]
    with on_disk(b"[%b]\n" % (b" " * 300_000)) as body:
        assert halves.of(body, 0) is None


def test_only_lines_that_stand_for_themselves_are_divided() -> None:
    assert work.divides(TASK)
    gzip = structs.replace(TASK.payload, codings=("gzip",))
    assert not work.divides(work.Task(gzip, SPEC, Limits()))
    packed = replace(SPEC, compression="gzip")
    document = EmbeddedSpec(("$.p",), Format.JSON)
    table = BodySpec(Format.CSV, subject=({"account": ("owner",)},))
    for spec in (packed, replace(SPEC, embedded=(document,)), table):
        assert not work.divides(work.Task(TASK.payload, spec, Limits()))
