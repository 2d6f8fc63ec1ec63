"""A redaction by an index of lines is the one by parsing, and a wrong index lets nothing pass."""

import json
import os
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from gateway.errors import Code, InternalError
from gateway.inspection import jsonmatcher, lineindex, work
from gateway.inspection.formats import FORMATS, ndjson
from gateway.inspection.lineindex import Index, LineIndex
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import InMemory, OnDisk
from gateway.model import Counts, Decision, Effect, Format, Inspection, Mask, SubjectRef
from gateway.response import Payload

SPEC = BodySpec(Format.NDJSON, subject=({"account": ("$.owner",)},))
BOTH = replace(SPEC, subject=({"account": ("$.owner",)}, {"case": ("$.case",)}))
TASK, BY_BOTH = (
    work.Task(Payload("application/x-ndjson"), spec, Limits()) for spec in (SPEC, BOTH)
)
OWNERS: list[str | int] = ["me", "foreign", 42, "42"]


BY_ROW = work.Task(
    Payload("text/csv"),
    BodySpec(Format.CSV, subject=({"account": ("owner",)},), delimiter=",", preamble=1),
    Limits(),
)


def deciding(*permitted: str | int, unattributed: bool = False) -> Decision:
    owners = {SubjectRef("case", 7), *(SubjectRef("account", each) for each in permitted)}
    return Decision(Effect.REDACT, frozenset(owners), unattributed, frozenset(), (), (), "r1")


def lines(*owners: Any, end: str = "\n") -> bytes:
    return "".join(json.dumps({"owner": each, "n": "x" * 40}) + end for each in owners).encode()


@contextmanager
def on_disk(data: bytes) -> Iterator[OnDisk]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        yield OnDisk(file.fileno(), len(data))


def indexed(body: OnDisk, limit: int = 1 << 20, task: work.Task = TASK) -> tuple[Inspection, int]:
    index = LineIndex(body, Index(body.size, limit))
    return work.inspect(body, task, index=index), index.finish()


def by_index(data: bytes, task: work.Task, decision: Decision) -> tuple[bytes, Counts]:
    with on_disk(data) as body:
        found, index = indexed(body, task=task)
        assert index or not body.size
        sink = MemorySink()
        counts = work.rewrite(body, task, found, decision, sink, index=Index(body.size, index))
    work.confirm(InMemory(sink.getvalue()), task, found, decision, counts)
    return sink.getvalue(), counts


