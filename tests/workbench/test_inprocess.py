"""Inspection and redaction in this process: the same work as in a worker."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from gateway.errors import BadUpstream, Code, InternalError
from gateway.inspection import work
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Decision, Effect, Format, SubjectRef
from gateway.response import Payload, Response
from gateway.spool import Spool, Spooled, SpoolSettings
from gateway.stored import InMemory, OnDisk, Stored
from gateway.workbench.inprocess import InProcess
from tests.support.reading import masks

SPEC = BodySpec(Format.NDJSON, subject=({"account": ("$.id",)},))
BODY = b'{"id":"A1"}\n{"id":"A9"}\n'
ONLY_A1 = Decision(
    Effect.REDACT, frozenset({SubjectRef("account", "A1")}), False, frozenset(), (), (), "r"
)


@pytest.fixture
def inspector(tmp_path: Path) -> InProcess:
    return InProcess(Spool(SpoolSettings(directory=tmp_path / "spool")))


@pytest.fixture(params=["memory", "disk"])
def stored(request: pytest.FixtureRequest) -> Iterator[Stored]:
    if request.param == "memory":
        yield InMemory(BODY)
        return
    with tempfile.TemporaryFile() as file:
        file.write(BODY)
        file.flush()
        yield OnDisk(file.fileno(), len(BODY))


def response(stored: Stored) -> Response:
    return Response((), Payload("application/x-ndjson"), Spooled(stored))


async def test_what_stays_is_written_wherever_the_body_lies(
    inspector: InProcess, stored: Stored
) -> None:
    inspection = await inspector.inspect(response(stored), SPEC, Limits())
    body, counts = await inspector.rewrite(response(stored), SPEC, Limits(), inspection, ONLY_A1)
    assert body.stored.pread(100, 0) == b'{"id":"A1"}\n'
    assert (counts.seen, counts.released, counts.redacted) == (2, 1, 1)


async def test_a_refusal_is_the_formats_own(inspector: InProcess) -> None:
    with pytest.raises(BadUpstream) as refused:
        await inspector.inspect(response(InMemory(b'{"id":')), SPEC, Limits())
    assert refused.value.code is Code.BODY_INCOMPLETE


async def test_a_redaction_is_read_again_before_it_counts(
    inspector: InProcess, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspection = await inspector.inspect(response(stored), SPEC, Limits())

    def betrayed(*_: object) -> None:
        raise InternalError(Code.INTERNAL_ERROR, "a withheld record is left after redaction")

    monkeypatch.setattr(work, "confirm", betrayed)
    with pytest.raises(InternalError):
        await inspector.rewrite(response(stored), SPEC, Limits(), inspection, ONLY_A1)


async def test_a_failed_redaction_gives_its_space_back(tmp_path: Path) -> None:
    spool = Spool(SpoolSettings(directory=tmp_path / "spool"))
    masking = structs.replace(ONLY_A1, mask=masks("no path"))
    with tempfile.TemporaryFile() as file:
        file.write(BODY)
        file.flush()
        body = response(OnDisk(file.fileno(), len(BODY)))
        inspector = InProcess(spool)
        inspection = await inspector.inspect(body, SPEC, Limits())
        with pytest.raises(BadUpstream):
            await inspector.rewrite(body, SPEC, Limits(), inspection, masking)
    assert (spool.bytes_used, spool.files_open) == (0, 0)
