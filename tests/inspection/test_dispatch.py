"""Small bodies are read here and big ones in a worker, with the same result."""

import asyncio
import gzip
import json
import math
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec import structs

from gateway.errors import BadUpstream, Code, InternalError, Late
from gateway.inspection import halves, lineindex, masking, work
from gateway.inspection.dispatch import Dispatch
from gateway.inspection.process import Inspected, Rewritten
from gateway.inspection.settings import (
    BodySpec,
    EmbeddedSpec,
    InspectionSettings,
    Limits,
    MemberSpec,
)
from gateway.model import Counts, Decision, Effect, Format, Inspection, Mask, SubjectRef
from gateway.response import Payload, Response
from gateway.spool import Held, Spool, SpoolSettings
from gateway.stored import InMemory, OnDisk
from tests.support.documents import pdf
from tests.support.reading import masks
from tests.support.tars import tarred, untarred

ME = SubjectRef("account", "me")
SPEC = BodySpec(Format.JSON, records="$[*]", subject=({"account": ("$.owner",)},))
REDACT = Decision(Effect.REDACT, frozenset({ME}), False, frozenset(), (), (), "r1")
LIMITS = Limits()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(SpoolSettings(directory=tmp_path / "spool", memory=1024))


@pytest_asyncio.fixture
async def dispatch(spool: Spool) -> AsyncIterator[Dispatch]:
    dispatch = Dispatch(InspectionSettings(workers=1, inline=1024), spool)
    await dispatch.start()
    yield dispatch
    await dispatch.stop()


@asynccontextmanager
async def running(settings: InspectionSettings, spool: Spool) -> AsyncIterator[Dispatch]:
    dispatch = Dispatch(settings, spool)
    await dispatch.start()
    try:
        yield dispatch
    finally:
        await dispatch.stop()


def response(spool: Spool, data: bytes, *codings: str) -> Response:
    writer = spool.writer()
    writer.write(data)
    return Response((), Payload("application/json", None, codings), writer.finish())


async def test_metadata_is_never_read_in_the_event_loop(
    dispatch: Dispatch, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library reads it, which may hang or take too much."""
    spec = BodySpec(Format.OPAQUE, subject=({"account": ("pdf:Subject",)},))
    letter = structs.replace(response(spool, pdf()), payload=Payload("application/octet-stream"))
    monkeypatch.setattr(work, "inspect", None)
    found = await dispatch.inspect(letter, spec, Limits())
    assert found.subjects == (SubjectRef("account", "A1"),)
    letter.body.close()


def body(count: int) -> bytes:
    owners = ("me", "foreign")
    return json.dumps([{"owner": owners[n % 2], "n": n} for n in range(count)]).encode()


async def test_a_redaction_leaves_room_for_its_own_scratch_file(tmp_path: Path) -> None:
    """Masks let a body grow: what is reserved for it is all that the spool has, but for both."""
    tight = Spool(SpoolSettings(tmp_path / "tight", limit=1 << 20, memory=1024, wait=0.1))
    spec = BodySpec(Format.TAR, members=(LINES,), compression="gzip")
    lines = b'{"owner":"me","n":1}\n' * 100
    packed = gzip.compress(tarred({"a.ndjson": lines, "noise": os.urandom(200_000)}, mtime=0))
    decision = structs.replace(REDACT, mask=masks("$.n"), release_unattributed=True)
    writer = tight.writer()
    writer.write(packed)
    held = Response((), Payload("application/gzip"), writer.finish())
    async with running(InspectionSettings(1, 1024), tight) as small:
        inspection = await small.inspect(held, spec, LIMITS)
        rewritten, counts = await small.rewrite(held, spec, LIMITS, inspection, decision)
    assert counts.released == 101
    held.body.close()
    rewritten.close()
    assert (tight.bytes_used, tight.files_open) == (0, 0)


async def test_redactions_do_not_wait_for_each_other_s_bodies_to_leave(tmp_path: Path) -> None:
    """Each would reserve all that its own body leaves, and have none of it while the other's lies
    there."""
    tight = Spool(SpoolSettings(tmp_path / "tight", limit=1 << 20, memory=1024, wait=30))
    held = [response(tight, body(6_000)) for _ in range(2)]
    masked = structs.replace(REDACT, mask=masks("$.n"))
    async with running(InspectionSettings(2, 1024), tight) as small:
        inspection = await small.inspect(held[0], SPEC, LIMITS)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(small.rewrite(one, SPEC, LIMITS, inspection, masked))
                for one in held
            ]
    for one, task in zip(held, tasks, strict=True):
        rewritten, counts = task.result()
        assert counts.released == 3_000
        rewritten.close()
        one.body.close()
    assert (tight.bytes_used, tight.files_open) == (0, 0)


async def test_redactions_of_archives_do_not_wait_for_what_each_other_holds(
    tmp_path: Path,
) -> None:
    """Each would have the room to write into and wait for a scratch file's."""
    tight = Spool(SpoolSettings(tmp_path / "tight", limit=1 << 20, memory=1024, wait=30))
    spec = BodySpec(Format.TAR, members=(LINES,), compression="gzip")
    packed = gzip.compress(tarred({"a.ndjson": b'{"owner":"me"}\n', "b": os.urandom(200_000)}))
    async with running(InspectionSettings(2, 1024), tight) as small:
        held = Response((), Payload("application/gzip"), tight.keep(InMemory(packed)))
        inspection = await small.inspect(held, spec, LIMITS)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(small.rewrite(held, spec, LIMITS, inspection, REDACT))
                for _ in range(3)
            ]
    for task in tasks:
        rewritten, counts = task.result()
        assert (counts.released, counts.redacted) == (1, 1)
        rewritten.close()
    assert (tight.bytes_used, tight.files_open) == (0, 0)


