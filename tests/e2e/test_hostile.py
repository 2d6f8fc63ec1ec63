"""Malformed and ambiguous files that nobody here wrote, through a real gateway.

What can be read is judged by the policy (403: its records name no owner); what can't be read in
one way is refused before the policy is asked (502). Nothing of either reaches the caller.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.gateway import (
    Answer,
    ExportService,
    RunningGateway,
    configuration,
    running,
    serving,
)
from tests.support.issuer import TestIssuer

pytestmark = pytest.mark.corpus

BODIES = {
    "json": ("application/json", {"format": "json"}),
    "csv": ("text/csv", {"format": "csv"}),
    "zip": (
        "application/zip",
        {"format": "zip", "members": [{"match": "no-such-member", "category": "x"}]},
    ),
}
READ = (403, "blocked_by_policy")

DUPLICATE_NAMES = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}
"""Valid by RFC 8259, read in two ways by two readers: refused on purpose."""


@dataclass(frozen=True)
class Hostile:
    """A gateway in front of a service that sends one hostile file after the other."""

    gateway: RunningGateway
    service: ExportService
    folder: Path

    async def send(self, kind: str, file: Path) -> Answer:
        self.service.answer(f"/{kind}", file.read_bytes(), BODIES[kind][0])
        answer = await self.gateway.get(f"/{kind}")
        assert answer.headers["Content-Type"] == "application/problem+json", file.name
        assert len(answer.body) < 200, file.name
        return answer


@pytest_asyncio.fixture
async def hostile(tmp_path: Path, issuer: TestIssuer, corpus: Path) -> AsyncIterator[Hostile]:
    async with AsyncExitStack() as stack:
        service = ExportService()
        upstream = await stack.enter_async_context(serving(service))
        endpoints = [
            {"name": name, "path": f"/{name}", "body": body} for name, (_, body) in BODIES.items()
        ]
        config = configuration(tmp_path, issuer, upstream, endpoints)
        gateway = await stack.enter_async_context(running(config))
        gateway.token = issuer.token()
        yield Hostile(gateway, service, corpus / "hostile")
        assert gateway.verify().ok
        assert len(gateway.entries()) == gateway.asked


async def test_jsontestsuite_is_read_or_refused_as_it_says(hostile: Hostile) -> None:
    files = sorted((hostile.folder / "jsontestsuite" / "test_parsing").glob("[yn]_*.json"))
    assert len(files) == 283
    for file in files:
        answer = await hostile.send("json", file)
        if file.name.startswith("y_") and file.name not in DUPLICATE_NAMES:
            assert (answer.status, answer.code) == READ, file.name
        else:
            assert answer.status == 502, file.name
            assert answer.code.startswith(("body_", "format_mismatch")), file.name


async def test_csv_spectrum_is_read_but_for_the_file_with_bare_quotes(hostile: Hostile) -> None:
    files = sorted((hostile.folder / "csv-spectrum" / "csvs").glob("*.csv"))
    assert len(files) == 12
    answers = {file.stem: await hostile.send("csv", file) for file in files}
    refused = {name for name, answer in answers.items() if answer.status != 403}
    assert refused == {"location_coordinates"}
    assert answers["location_coordinates"].code == "body_malformed"


async def test_every_failing_zip_of_yauzl_is_refused_and_plain_ones_are_read(
    hostile: Hostile,
) -> None:
    folder = hostile.folder / "yauzl-zip"
    failing = [*(folder / "failure").glob("*.zip"), *(folder / "wrong-entry-sizes").glob("*.zip")]
    assert len(failing) == 25
    for file in failing:
        assert (await hostile.send("zip", file)).status == 502, file.name
    for name in ("deflate", "linux-info-zip", "windows-7-zip", "streaming", "zip64"):
        answer = await hostile.send("zip", folder / "success" / f"{name}.zip")
        assert (answer.status, answer.code) == READ, name
