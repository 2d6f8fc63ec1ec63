"""One issuer, one scripted export service, and a gateway for each engine, shared by a module."""

import base64
import csv
import email
import gzip
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import icalendar
import mt940
import pytest
import pytest_asyncio
import vobject
from ofxtools.Parser import OFXTree

from tests.support.gateway import ExportService, RunningGateway, configuration, running, serving
from tests.support.issuer import TestIssuer
from tests.support.multiparts import BOUNDARY, by_email, files
from tests.support.opa import running_opa
from tests.support.parquets import read, written
from tests.support.tars import tarred, untarred
from tests.support.workbooks import TYPE, by_calamine, saved
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
                if self.body.get("embedded"):
                    lines = [_enclosing(line) for line in lines]
                return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
            case "fhir":
                return _fhir(owners, self.body.get("lines", False))
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
            case "xlsx":
                return saved({"Orders": [("n", "customer_id"), *enumerate(owners)]})
            case "vcard" | "icalendar" | "mt940" | "ofx" as name:
                before, each, after = LINES[name]
                return (before + "".join(map(each.format, owners)) + after).encode()
            case "xml":
                root = ElementTree.Element("export", v="1")
                for n, o in enumerate(owners):
                    order = ElementTree.SubElement(root, "order", n=str(n))
                    ElementTree.SubElement(order, "customer").text = o
                return ElementTree.tostring(root, "UTF-8", xml_declaration=True)
            case "mbox":
                return b"".join(b"%b%b\n" % (_FROM, _message(owner)) for owner in owners)
            case "eml":
                return _message(*owners)
            case "tar" if self.body.get("compression"):
                return gzip.compress(tarred(_members(owners)), mtime=0)
            case "tar":
                return tarred(_members(owners))
            case "multipart":
                return files(_members(owners))
            case _:
                return zipped(_members(owners), zipfile.ZIP_DEFLATED)

    def owners(self, body: bytes) -> list[str]:
        """Whose records a delivered body holds, read by the standard library."""
        match self.body["format"]:
            case "json":
                return [record["customer"]["id"] for record in json.loads(body)["orders"]]
            case "ndjson":
                lines = [json.loads(line) for line in body.splitlines()]
                return [_enclosed(line)["customer"]["id"] for line in lines]
            case "fhir":
                text = body.decode()
                if self.body.get("lines"):
                    resources = [json.loads(line) for line in text.splitlines()]
                else:
                    resources = [each["resource"] for each in json.loads(text)["entry"]]
                return [each["subject"]["identifier"]["value"] for each in resources]
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
            case "xlsx":
                return [owner for _, owner in by_calamine(body)["Orders"][1:]]
            case "vcard":
                cards = vobject.readComponents(body.decode())
                return [card.email.value for card in cards]
            case "icalendar":
                events = icalendar.Calendar.from_ical(body).events
                return [str(event["ORGANIZER"]).removeprefix("mailto:") for event in events]
            case "mt940":
                messages = body.decode().split(":20:")[1:]
                parsed = [mt940.parse(f":20:{message}") for message in messages]
                return [each.data["account_identification"] for each in parsed]
            case "ofx":
                tree = OFXTree()
                tree.parse(io.BytesIO(body))
                return [each.account.acctid for each in tree.convert().statements]
            case "xml":
                found = ElementTree.fromstring(body).findall("order/customer")
                return [each.text or "" for each in found]
            case "mbox" | "eml":
                texts = body.split(_FROM)[1:] if body.startswith(_FROM) else [body]
                messages = [email.message_from_bytes(text, policy=default) for text in texts]
                return [str(message["X-Customer"]) for message in messages]
            case _:
                plain = gzip.decompress(body) if self.body.get("compression") else body
                files = _READERS[self.body["format"]](plain)
                listed = json.loads(files.pop("manifest.json"))["recordings"]
                assert set(files) == {entry["file"] for entry in listed}
                return [entry["customer_id"] for entry in listed]


_ACCOUNTS = "https://id.example.org/accounts"


def _fhir(owners: tuple[str, ...], lines: bool) -> bytes:
    resources = [
        {
            "resourceType": "Observation",
            "id": str(n),
            "subject": {"identifier": {"system": _ACCOUNTS, "value": owner}},
        }
        for n, owner in enumerate(owners)
    ]
    if lines:
        return b"".join(json.dumps(each).encode() + b"\n" for each in resources)
    entries = [
        {"fullUrl": f"https://fhir.example.org/r4/Observation/{each['id']}", "resource": each}
        for each in resources
    ]
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    link = [{"relation": "self", "url": "https://fhir.example.org/r4/Observation"}]
    return json.dumps({**bundle, "link": link, "entry": entries}, indent=1).encode()


_READERS: dict[str, Callable[[bytes], dict[str, bytes]]] = {
    "tar": untarred,
    "zip": unzipped,
    "multipart": lambda body: {str(name): content for name, content in by_email(body)},
}

_FROM = b"From shop@example.org Sat Nov 28 08:57:42 2026\n"


def _enclosing(record: dict[str, Any]) -> dict[str, Any]:
    """A record that is a text in another one, and a table in base64 of the same owner."""
    table = f"customer_id,n\r\n{json.dumps(record['customer']['id'])},1\r\n"
    return {"payload": json.dumps(record), "file": base64.b64encode(table.encode()).decode()}


