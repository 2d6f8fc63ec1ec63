"""One issuer, one scripted export service, and a gateway for each engine, shared by a module."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import pytest_asyncio

from tests.support.gateway import ExportService, RunningGateway, configuration, running, serving
from tests.support.issuer import TestIssuer
from tests.support.opa import running_opa
from tests.support.tars import tarred, untarred
from tests.support.zips import unzipped, zipped

ME, FOREIGN = "A1", "A9-canary-foreign"


@dataclass(frozen=True)
class Export:
    """One endpoint: its configuration, and bodies of any owners."""

    path: str
    media_type: str
    body: Mapping[str, Any]

    def of(self, *owners: str) -> bytes:
        """A body with one record for each owner, in order."""
        match self.body["format"]:
            case "json":
                records = [{"customer": {"id": o}, "n": n} for n, o in enumerate(owners)]
                return json.dumps({"orders": records}, indent=1).encode()
            case "ndjson":
                lines = [{"customer": {"id": o}, "n": n} for n, o in enumerate(owners)]
                return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
            case "json-seq" | "sse":
                before, after = (b"\x1e", b"\n") if "seq" in self.path else (b"data: ", b"\n\n")
                lines = [{"customer": {"id": o}, "n": n} for n, o in enumerate(owners)]
                return b"".join(before + json.dumps(line).encode() + after for line in lines)
            case "javascript":
                records = [{"customer": {"id": o}, "n": n} for n, o in enumerate(owners)]
                return b"window.YTD.orders.part0 = " + json.dumps(records, indent=1).encode()
            case "csv":
                text = io.StringIO()
                table = csv.writer(text)
                table.writerow(["n", "customer_id", "note"])
                table.writerows([n, o, 'a "quoted", note'] for n, o in enumerate(owners))
                return text.getvalue().encode()
            case "xml":
                root = ElementTree.Element("export", v="1")
                for n, o in enumerate(owners):
                    order = ElementTree.SubElement(root, "order", n=str(n))
                    ElementTree.SubElement(order, "customer").text = o
                return ElementTree.tostring(root, "UTF-8", xml_declaration=True)
            case "tar" if self.body.get("compression"):
                return gzip.compress(tarred(_members(owners)), mtime=0)
            case "tar":
                return tarred(_members(owners))
            case _:
                return zipped(_members(owners), zipfile.ZIP_DEFLATED)

    def owners(self, body: bytes) -> list[str]:
        """Whose records a delivered body holds, read by the standard library."""
        match self.body["format"]:
            case "json":
                return [record["customer"]["id"] for record in json.loads(body)["orders"]]
            case "ndjson":
                return [json.loads(line)["customer"]["id"] for line in body.splitlines()]
            case "json-seq" | "sse":
                before = b"\x1e" if "seq" in self.path else b"data: "
                lines = [line.removeprefix(before) for line in body.splitlines() if line]
                return [json.loads(line)["customer"]["id"] for line in lines]
            case "javascript":
                records = json.loads(body.partition(b" = ")[2])
                return [record["customer"]["id"] for record in records]
            case "csv":
                rows = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
                return [row["customer_id"] for row in rows]
            case "xml":
                found = ElementTree.fromstring(body).findall("order/customer")
                return [each.text or "" for each in found]
            case _:
                plain = gzip.decompress(body) if self.body.get("compression") else body
                files = (untarred if self.body["format"] == "tar" else unzipped)(plain)
                listed = json.loads(files.pop("manifest.json"))["recordings"]
                assert set(files) == {entry["file"] for entry in listed}
                return [entry["customer_id"] for entry in listed]


def _members(owners: tuple[str, ...]) -> dict[str, bytes]:
    """A manifest, and a recording of each owner."""
    voices = {
        f"recordings/{n}.wav": f"RIFF voice of {owner}".encode() * 20
        for n, owner in enumerate(owners)
    }
    listed = [
        {"customer_id": owner, "file": name} for owner, name in zip(owners, voices, strict=True)
    ]
    return {"manifest.json": json.dumps({"recordings": listed}).encode(), **voices}


_VOICES = [
    {
        "match": "manifest.json",
        "format": "json",
        "records": "$.recordings[*]",
        "subject": {"account": "$.customer_id"},
        "vouches_for": "$.file",
    },
    {"match": "recordings/*.wav", "attribution": "manifest"},
]

EXPORTS = {
    "json": Export(
        "/exports/json",
        "application/json",
        {"format": "json", "records": "$.orders[*]", "subject": {"account": "$.customer.id"}},
    ),
    "ndjson": Export(
        "/exports/ndjson",
        "application/x-ndjson",
        {"format": "ndjson", "subject": {"account": "$.customer.id"}},
    ),
    "json-seq": Export(
        "/exports/json-seq",
        "application/json-seq",
        {"format": "json-seq", "subject": {"account": "$.customer.id"}},
    ),
    "sse": Export(
        "/exports/sse",
        "text/event-stream",
        {"format": "sse", "subject": {"account": "$.customer.id"}},
    ),
    "javascript": Export(
        "/exports/javascript",
        "text/javascript",
        {"format": "javascript", "records": "$[*]", "subject": {"account": "$.customer.id"}},
    ),
    "csv": Export(
        "/exports/csv", "text/csv", {"format": "csv", "subject": {"account": "customer_id"}}
    ),
    "xml": Export(
        "/exports/xml",
        "application/xml",
        {"format": "xml", "records": "/export/order", "subject": {"account": "customer"}},
    ),
    "zip": Export("/exports/zip", "application/zip", {"format": "zip", "members": _VOICES}),
    "tar": Export("/exports/tar", "application/x-tar", {"format": "tar", "members": _VOICES}),
    "tar-gz": Export(
        "/exports/tar-gz",
        "application/gzip",
        {"format": "tar", "compression": "gzip", "members": _VOICES},
    ),
}


def endpoints(prefix: str = "") -> list[dict[str, Any]]:
    """Every export twice: as `<name>`, which blocks, and as `<name>-partial`, which redacts."""
    return [
        {"name": f"{name}{suffix}", "path": f"{export.path}{suffix}", "body": export.body}
        for name, export in EXPORTS.items()
        for suffix in ("", "-partial")
    ]


PHOTO = {
    "name": "photo",
    "path": "/exports/photo",
    "body": {
        "format": "opaque",
        "media_type": "image/jpeg",
        "subject_header": {"account": "X-Account-Id"},
    },
}

DEPLOYMENT = {
    "grounds": {"self_access": True},
    "partial": {f"{name}-partial": "redact" for name in EXPORTS},
}


@pytest.fixture(scope="session")
def issuer() -> Iterator[TestIssuer]:
    yield TestIssuer()


@dataclass(frozen=True)
class World:
    """A gateway between a service and callers."""

    gateway: RunningGateway
    service: ExportService
    issuer: TestIssuer


@pytest_asyncio.fixture(params=["embedded", "opa"])
async def world(
    request: pytest.FixtureRequest, tmp_path: Path, issuer: TestIssuer
) -> AsyncIterator[World]:
    """A ready gateway on each engine."""
    async with AsyncExitStack() as stack:
        service = ExportService()
        upstream = await stack.enter_async_context(serving(service))
        policy: dict[str, Any] = {"request_phase": True}
        deployment: dict[str, Any] | None = DEPLOYMENT
        if request.param == "opa":
            binary = request.getfixturevalue("opa_binary")
            opa = await stack.enter_async_context(running_opa(binary, tmp_path, DEPLOYMENT))
            policy |= {"engine": "opa", "opa": opa.url, "deadline": "2s"}
            deployment = None
        config = configuration(
            tmp_path,
            issuer,
            upstream,
            [*endpoints(), PHOTO],
            deployment=deployment,
            policy=policy,
        )
        gateway = await stack.enter_async_context(running(config))
        gateway.token = issuer.token(sub=ME)
        yield World(gateway, service, issuer)
