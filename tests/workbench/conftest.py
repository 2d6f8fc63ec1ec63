"""A desk over a small configuration with the shipped policies."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.config import Config, load
from gateway.workbench.desk import Desk
from tests.config.conftest import MINIMAL, folder

__all__ = ["folder"]

ENDPOINTS = """\
  - name: voice
    path: /exports/{request_id}/voice
    methods: [GET, POST]
    body: {format: ndjson, subject: {account: "$.id"}}
  - name: rows
    path: /exports/rows
    body: {format: csv, subject: {account: customer_id}}
  - name: archive
    path: /exports/archive
    body:
      format: zip
      members:
        - {match: manifest.json, format: json, records: "$.recordings[*]",
           subject: {account: "$.customer_id"}, vouches_for: "$.file", category: voice}
        - {match: "recordings/*.wav", attribution: manifest, category: voice}
"""

DATA = """\
grounds:
  self_access: true
partial: {voice: redact, rows: redact, archive: redact}
"""


@pytest.fixture
def config_file(folder: Path) -> Path:
    """A configuration with four endpoints; three of them may be redacted."""
    (folder / "deployment.yaml").write_text(DATA)
    file = folder / "gateway.yaml"
    file.write_text(MINIMAL + ENDPOINTS + "policy: {data: deployment.yaml}\n")
    return file


@pytest.fixture
def config(config_file: Path) -> Config:
    return load(config_file, {})


@pytest_asyncio.fixture
async def desk(config: Config) -> AsyncIterator[Desk]:
    async with Desk(config) as desk:
        yield desk
