"""Real exports that nobody here wrote, through a real gateway, with the counts of the manifest."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

PATIENT = "Patient/79a66c97-6131-3213-f3c9-4606946ab056"


def fhir(locator: str) -> dict[str, Any]:
    return {"format": "ndjson", "subject": {"fhir": locator}}


def table(column: str, **dialect: str) -> dict[str, Any]:
    return {"format": "csv", "subject": {"row": column}, **dialect}


BODIES: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "conditions": (
        "fhir-bulk/Condition.000.ndjson",
        "application/fhir+ndjson",
        fhir("$.subject.reference"),
    ),
    "allergies": (
        "fhir-bulk/AllergyIntolerance.000.ndjson",
        "application/fhir+ndjson",
        fhir("$.patient.reference"),
    ),
    "accounts": (
        "psd2-ais/fiducia_accounts.json",
        "application/json",
        {"format": "json", "records": "$.accounts[*]", "subject": {"iban": "$.iban"}},
    ),
    "one-account": (
        "psd2-ais/santander_accounts.json",
        "application/json",
        {"format": "json", "records": "$.accounts[*]", "subject": {"iban": "$.iban"}},
    ),
    "members": (
        "gitlab/gitlab_project_members.ndjson",
        "application/x-ndjson",
        {"format": "ndjson", "subject": {"gitlab": ["$.user_id", "$.user.id"]}},
    ),
    "chat": (
        "google-takeout-voice/chat_dm_messages.json",
        "application/json",
        {"format": "json", "records": "$.messages[*]", "subject": {"email": "$.creator.email"}},
    ),
    "synthea": ("synthea-csv/synthea_allergies_excerpt.csv", "text/csv", table("PATIENT")),
    "utf16-be": ("csv-encodings/test_utf16_big.csv", "text/csv", table("a")),
    "utf16-le": ("csv-encodings/test_utf16_little.csv", "text/csv", table("a")),
    "utf8-bom": ("csv-encodings/test_utf8_bom.csv", "text/csv", table("foo")),
    "latin1": ("csv-encodings/test_latin1.csv", "text/csv", table("a", encoding="latin-1")),
    "cr-only": ("csv-encodings/mac_newlines.csv", "text/csv", table("a")),
    "tabs": ("csv-encodings/dummy.tsv", "text/tab-separated-values", table("a", delimiter="\t")),
    "gzip": ("csv-encodings/dummy.csv.gz", "text/csv", table("a")),
    "takeout": (
        "google-takeout-voice/takeout.zip",
        "application/zip",
        {
            "format": "zip",
            "members": [
                {
                    "match": "**/messages.json",
                    "format": "json",
                    "records": "$.messages[*]",
                    "subject": {"email": "$.creator.email"},
                }
            ],
        },
    ),
}


@dataclass(frozen=True)
class Corpus:
    """A gateway in front of the corpus; `ask` says who the caller is."""

    gateway: RunningGateway
    issuer: TestIssuer
    folder: Path

    def read(self, name: str) -> bytes:
        return (self.folder / BODIES[name][0]).read_bytes()

    async def ask(self, name: str, **claims: Any) -> Answer:
        token = self.issuer.token(**claims)
        return await self.gateway.get(f"/{name}", token)


@pytest_asyncio.fixture
async def real(tmp_path: Path, issuer: TestIssuer, corpus: Path) -> AsyncIterator[Corpus]:
    folder = corpus / "exports"
    async with AsyncExitStack() as stack:
        service = ExportService()
        upstream = await stack.enter_async_context(serving(service))
        for name, (file, media_type, _) in BODIES.items():
            service.answer(f"/{name}", (folder / file).read_bytes(), media_type)
        service.answers["/gzip"][1]["Content-Encoding"] = "gzip"
        config = configuration(
            tmp_path,
            issuer,
            upstream,
            [
                {"name": name, "path": f"/{name}", "body": body}
                for name, (*_, body) in BODIES.items()
            ],
            identifiers={
                "fhir": "Patient/{patient}",
                "iban": "iban",
                "gitlab": {"claim": "gitlab_id", "type": "integer"},
                "email": "email",
                "row": "row",
            },
            deployment={
                "grounds": {"self_access": True},
                "partial": dict.fromkeys(BODIES, "redact"),
            },
        )
        gateway = await stack.enter_async_context(running(config))
        yield Corpus(gateway, issuer, folder)


async def test_a_patient_keeps_their_219_conditions_and_loses_336(real: Corpus) -> None:
    answer = await real.ask("conditions", patient=PATIENT.removeprefix("Patient/"))
    assert answer.status == 200
    kept = answer.body.splitlines(keepends=True)
    own = [
        line
        for line in real.read("conditions").splitlines(keepends=True)
        if json.loads(line)["subject"]["reference"] == PATIENT
    ]
    assert kept == own and len(kept) == 219
    (entry,) = real.gateway.entries()
    assert entry["records"] == {"seen": 555, "released": 219, "redacted": 336, "blocked": 0}
    assert entry["subjects_total"] == 13


async def test_allergies_of_two_patients_are_told_apart(real: Corpus) -> None:
    answer = await real.ask("allergies", patient="a5cb8ce9-cec6-6b23-0990-cbaf753578a4")
    assert len(answer.body.splitlines()) == 3
    (entry,) = real.gateway.entries()
    assert entry["records"] == {"seen": 11, "released": 3, "redacted": 8, "blocked": 0}


async def test_a_bank_customer_gets_one_of_fifteen_accounts(real: Corpus) -> None:
    answer = await real.ask("accounts", iban="DE45499999600000005100")
    accounts = json.loads(answer.body)["accounts"]
    assert [account["iban"] for account in accounts] == ["DE45499999600000005100"]
    whole = await real.ask("one-account", iban="DE74310108330000009001")
    assert whole.body == real.read("one-account")
    counts = [entry["records"]["seen"] for entry in real.gateway.entries()]
    assert counts == [15, 1]


async def test_numeric_ids_are_compared_as_numbers(real: Corpus) -> None:
    answer = await real.ask("members", gitlab_id=16)
    assert [json.loads(line)["user_id"] for line in answer.body.splitlines()] == [16]
    stranger = await real.ask("members", gitlab_id=1)
    assert stranger.status == 403


async def test_an_address_counts_only_if_it_is_verified(real: Corpus) -> None:
    me = "mssc@science.example.org"
    answer = await real.ask("chat", email=me, email_verified=True)
    assert len(json.loads(answer.body)["messages"]) == 30
    unverified = await real.ask("chat", email=me)
    assert unverified.status == 403


async def test_a_csv_of_five_patients_keeps_the_rows_of_one(real: Corpus) -> None:
    owner = "9d188916-8390-282b-3ec2-73fce6e08649"
    answer = await real.ask("synthea", row=owner)
    rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    assert [row["PATIENT"] for row in rows] == [owner] * 4
    (entry,) = real.gateway.entries()
    assert entry["records"]["seen"] == 9 and entry["subjects_total"] == 5


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("utf16-be", "\ufeffa,b,c\n1,2,3\n".encode("utf-16-be")),
        ("utf16-le", "\ufeffa,b,c\n1,2,3\n".encode("utf-16-le")),
        ("utf8-bom", "\ufefffoo,bar,baz\n1,2,3\n".encode()),
        ("latin1", b"a,b,c\n1,2,3\n"),
        ("cr-only", b"a,b,c\r1,2,3\r"),
    ],
)
async def test_encoding_and_dialect_survive_redaction(real: Corpus, name: str, kept: bytes) -> None:
    answer = await real.ask(name, row="1")
    assert (answer.status, answer.body) == (200, kept)


async def test_tabs_and_gzip_pass_whole(real: Corpus) -> None:
    assert (await real.ask("tabs", row="1")).body == real.read("tabs")
    coded = await real.ask("gzip", row="1")
    assert coded.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(coded.body) == gzip.decompress(real.read("gzip"))
    # Its header names the file that it was, which nobody inspects: it is written anew.
    assert b"dummy.csv" in real.read("gzip") and b"dummy.csv" not in coded.body
    assert (await real.ask("gzip", row="2")).status == 403


async def test_a_takeout_keeps_only_messages_whose_owner_is_known(real: Corpus) -> None:
    me = "mssc@science.example.org"
    answer = await real.ask("takeout", email=me, email_verified=True)
    assert answer.status == 200
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        names = [name for name in archive.namelist() if not name.endswith("/")]
        messages = [json.loads(archive.read(name))["messages"] for name in names]
    assert all(name.endswith("messages.json") for name in names)
    assert {message["creator"]["email"] for group in messages for message in group} == {me}
    assert sum(map(len, messages)) == 40
    stranger = await real.ask("takeout", email="nobody@example.org", email_verified=True)
    assert stranger.status == 403