def _enclosed(line: Any) -> Any:
    return json.loads(line["payload"]) if "payload" in line else line


def _message(owner: str) -> bytes:
    message = EmailMessage()
    message["X-Customer"] = owner
    message["To"] = '"Doe, Jane" <jane@example.org>'
    message["Subject"] = "Ihre Bestellung \u2013 danke"
    message.set_content("Hello,\n\nhere it is.\n")
    message.add_attachment(b"a,b\n", maintype="text", subtype="csv", filename="order.csv")
    message.set_boundary("=_part")
    return message.as_bytes()


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

LINES = {
    "vcard": ("", "BEGIN:VCARD\r\nVERSION:3.0\r\nEMAIL;TYPE=home:{}\r\nEND:VCARD\r\n", ""),
    "icalendar": (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//a//b\r\n",
        "BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260701T100000Z\r\n"
        "ORGANIZER;CN=Name:mailto:{}\r\nEND:VEVENT\r\n",
        "END:VCALENDAR\r\n",
    ),
    "mt940": (
        "",
        ":20:STARTUMS\r\n:25:{}\r\n:28C:1/1\r\n:60F:C260630EUR1,00\r\n:62F:C260731EUR1,00\r\n-\r\n",
        "",
    ),
    "ofx": (
        "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nSECURITY:NONE\nENCODING:USASCII\nCHARSET:1252\n"
        "COMPRESSION:NONE\nOLDFILEUID:NONE\nNEWFILEUID:NONE\n\n<OFX><SIGNONMSGSRSV1><SONRS><STATUS>"
        "<CODE>0<SEVERITY>INFO</STATUS><DTSERVER>20260701<LANGUAGE>ENG</SONRS></SIGNONMSGSRSV1>\n"
        "<BANKMSGSRSV1>\n",
        "<STMTTRNRS><TRNUID>1<STATUS><CODE>0<SEVERITY>INFO</STATUS><STMTRS><CURDEF>EUR<BANKACCTFROM>"
        "<BANKID>1<ACCTID>{}<ACCTTYPE>CHECKING</BANKACCTFROM><LEDGERBAL><BALAMT>1.00"
        "<DTASOF>20260630</LEDGERBAL></STMTRS></STMTTRNRS>\n",
        "</BANKMSGSRSV1></OFX>\n",
    ),
}
"""What stands before the records, one of them, and what stands behind them."""

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
    "documents": Export(
        "/exports/documents",
        "application/x-ndjson",
        {
            "format": "ndjson",
            "embedded": [
                {"at": "$.payload", "format": "json", "subject": {"account": "$.customer.id"}},
                {
                    "at": "$.file",
                    "transfer": "base64",
                    "format": "csv",
                    "subject": {"account": "customer_id"},
                },
            ],
            "undeclared": "refuse",
        },
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
    "xlsx": Export(
        "/exports/xlsx", TYPE, {"format": "xlsx", "subject": {"account": "customer_id"}}
    ),
    "vcard": Export(
        "/exports/vcard", "text/vcard", {"format": "vcard", "subject": {"account": "EMAIL"}}
    ),
    "icalendar": Export(
        "/exports/icalendar",
        "text/calendar",
        {"format": "icalendar", "subject": {"account": "ORGANIZER"}},
    ),
    "mt940": Export(
        "/exports/mt940",
        "application/x-mt940",
        {"format": "mt940", "subject": {"account": ":25:"}},
    ),
    "ofx": Export(
        "/exports/ofx", "application/ofx", {"format": "ofx", "subject": {"account": "ACCTID"}}
    ),
    "fhir": Export(
        "/exports/fhir",
        "application/fhir+json",
        {"format": "fhir", "subject": {"account": _ACCOUNTS}},
    ),
    "fhir-lines": Export(
        "/exports/fhir-lines",
        "application/fhir+ndjson",
        {"format": "fhir", "lines": True, "subject": {"account": _ACCOUNTS}},
    ),
    "zip": Export("/exports/zip", "application/zip", {"format": "zip", "members": _VOICES}),
    "tar": Export("/exports/tar", "application/x-tar", {"format": "tar", "members": _VOICES}),
    "multipart": Export(
        "/exports/multipart",
        f'multipart/form-data; boundary="{BOUNDARY}"',
        {"format": "multipart", "members": _VOICES},
    ),
    "mbox": Export(
        "/exports/mbox",
        "application/mbox",
        {"format": "mbox", "subject": {"account": "X-Customer"}},
    ),
    "tar-gz": Export(
        "/exports/tar-gz",
        "application/gzip",
        {"format": "tar", "compression": "gzip", "members": _VOICES},
    ),
}

MESSAGE = Export(
    "/exports/eml", "message/rfc822", {"format": "eml", "subject": {"account": "X-Customer"}}
)
"""One record that is the whole body: it passes or it doesn't."""


def endpoints(prefix: str = "") -> list[dict[str, Any]]:
    """Every export twice: as `<name>`, which blocks, and as `<name>-partial`, which redacts."""
    return [
        {"name": f"{name}{suffix}", "path": f"{export.path}{suffix}", "body": export.body}
        for name, export in {**EXPORTS, "eml": MESSAGE}.items()
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
    "partial": {f"{name}-partial": "redact" for name in (*EXPORTS, "eml")},
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
