"""Whose the records of a body are, as other people's readers see it.

Each reader knows one place of the owner, the one in the bodies of `bodies`, and says for each
record whom it names: `["s:me"]` a text, `["n:42"]` a number, `[]` nobody.
"""

import base64
import csv as stdlib_csv
import email
import gzip
import io
import json
import mailbox
import re
import subprocess
import sys
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from email.utils import getaddresses
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import icalendar
import mt940
import orjson
import sseclient
import vobject
from lxml import etree
from ofxparse import OfxParser
from ofxtools.Parser import OFXTree

from gateway.model import Format
from tests.conftest import missing
from tests.differential import peers
from tests.support.workbooks import by_calamine, by_openpyxl
from tests.support.zips import tool

Records = list[list[str]]

BOM = b"\xef\xbb\xbf"


class Reader(NamedTuple):
    """`exact` where it reads integers beyond 2^53 without rounding them."""

    name: str
    read: Callable[[bytes], Records]
    exact: bool = True


def _named(value: Any) -> list[str]:
    match value:
        case str():
            return [f"s:{value}"]
        case bool() | float() | list() | dict():
            return ["?:"]
        case int():
            return [f"n:{value}"]
        case _:
            return []


def _owner(record: Any) -> list[str]:
    return _named(record.get("owner")) if isinstance(record, dict) else []


def _elements(found: Any) -> Records:
    return [_owner(record) for record in found] if isinstance(found, list) else []


def _records(found: Any) -> Records:
    return _elements(found.get("records")) if isinstance(found, dict) else []


def by_node(form: str) -> Reader:
    return Reader("node", lambda body: peers.node().ask(form, body)["records"], exact=False)


def by_go(form: str) -> Reader:
    return Reader("go", lambda body: peers.go().ask(form, body)["records"])


# JSON and what has JSON in it

_LOADS: dict[str, Callable[[bytes], Any]] = {
    "json": lambda text: json.loads(text.decode("utf-8-sig")),
    "orjson": lambda text: orjson.loads(text.removeprefix(BOM)),
}


def _by_each(read: Callable[[Callable[[bytes], Any], bytes], Records]) -> list[Reader]:
    """A reader for each library that reads JSON."""

    def reader(loads: Callable[[bytes], Any]) -> Callable[[bytes], Records]:
        return lambda body: read(loads, body)

    # orjson reads integers beyond 64 bits as floats; those are no identifiers here.
    return [Reader(name, reader(loads)) for name, loads in _LOADS.items()]


def _lines(loads: Callable[[bytes], Any], body: bytes) -> Records:
    return [_owner(loads(line)) for line in io.BytesIO(body)]


def _sequence(loads: Callable[[bytes], Any], body: bytes) -> Records:
    return [_owner(loads(text)) for text in body.split(b"\x1e")[1:]]


def _script(loads: Callable[[bytes], Any], body: bytes) -> Records:
    """What owners of an archive of Twitter's do with it."""
    return _elements(loads(body[body.index(b"=") + 1 :].rstrip(b" \t\r\n;")))


def _client(body: bytes) -> Records:
    events = sseclient.SSEClient(iter([body])).events()
    return [_owner(json.loads(event.data)) for event in events]


def _bundle(loads: Callable[[bytes], Any], body: bytes) -> Records:
    """A client that follows the references to patients, and the names of entries among them."""
    document = loads(body)
    if document["resourceType"] != "Bundle":
        return [_patients(document, {})]
    entries = document.get("entry", [])
    found = {entry.get("fullUrl"): entry["resource"] for entry in entries if "resource" in entry}
    return [_patients(entry.get("resource", {}), found) for entry in entries]


def _patients(resource: dict[str, Any], entries: dict[str | None, Any]) -> list[str]:
    if resource.get("resourceType") == "Patient":
        return [f"s:Patient/{resource['id']}"]
    owners = list[str]()
    for element in ("subject", "patient", "beneficiary"):
        if reference := resource.get(element, {}).get("reference"):
            named = entries.get(reference)
            last = named["id"] if named else reference.rpartition("/")[2]
            owners.append(f"s:Patient/{last}")
    for payor in resource.get("payor", []):
        owners.append(f"s:{payor['identifier']['value']}")
    return owners


# Tables, trees, lines


def _table(body: bytes) -> Records:
    text = io.StringIO(body.decode("utf-8-sig"), newline="")
    rows = stdlib_csv.DictReader(text, strict=True)
    return [_named(row["owner"] or None) for row in rows]


def _by_expat(body: bytes) -> Records:
    return [
        _named(found.get("owner") or None) for found in ElementTree.fromstring(body).findall("r")
    ]


def _by_libxml2(body: bytes) -> Records:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return [
        _named(found.get("owner") or None) for found in etree.fromstring(body, parser).findall("r")
    ]


