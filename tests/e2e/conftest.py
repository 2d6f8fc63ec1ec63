"""One issuer, one scripted export service, and a gateway for each engine, shared by a module."""

import csv
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
from tests.support.parquets import read, written

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
            case "parquet":
                return written({"n": [*range(len(owners))], "customer_id": [*owners]})
            case "xml":
                root = ElementTree.Element("export", v="1")
                for n, o in enumerate(owners):
                    order = ElementTree.SubElement(root, "order", n=str(n))
                    ElementTree.SubElement(order, "customer").text = o
                return ElementTree.tostring(root, "UTF-8", xml_declaration=True)
            case _:
                return _archive(owners)

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
            case "parquet":
                return [row["customer_id"] for row in read(body)]
            case "xml":
                found = ElementTree.fromstring(body).findall("order/customer")
                return [each.text or "" for each in found]
            case _:
                with zipfile.ZipFile(io.BytesIO(body)) as archive:
                    assert archive.testzip() is None
                    listed = json.loads(archive.read("manifest.json"))["recordings"]
                    names = {name for name in archive.namelist() if name.endswith(".wav")}
                    assert names == {entry["file"] for entry in listed}
                    return [entry["customer_id"] for entry in listed]


def _archive(owners: tuple[str, ...]) -> bytes:
    buffer = io.BytesIO()
    entries = [
        {"customer_id": owner, "file": f"recordings/{n}.wav"} for n, owner in enumerate(owners)
    ]
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps({"recordings": entries}))
        for n, owner in enumerate(owners):
            archive.writestr(f"recordings/{n}.wav", f"RIFF voice of {owner}".encode() * 20)
    return buffer.getvalue()


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
    "parquet": Export(
        "/exports/parquet",
        "application/vnd.apache.parquet",
        {"format": "parquet", "subject": {"account": "customer_id"}},
    ),
    "zip": Export(
        "/exports/zip",
        "application/zip",
        {
            "format": "zip",
            "members": [
                {
                    "match": "manifest.json",
                    "format": "json",
                    "records": "$.recordings[*]",
                    "subject": {"account": "$.customer_id"},
                    "vouches_for": "$.file",
                },
                {"match": "recordings/*.wav", "attribution": "manifest"},
            ],
        },
    ),
}


def endpoints(prefix: str = "") -> list[dict[str, Any]]:
    """Every export twice: as `<name>`, which blocks, and as `<name>-partial`, which redacts."""
    return [
        {"name": f"{name}{suffix}", "path": f"{export.path}{suffix}", "body": export.body}
        for name, export in EXPORTS.items()
        for suffix in ("", "-partial")
    ]


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
            tmp_path, issuer, upstream, endpoints(), deployment=deployment, policy=policy
        )
        gateway = await stack.enter_async_context(running(config))
        gateway.token = issuer.token(sub=ME)
        yield World(gateway, service, issuer)