def by_parsing(data: bytes, task: work.Task, decision: Decision) -> tuple[bytes, Counts]:
    body, sink = InMemory(data), MemorySink()
    counts = work.rewrite(body, task, work.inspect(body, task), decision, sink)
    return sink.getvalue(), counts


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is a few records, and what they look like is learnt at once."""
    monkeypatch.setattr(ndjson, "WINDOW", 300)
    monkeypatch.setattr(jsonmatcher, "_PATIENCE", 0)
    monkeypatch.setattr(lineindex, "_BUFFER", 8)
    monkeypatch.setattr("gateway.inspection.source.CHUNK", 128)


RECORDS = st.one_of(
    st.builds(lambda owner, note: {"owner": owner, "n": note}, st.sampled_from(OWNERS), st.text()),
    st.builds(lambda owner: {"owner": owner, "case": 7}, st.sampled_from(OWNERS)),
    st.sampled_from([{}, [1], 7, None, "me"]),
)


@pytest.mark.usefixtures("_short")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(RECORDS, st.integers(1, 12), st.sampled_from(["\n", "\r\n"])), max_size=12),
    st.booleans(),
    st.sets(st.sampled_from(OWNERS)),
    st.booleans(),
    st.sampled_from([TASK, BY_BOTH]),
)
def test_it_writes_what_parsing_writes(
    runs: list[tuple[Any, int, str]], cut: bool, permitted: set[str | int], unattributed: bool,
    task: work.Task,
) -> None:  # fmt: skip
    text = "".join((json.dumps(record) + end) * times for record, times, end in runs)
    if cut and runs and isinstance(runs[-1][0], dict | list):
        text = text.rstrip()
    decision = deciding(*permitted, unattributed=unattributed)
    data = text.encode()
    assert by_index(data, task, decision) == by_parsing(data, task, decision)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@pytest.mark.usefixtures("_short")
@given(
    st.sampled_from(["", "\ufeff"]),
    st.sampled_from(["\r\n", "\n"]),
    st.lists(
        st.tuples(
            st.sampled_from(["me", "foreign", "42", ""]),
            st.sampled_from(["x", '"a ""b""\nc,d"', "ü" * 40]),
            st.integers(1, 12),
        ),
        max_size=12,
    ),
    st.booleans(),
    st.sets(st.sampled_from(["me", "foreign", "42"])),
    st.booleans(),
)
def test_of_tables_too(
    mark: str, end: str, runs: list[tuple[str, str, int]], cut: bool, permitted: set[str],
    unattributed: bool,
) -> None:  # fmt: skip
    rows = "".join(f"{owner},{note}{end}" * times for owner, note, times in runs)
    data = f"{mark},{end}owner,note{end}{rows}".encode()
    data = data.rstrip() if cut and runs else data
    decision = deciding(*permitted, unattributed=unattributed)
    assert by_index(data, BY_ROW, decision) == by_parsing(data, BY_ROW, decision)


@pytest.mark.parametrize(
    "data",
    [
        b",\rowner,n\rme,1\rforeign,2\r",
        ",\nowner,n\nme,1\nforeign,2\n".encode("utf-16"),
        b"Account,me\nowner,n\nme,1\nforeign,2\n",
        b",\nowner,n",
    ],
    ids=["lines end in CR", "UTF-16", "a preamble with an owner", "a header alone"],
)
def test_of_tables_whose_rows_are_not_the_lines_of_the_body_there_is_none(data: bytes) -> None:
    with on_disk(data) as body:
        assert indexed(body, task=BY_ROW)[1] == 0
        assert os.fstat(body.fd).st_size == body.size


def test_nothing_is_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(*_: Any) -> Counts:
        raise AssertionError

    with on_disk(lines("me", "foreign", "me")) as body:
        found, index = indexed(body)
        monkeypatch.setitem(
            FORMATS, Format.NDJSON, FORMATS[Format.NDJSON]._replace(rewrite=unexpected)
        )
        sink = MemorySink()
        counts = work.rewrite(
            body, TASK, found, deciding("me"), sink, index=Index(body.size, index)
        )
        assert (sink.getvalue(), counts.released) == (lines("me", "me"), 2)
        with pytest.raises(AssertionError):  # masks are for the parser
            decision = structs.replace(deciding("me"), mask=(Mask("$.n"),))
            work.rewrite(body, TASK, found, decision, sink, index=Index(body.size, index))


def test_lines_of_one_group_are_one_pair() -> None:
    with on_disk(lines(*["me"] * 1000)) as body:
        assert indexed(body)[1] == 8
    with on_disk(lines("me", "foreign")) as body:
        assert indexed(body)[1] == 16


@pytest.mark.parametrize("limit", [0, 8])
def test_where_it_would_be_too_long_there_is_none(limit: int) -> None:
    with on_disk(lines("me", "foreign")) as body:
        assert indexed(body, limit)[1] == 0
        assert os.fstat(body.fd).st_size == body.size


def test_of_a_body_with_a_byte_order_mark_there_is_none() -> None:
    """It stays before the first line that stays."""
    with on_disk(b"\xef\xbb\xbf" + lines("me", "foreign")) as body:
        assert indexed(body)[1] == 0
        assert os.fstat(body.fd).st_size == body.size


def test_where_the_disk_is_full_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "no space")

    with on_disk(lines("me", "foreign")) as body:
        monkeypatch.setattr(os, "pwrite", full)
        found, index = indexed(body)
    assert (found.records, index) == (2, 0)


def test_a_line_of_gigabytes_is_in_none() -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return 1 << 32

    for groups in (1, [1, 2]):
        with on_disk(b"") as body:
            index = LineIndex(body, Index(0, 1 << 20))
            index.add(groups, [Huge(), b""], 1, 2 + (1 << 32))
            assert index.finish() == 0


BODY = lines("me", "foreign", "me")
LINE, FOREIGN = len(lines("me")), len(lines("foreign"))


@pytest.mark.parametrize(
    "pairs",
    [
        (LINE - 1, 1, FOREIGN + 1, 2, LINE, 1),
        (LINE, 1, FOREIGN, 2),
        (LINE, 1, FOREIGN, 2, LINE, 1, 7, 2),
        (LINE, 1, FOREIGN, 2, LINE + 1, 1),
        (LINE, 1, FOREIGN, 2, 4_000_000_000, 2, LINE, 1),
        (LINE, 1, FOREIGN, 3, LINE, 1),
    ],
    ids=["a cut line", "too short", "too long", "longer by one", "far too long", "no such group"],
)
def test_one_that_is_not_of_the_body_is_refused(pairs: Sequence[int]) -> None:
    with on_disk(BODY) as body:
        found, index = indexed(body)
        assert index == 24
        os.pwrite(body.fd, array("I", pairs).tobytes(), body.size)
        with pytest.raises(InternalError) as refused:
            rewritten(body, found, 4 * len(pairs))
    assert refused.value.code is Code.INTERNAL_ERROR


@pytest.mark.parametrize(
    "groups", [(1, 1, 1), (1, 0, 1), (2, 1, 1), (1, 2, 2), (1, 1, 2), (2, 2, 2)]
)
def test_one_that_says_something_else_of_a_line_lets_nothing_pass(groups: Sequence[int]) -> None:
    with on_disk(BODY) as body:
        found, index = indexed(body)
        rewritten(body, found, index)
        sizes = (LINE, FOREIGN, LINE)
        pairs = [number for pair in zip(sizes, groups, strict=True) for number in pair]
        os.pwrite(body.fd, array("I", pairs).tobytes(), body.size)
        with pytest.raises(InternalError):
            rewritten(body, found, index)


def rewritten(body: OnDisk, found: Inspection, index: int) -> None:
    sink = MemorySink()
    counts = work.rewrite(body, TASK, found, deciding("me"), sink, index=Index(body.size, index))
    work.confirm(InMemory(sink.getvalue()), TASK, found, deciding("me"), counts)