def _all(values: list[Any]) -> list[str]:
    """Nobody's where one of them is empty: whom that would be isn't known."""
    names = [re.sub("^mailto:", "", str(value), flags=re.IGNORECASE) for value in values]
    return [f"s:{name}" for name in names] if all(names) else []


def _cards_by_vobject(body: bytes) -> Records:
    found = vobject.readComponents(body.decode())
    return [_all([each.value for each in card.contents.get("email", ())]) for card in found]


def _cards_by_icalendar(body: bytes) -> Records:
    found = icalendar.Component.from_ical(body, multiple=True)
    return [
        _all(
            [
                each
                for name in card
                if name.split(".")[-1] == "EMAIL"
                for each in _listed(card[name])
            ]
        )
        for card in found
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _events_by_vobject(body: bytes) -> Records:
    return [
        _all([line.value for line in found.contents.get("organizer", ())])
        for part in vobject.readComponents(body.decode())
        for name in ("vevent", "vtodo")
        for found in part.contents.get(name, ())
    ]


def _events_by_icalendar(body: bytes) -> Records:
    return [
        _all(_listed(found.get("ORGANIZER")))
        for part in icalendar.Calendar.from_ical(body, multiple=True)
        for found in part.subcomponents
        if found.name in ("VEVENT", "VTODO")
    ]


def _statements(body: bytes) -> Records:
    texts = re.split(r"(?m)^(?=:20:)|(?<=\{4:\r\n)(?=:20:)", body.decode())
    found = [mt940.parse(text).data["account_identification"] for text in texts if ":20:" in text]
    return [_named(account) for account in found]


@cache
def _tryton() -> Any:
    """The reader of Tryton, whose module has the other one's name."""
    path = Path(sys.prefix) / "beside" / "mt940" / "__init__.py"
    if not path.is_file():
        missing("there is no mt940 beside the environment: make venv")
    spec = spec_from_file_location("tryton_mt940", path)
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _by_tryton(body: bytes) -> Records:
    if b":25P:" in body:
        raise peers.Unreadable("it knows :25: only")
    lines = io.TextIOWrapper(io.BytesIO(body), "utf-8")  # as it opens a file itself
    return [_named(each.account) for each in _tryton().MT940(lines).statements]


def _by_ofxtools(body: bytes) -> Records:
    tree = OFXTree()
    with warnings.catch_warnings(action="ignore"):
        tree.parse(io.BytesIO(body))
        return [_named(each.account.acctid) for each in tree.convert().statements]


def _by_ofxparse(body: bytes) -> Records:
    with warnings.catch_warnings(action="ignore"):
        return [
            _named(each.account_id or None) for each in OfxParser.parse(io.BytesIO(body)).accounts
        ]


# Archives

Members = dict[str, bytes]


def _by_zipfile(body: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(body)) as found:
        return {name: found.read(name) for name in found.namelist() if not name.endswith("/")}


def _by_go(form: str) -> Callable[[bytes], Members]:
    def read(body: bytes) -> Members:
        found = peers.go().ask(form, body).get("members", {})
        return {name: base64.b64decode(data) for name, data in found.items()}

    return read


def _by_tarfile(body: bytes) -> Members:
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:") as found:
        files = {each.name: found.extractfile(each) for each in found if each.isreg()}
        return {name: file.read() for name, file in files.items() if file}


def _by_email(body: bytes) -> Members:
    head = b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    parts = email.message_from_bytes(head + body).get_payload()
    assert isinstance(parts, list)
    return {str(part.get_filename()): part.get_payload(decode=True) for part in parts}


# Mail


def _message(body: bytes) -> list[str]:
    message = email.message_from_bytes(body)
    fields = [*message.get_all("To", []), *message.get_all("Cc", [])]
    return [f"s:{address}" for _, address in getaddresses(fields)]


def _box(body: bytes) -> Records:
    """Every message of the file, by the reader of the standard library."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        box = mailbox.mbox(file.name, create=False)
        try:
            return [_message(box.get_bytes(key)) for key in box.iterkeys()]
        finally:
            box.close()


def _pieces(body: bytes) -> Records:
    """The same by hand, and Go's reader of messages."""
    found = list[list[str]]()
    for piece in re.split(rb"(?m)^From [^\r\n]*\r?\n", body)[1:]:
        found += peers.go().ask("eml", piece)["records"]
    return found


def _unpacking(*command: str) -> Callable[[bytes], Members]:
    """A program that unpacks an archive, `{}`, in the folder where it is started."""

    def read(body: bytes) -> Members:
        with tempfile.TemporaryDirectory() as folder:
            archive, target = Path(folder, "a.zip"), Path(folder, "out")
            archive.write_bytes(body)
            target.mkdir()
            done = subprocess.run(
                [*tool([command[0]]), *(each.format(archive) for each in command[1:])],
                cwd=target, capture_output=True, stdin=subprocess.DEVNULL, timeout=30,
            )  # fmt: skip
            files = [path for path in target.rglob("*") if path.is_file()]
            # unzip says 1 for an archive without members, which all others accept.
            if done.returncode and not (
                command[0] == "unzip" and b"zipfile is empty" in done.stderr
            ):
                raise peers.Unreadable(f"{command[0]}: {done.returncode}")
            return {str(path.relative_to(target)): path.read_bytes() for path in files}

    return read


def _within(read: Callable[[bytes], Members]) -> Callable[[bytes], Records]:
    """Whose the members are that this reader unpacks, by the rules of the archives in `bodies`."""

    def owners(body: bytes) -> Records:
        members = read(body)
        listed = json.loads(members["m.json"]) if "m.json" in members else []
        found = _elements(listed)
        vouched = {each.get("file"): _owner(each) for each in listed}
        for name, data in members.items():
            folder, _, last = name.rpartition("/")
            if folder:
                found.append([f"s:{folder}"] if "/" not in folder else [])
            elif last.endswith(".bin"):
                found.append(vouched.get(name, []))
            elif last.endswith(".gz"):
                found += _lines(_LOADS["json"], gzip.decompress(data))
            elif last.endswith(".tar"):
                found += [[f"s:{inner}"] for inner in _by_tarfile(data)]
            elif last.endswith(".csv"):
                found += _table(data)
            elif last.endswith(".js"):
                found += _script(_LOADS["json"], data)
            elif last.endswith(".events"):
                found += _client(data)
        return found

    return owners


def _sheets(
    read: Callable[[bytes], dict[str, list[tuple[Any, ...]]]],
) -> Callable[[bytes], Records]:
    """Whose the rows of all sheets are, the first row of each being its header."""

    def owners(body: bytes) -> Records:
        return [
            _owner(dict(zip(rows[0], row, strict=True)))
            for rows in read(body).values()
            for row in rows[1:]
        ]

    return owners


READERS: dict[Format, list[Reader]] = {
    Format.JSON: [
        *_by_each(lambda loads, body: _records(loads(body))), by_node("json"), by_go("json"),
    ],
    Format.NDJSON: [*_by_each(_lines), by_node("ndjson"), by_go("ndjson")],
    Format.JSON_SEQ: [*_by_each(_sequence), by_node("json-seq")],
    Format.SSE: [Reader("sseclient", _client), by_node("sse")],
    Format.JAVASCRIPT: [*_by_each(_script), by_node("javascript")],
    Format.FHIR: [*_by_each(_bundle), by_node("fhir")],
    Format.CSV: [Reader("csv", _table), by_go("csv")],
    Format.XML: [Reader("expat", _by_expat), Reader("libxml2", _by_libxml2), by_go("xml")],
    Format.XLSX: [
        Reader("openpyxl", _sheets(by_openpyxl)), Reader("calamine", _sheets(by_calamine)),
    ],
    Format.VCARD: [
        Reader("vobject", _cards_by_vobject), Reader("icalendar", _cards_by_icalendar),
    ],
    Format.ICALENDAR: [
        Reader("vobject", _events_by_vobject), Reader("icalendar", _events_by_icalendar),
    ],
    Format.MT940: [Reader("mt-940", _statements), Reader("tryton", _by_tryton)],
    Format.OFX: [Reader("ofxtools", _by_ofxtools), Reader("ofxparse", _by_ofxparse)],
    Format.ZIP: [
        Reader("zipfile", _within(_by_zipfile)),
        Reader("go", _within(_by_go("zip"))),
        Reader("unzip", _within(_unpacking("unzip", "-qq", "{}"))),
        Reader("7z", _within(_unpacking("7z", "x", "-y", "{}"))),
        Reader("bsdtar", _within(_unpacking("bsdtar", "-xf", "{}"))),
    ],
    Format.TAR: [
        Reader("tarfile", _within(_by_tarfile)),
        Reader("go", _within(_by_go("tar"))),
        Reader("tar", _within(_unpacking("tar", "-xf", "{}"))),
        Reader("bsdtar", _within(_unpacking("bsdtar", "-xf", "{}"))),
    ],
    Format.MULTIPART: [
        Reader("email", _within(_by_email)), Reader("go", _within(_by_go("multipart"))),
    ],
    Format.MBOX: [Reader("mailbox", _box), Reader("go", _pieces)],
    Format.EML: [Reader("email", lambda body: [_message(body)]), by_go("eml")],
}  # fmt: skip
"""At least two for each format."""