@pytest.mark.parametrize("count", [2, 10_000], ids=["in the loop", "in a worker"])
@pytest.mark.parametrize("codings", [(), ("gzip",)], ids=["plain", "gzip"])
async def test_the_result_is_the_same_wherever_a_body_is_read(
    dispatch: Dispatch, spool: Spool, count: int, codings: tuple[str, ...]
) -> None:
    data = gzip.compress(body(count)) if codings else body(count)
    held = response(spool, data, *codings)
    inspection = await dispatch.inspect(held, SPEC, LIMITS)
    assert {group.owners[0].value: group.records for group in inspection.groups} == {
        "me": count // 2,
        "foreign": count // 2,
    }
    odd = tuple(range(1, count, 2))[:8]
    assert {group.owners[0].value: group.first for group in inspection.groups} == {
        "me": tuple(place - 1 for place in odd),
        "foreign": odd,
    }
    rewritten, counts = await dispatch.rewrite(held, SPEC, LIMITS, inspection, REDACT)
    assert (counts.released, counts.redacted) == (count // 2, count // 2)
    kept = rewritten.stored.pread(rewritten.size, 0)
    kept = gzip.decompress(kept) if codings else kept
    assert {record["owner"] for record in json.loads(kept)} == {"me"}
    held.body.close()
    rewritten.close()
    assert (spool.bytes_used, spool.files_open) == (0, 0)


async def test_a_refusal_in_a_worker_arrives_with_its_code_and_note(
    dispatch: Dispatch, spool: Spool
) -> None:
    held = response(spool, body(10_000)[:-1])
    with pytest.raises(BadUpstream) as refused:
        await dispatch.inspect(held, SPEC, LIMITS)
    assert refused.value.code is Code.BODY_MALFORMED
    held.body.close()


LINES = MemberSpec("*.ndjson", Format.NDJSON, subject=({"account": ("$.owner",)},))


@pytest.mark.parametrize("count", [2, 10_000], ids=["in memory", "on disk"])
async def test_a_compressed_archive_has_a_scratch_file_as_long_as_it_is_read(
    dispatch: Dispatch, spool: Spool, count: int
) -> None:
    lines = b"".join(b'{"owner":"%s"}\n' % (b"me", b"foreign")[n % 2] for n in range(count))
    spec = BodySpec(Format.TAR, members=(LINES,), compression="gzip")
    noise = os.urandom(9_000)
    writer = spool.writer()
    writer.write(gzip.compress(tarred({"a.ndjson": lines, "noise": noise}, mtime=0)))
    held = Response((), Payload("application/gzip"), writer.finish())
    used = spool.bytes_used
    inspection = await dispatch.inspect(held, spec, LIMITS)
    assert inspection.records == count + 1 and spool.bytes_used == used
    rewritten, counts = await dispatch.rewrite(held, spec, LIMITS, inspection, REDACT)
    assert (counts.released, counts.redacted) == (count // 2, count // 2 + 1)
    kept = untarred(gzip.decompress(rewritten.stored.pread(rewritten.size, 0)))
    assert kept == {"a.ndjson": b'{"owner":"me"}\n' * (count // 2)}
    held.body.close()
    rewritten.close()
    assert (spool.bytes_used, spool.files_open) == (0, 0)


async def test_an_archive_that_unfolds_beyond_the_scratch_file_is_refused(spool: Spool) -> None:
    settings = InspectionSettings(workers=1, scratch=20_000)
    small = Dispatch(settings, spool)
    await small.start()
    try:
        spec = BodySpec(Format.TAR, members=(LINES,), compression="gzip")
        for size, fits in ((1_000, True), (30_000, False)):
            body = gzip.compress(tarred({"noise": bytes(size)}, mtime=0))
            held = Response((), Payload("application/gzip"), spool.keep(InMemory(body)))
            if fits:
                assert (await small.inspect(held, spec, LIMITS)).records == 1
                continue
            with pytest.raises(BadUpstream) as refused:
                await small.inspect(held, spec, LIMITS)
            assert refused.value.code is Code.BODY_TOO_LARGE
        assert spool.files_open == 0
    finally:
        await small.stop()


@pytest.mark.parametrize("count", [2, 10_000], ids=["in the loop", "in a worker"])
async def test_pseudonyms_are_the_same_wherever_they_are_made(
    spool: Spool, tmp_path: Path, count: int
) -> None:
    secret = tmp_path / "mask-key"
    secret.write_bytes(bytes(32))
    secret.chmod(0o600)
    masked = structs.replace(REDACT, mask=(Mask("$.n", pseudonym=True), Mask("$.x", text="é" * 64)))
    held = response(spool, body(count))
    async with running(InspectionSettings(1, 1024, pseudonym_key_file=secret), spool) as dispatch:
        inspection = await dispatch.inspect(held, SPEC, LIMITS)
        rewritten, _ = await dispatch.rewrite(held, SPEC, LIMITS, inspection, masked)
    first = json.loads(rewritten.stored.pread(rewritten.size, 0))[0]
    expected = masking.of_json(Mask("$.n", pseudonym=True), b"0", masking.derive(bytes(32)))
    assert first == {"owner": "me", "n": json.loads(expected)}
    async with running(InspectionSettings(1, 1024), spool) as dispatch:
        with pytest.raises(BadUpstream) as refused:
            await dispatch.rewrite(held, SPEC, LIMITS, inspection, masked)
    assert refused.value.code is Code.REDACTION_UNSUPPORTED
    held.body.close()
    rewritten.close()


async def test_a_rewritten_body_has_room_for_what_its_masks_make(spool: Spool) -> None:
    """One byte becomes 770, in each of many records: the space is reckoned by the record."""
    held = response(spool, json.dumps([{"owner": "me", "n": 1}] * 5000).encode())
    masked = structs.replace(REDACT, mask=(Mask("$.n", text="\U0001f600" * 64),))
    async with running(InspectionSettings(1, 1024), spool) as dispatch:
        inspection = await dispatch.inspect(held, SPEC, LIMITS)
        rewritten, _ = await dispatch.rewrite(held, SPEC, LIMITS, inspection, masked)
    assert rewritten.size > 5000 * 12 * 64
    held.body.close()
    rewritten.close()


def test_a_key_that_can_not_be_used_is_said(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        Dispatch(InspectionSettings(pseudonym_key_file=tmp_path / "absent"), spool)


async def test_a_rewrite_that_is_refused_gives_its_space_back(
    dispatch: Dispatch, spool: Spool
) -> None:
    held = response(spool, body(10_000))
    inspection = await dispatch.inspect(held, SPEC, LIMITS)
    spec = BodySpec(Format.JSON, records="$", subject=({"account": ("$[*].owner",)},))
    with pytest.raises(BadUpstream):
        await dispatch.rewrite(held, spec, LIMITS, inspection, REDACT)
    assert spool.files_open == 1
    held.body.close()


async def test_a_body_that_takes_too_long_is_refused_and_the_next_one_is_read(
    spool: Spool,
) -> None:
    dispatch = Dispatch(InspectionSettings(workers=1, inline=0, deadline=0.5), spool)
    await dispatch.start()
    try:
        pid = dispatch.pids()[0]
        os.kill(pid, signal.SIGSTOP)
        held = response(spool, body(4))
        with pytest.raises(Late) as late:
            await dispatch.inspect(held, SPEC, LIMITS)
        assert late.value.code is Code.INSPECTION_TIMEOUT
        assert (await dispatch.inspect(held, SPEC, LIMITS)).records == 4
    finally:
        await dispatch.stop()


async def test_documents_in_texts_are_not_read_in_the_event_loop(spool: Spool) -> None:
    """Thousands of them may be in a small body."""
    document = EmbeddedSpec(("$.p",), Format.JSON)
    async with running(InspectionSettings(workers=1, inline=1024, deadline=0.5), spool) as dispatch:
        os.kill(dispatch.pids()[0], signal.SIGSTOP)
        held = response(spool, body(4))
        assert (await dispatch.inspect(held, SPEC, LIMITS)).records == 4
        with pytest.raises(Late):
            await dispatch.inspect(held, replace(SPEC, embedded=(document,)), LIMITS)


BY_LINE = BodySpec(Format.NDJSON, subject=({"account": ("$.owner",)},))


def lined(spool: Spool, count: int, *codings: str) -> tuple[Response, bytes]:
    """Every other line is foreign; and the lines that aren't."""
    mine, foreign = (b'{"owner":"%b","n":"%b"}\n' % (each, b"x" * 60) for each in (b"me", b"you"))
    data = (mine + foreign) * (count // 2)
    writer = spool.writer()
    writer.write(gzip.compress(data, 0) if codings else data)
    return (
        Response((), Payload("application/x-ndjson", None, codings), writer.finish()),
        mine * (count // 2),
    )


@pytest.mark.parametrize("tight", [False, True], ids=["an index", "no room for one"])
async def test_lines_are_dropped_with_and_without_an_index(tmp_path: Path, tight: bool) -> None:
    """It stands behind the body as long as that is there, and never where it would take of the half
    that redactions have."""
    size = lined(Spool(SpoolSettings(tmp_path / "other")), 10_000)[0].body.size
    limit = size * 5 // 3 if tight else 1 << 30
    spool = Spool(SpoolSettings(tmp_path / "spool", limit=limit, memory=1024, wait=1))
    held, mine = lined(spool, 10_000)
    async with running(InspectionSettings(1, 1024), spool) as dispatch:
        inspection = await dispatch.inspect(held, BY_LINE, LIMITS)
        assert isinstance(held.body.held, Held)
        index = held.body.held.index
        assert (index == 0) is tight
        assert spool.bytes_used == size + index
        rewritten, counts = await dispatch.rewrite(held, BY_LINE, LIMITS, inspection, REDACT)
    assert (counts.released, counts.redacted) == (5_000, 5_000)
    assert rewritten.stored.pread(rewritten.size, 0) == mine
    held.body.close()
    rewritten.close()
    assert (spool.bytes_used, spool.files_open) == (0, 0)


async def test_an_index_takes_no_room_that_a_redaction_waits_for(tmp_path: Path) -> None:
    """Each redaction needs the half that the bodies leave, and would wait for the other's index."""
    size = lined(Spool(SpoolSettings(tmp_path / "other")), 10_000)[0].body.size
    limit = 4 * size + size // 8
    tight = Spool(SpoolSettings(tmp_path / "tight", limit=limit, memory=1024, wait=30))
    bodies = [lined(tight, 10_000)[0] for _ in range(2)]

    async def redact(one: Response, inspection: Inspection) -> None:
        rewritten, counts = await small.rewrite(one, BY_LINE, LIMITS, inspection, REDACT)
        assert counts.released == 5_000
        rewritten.close()

    async with running(InspectionSettings(2, 1024), tight) as small:
        found = [await small.inspect(one, BY_LINE, LIMITS) for one in bodies]
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            for one, inspection in zip(bodies, found, strict=True):
                group.create_task(redact(one, inspection))
    for one in bodies:
        one.body.close()
    assert (tight.bytes_used, tight.files_open) == (0, 0)


async def test_an_index_that_is_of_another_body_lets_nothing_pass(
    dispatch: Dispatch, spool: Spool
) -> None:
    held, _ = lined(spool, 10_000)
    inspection = await dispatch.inspect(held, BY_LINE, LIMITS)
    assert isinstance(held.body.stored, OnDisk)
    os.pwrite(held.body.stored.fd, bytes(8), held.body.size)
    with pytest.raises(InternalError):
        await dispatch.rewrite(held, BY_LINE, LIMITS, inspection, REDACT)
    held.body.close()
    assert (spool.bytes_used, spool.files_open) == (0, 0)


@pytest.mark.parametrize("index", [-1, 1 << 40])
async def test_a_worker_that_says_it_wrote_what_it_may_not_is_not_believed(
    dispatch: Dispatch, spool: Spool, monkeypatch: pytest.MonkeyPatch, index: int
) -> None:
    """The spool's room would be counted wrong."""
    held, _ = lined(spool, 10_000)
    inspection = await dispatch.inspect(held, BY_LINE, LIMITS)

    async def answered(*_: object) -> Inspected:
        return Inspected(inspection, index)

    monkeypatch.setattr(dispatch, "_call", answered)
    with pytest.raises(InternalError):
        await dispatch.inspect(held, BY_LINE, LIMITS)
    held.body.close()
    assert (spool.bytes_used, spool.files_open) == (0, 0)


async def test_what_is_coded_and_what_is_no_lines_has_no_index(
    dispatch: Dispatch, spool: Spool
) -> None:
    plain, coded = lined(spool, 10_000)[0], lined(spool, 10_000, "gzip")[0]
    for held, spec in ((plain, BY_LINE), (coded, BY_LINE), (response(spool, body(10_000)), SPEC)):
        await dispatch.inspect(held, spec, LIMITS)
        assert isinstance(held.body.held, Held)
        assert (held.body.held.index > 0) is (held is plain)
        assert held.body.held.reserved == held.body.size + held.body.held.index
        held.body.close()
    assert (spool.bytes_used, spool.files_open) == (0, 0)


@pytest.fixture
def _halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies of any size are read in halves, at any time."""
    monkeypatch.setattr(halves, "LEAST", 2)
    monkeypatch.setattr(halves, "PAUSE", 0.0)


@pytest.mark.usefixtures("_halved")
@pytest.mark.parametrize("tight", [False, True], ids=["indexes", "no room for them"])
async def test_two_workers_read_the_halves_of_a_body_of_lines(tmp_path: Path, tight: bool) -> None:
    """With the result of one."""
    size = lined(Spool(SpoolSettings(tmp_path / "other")), 10_000)[0].body.size
    limit = size * 5 // 3 if tight else 1 << 30
    spool = Spool(SpoolSettings(tmp_path / "spool", limit=limit, memory=1024, wait=1))
    held, mine = lined(spool, 10_000)
    async with running(InspectionSettings(1, 1024), spool) as alone:
        whole = await alone.inspect(held, BY_LINE, LIMITS)
    async with running(InspectionSettings(2, 1024), spool) as dispatch:
        inspection = await dispatch.inspect(held, BY_LINE, LIMITS)
        assert inspection == whole
        assert isinstance(held.body.held, Held)
        assert len(held.body.held.parts) == (0 if tight else 2)
        assert held.body.held.reserved == spool.bytes_used == size + held.body.held.index
        rewritten, counts = await dispatch.rewrite(held, BY_LINE, LIMITS, inspection, REDACT)
        assert counts == Counts(seen=10_000, released=5_000, redacted=5_000)
        assert rewritten.stored.pread(size, 0) == mine
        rewritten.close()
        masked = structs.replace(REDACT, mask=masks("$.n"))
        rewritten, counts = await dispatch.rewrite(held, BY_LINE, LIMITS, inspection, masked)
        assert counts.released == 5_000
        assert rewritten.stored.pread(size, 0) == mine.replace(b'"%b"' % (b"x" * 60), b"null")
    held.body.close()
    rewritten.close()
    assert (spool.bytes_used, spool.files_open) == (0, 0)


@pytest.mark.usefixtures("_halved")
async def test_a_body_that_is_refused_in_halves_is_refused_as_a_whole(spool: Spool) -> None:
    """By the number of its line; and where an index would have been, nothing is."""
    held, _ = lined(spool, 10_000)
    assert isinstance(held.body.stored, OnDisk)
    os.pwrite(held.body.stored.fd, b"!", held.body.size - 2)
    async with running(InspectionSettings(2, 1024), spool) as dispatch:
        with pytest.raises(BadUpstream) as refused:
            await dispatch.inspect(held, BY_LINE, LIMITS)
    assert "line 10000 " in refused.value.note
    held.body.close()
    assert (spool.bytes_used, spool.files_open) == (0, 0)


@pytest.mark.usefixtures("_halved")
async def test_where_one_half_has_no_index_a_redaction_parses(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other half's takes its room all the same."""
    lines = [b'{"owner":"%b"}\n' % each for each in (b"me", b"you")]
    data = lines[0] * 10_000 + b"".join(lines) * 5_000
    writer = spool.writer()
    writer.write(data)
    held = Response((), Payload("application/x-ndjson"), writer.finish())
    monkeypatch.setattr(lineindex, "SHARE", 16)
    async with running(InspectionSettings(2, 1024), spool) as dispatch:
        inspection = await dispatch.inspect(held, BY_LINE, LIMITS)
        assert isinstance(held.body.held, Held) and held.body.held.parts == ()
        assert held.body.held.reserved == held.body.size + held.body.held.index
        assert os.fstat(held.body.held.fd).st_size <= held.body.held.reserved
        rewritten, counts = await dispatch.rewrite(held, BY_LINE, LIMITS, inspection, REDACT)
    assert rewritten.stored.pread(rewritten.size, 0) == lines[0] * 15_000
    assert counts.redacted == 5_000
    held.body.close()
    rewritten.close()
    assert (spool.bytes_used, spool.files_open) == (0, 0)


@pytest.mark.usefixtures("_halved")
async def test_a_worker_that_dies_over_a_half_is_no_reason_to_read_the_whole(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(InspectionSettings(2, 1024, deadline=0.5), spool) as dispatch:
        held, _ = lined(spool, 10_000)
        os.kill(dispatch.pids()[0], signal.SIGSTOP)
        monkeypatch.setattr(work, "scratch_needed", None)  # asked for where a whole body is read
        with pytest.raises(Late):
            await dispatch.inspect(held, BY_LINE, LIMITS)
    held.body.close()
    assert (spool.bytes_used, spool.files_open) == (0, 0)


@pytest.mark.usefixtures("_halved")
@pytest.mark.parametrize("where", [(0, 7), (1, 0)])
async def test_halves_that_do_not_meet_do_not_leave(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, where: tuple[int, int]
) -> None:
    held, _ = lined(spool, 10_000)
    async with running(InspectionSettings(2, 1024), spool) as dispatch:
        inspection = await dispatch.inspect(held, BY_LINE, LIMITS)
        answers = [Rewritten(Counts(), 6, where[0]), Rewritten(Counts(), 6, where[1])]

        async def answered(*_: object) -> Rewritten:
            return answers.pop(0)

        monkeypatch.setattr(dispatch, "_call", answered)
        with pytest.raises(InternalError):
            await dispatch.rewrite(held, BY_LINE, LIMITS, inspection, REDACT)
    held.body.close()
    assert (spool.bytes_used, spool.files_open) == (0, 0)


@pytest.mark.usefixtures("_halved")
async def test_a_body_that_comes_soon_after_another_one_is_read_as_a_whole(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small exchanges would wait for both cores."""
    monkeypatch.setattr(halves, "PAUSE", 60.0)
    small = response(spool, body(2))
    async with running(InspectionSettings(2, 1024), spool) as dispatch:
        for parts in (2, 1):
            held, _ = lined(spool, 10_000)
            await dispatch.inspect(held, BY_LINE, LIMITS)
            assert isinstance(held.body.held, Held) and len(held.body.held.parts) == parts
            held.body.close()
            monkeypatch.setattr(dispatch, "_came", -math.inf)
            await dispatch.inspect(small, SPEC, LIMITS)
    small.body.close()


@pytest.mark.usefixtures("_halved")
async def test_a_body_is_read_as_a_whole_where_a_worker_is_busy(spool: Spool) -> None:
    held, other = lined(spool, 10_000)[0], lined(spool, 10_000)[0]
    async with running(InspectionSettings(2, 1024), spool) as dispatch:
        os.kill(dispatch.pids()[0], signal.SIGSTOP)
        async with asyncio.TaskGroup() as group:
            one = group.create_task(dispatch.inspect(held, BY_LINE, LIMITS))
            while dispatch.facts().jobs < 2:
                await asyncio.sleep(0)
            two = group.create_task(dispatch.inspect(other, BY_LINE, LIMITS))
            assert await two == await dispatch.inspect(other, BY_LINE, LIMITS)
            os.kill(dispatch.pids()[0], signal.SIGCONT)
        assert one.result() == two.result()
        assert isinstance(other.body.held, Held) and len(other.body.held.parts) == 1
    for each in (held, other):
        each.body.close()
    assert (spool.bytes_used, spool.files_open) == (0, 0)
