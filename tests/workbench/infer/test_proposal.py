"""The whole of infer: real exports in, a block out that the gateway takes and reads rightly."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from gateway.config import Config, load
from gateway.demo.archives import ANNA, BEN, write_all
from gateway.model import Format, Inspection, SubjectRef
from gateway.workbench.desk import Desk, Trial
from gateway.workbench.infer.proposal import Body, as_yaml, infer
from gateway.workbench.samples import opened, sample
from gateway.workbench.unusable import Unusable
from tests.config.conftest import MINIMAL, folder
from tests.support.zips import M, archive

__all__ = ["folder"]

PATIENT = "Patient/79a66c97-6131-3213-f3c9-4606946ab056"


def pasted(folder: Path, body: Body) -> Config:
    """A configuration with the block as an engineer would paste it."""
    block = "".join(f"    {line}\n" for line in as_yaml(body).splitlines())
    text = f"{MINIMAL}  - name: inferred\n    path: /inferred\n{block}"
    (folder / "gateway.yaml").write_text(text)
    return load(folder / "gateway.yaml", {})


async def inspected(folder: Path, body: Body, file: Path) -> Inspection:
    """What the gateway sees in a file with the block that was proposed."""
    config = pasted(folder, body)
    spec = config.endpoints[-1].body
    async with Desk(config) as desk:
        with opened(file) as stored:
            coding = "gzip" if file.suffix == ".gz" else None
            trial = Trial("inferred", {"sub": "x"}, sample(stored, spec.format, coding=coding))
            return await desk.inspect(trial)


def records_of(inspection: Inspection, owner: SubjectRef) -> int:
    return sum(group.records for group in inspection.groups if owner in group.owners)


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("file", "owner", "records", "subjects", "seen"),
    [
        ("fhir-bulk/Condition.000.ndjson", SubjectRef("fhir", PATIENT), 219, 13, 555),
        (
            "fhir-bulk/AllergyIntolerance.000.ndjson",
            SubjectRef("fhir", "Patient/a5cb8ce9-cec6-6b23-0990-cbaf753578a4"), 3, 2, 11,
        ),
        (
            "fhir-bulk/Patient.000.ndjson",
            SubjectRef("patient", PATIENT.removeprefix("Patient/")), 1, 13, 13,
        ),
        ("psd2-ais/fiducia_accounts.json", SubjectRef("iban", "DE45499999600000005100"), 1, 15, 15),
        ("psd2-ais/santander_accounts.json", SubjectRef("iban", "DE74310108330000009001"), 1, 1, 1),
        ("gitlab/gitlab_project_members.ndjson", SubjectRef("user", 16), 1, 4, 4),
        (
            "google-takeout-voice/chat_dm_messages.json",
            SubjectRef("email", "mssc@science.example.org"), 30, 2, 51,
        ),
        (
            "google-takeout-voice/chat_dm_group_info.json",
            SubjectRef("email", "mssc@science.example.org"), 1, 2, 2,
        ),
        (
            "synthea-csv/synthea_allergies_excerpt.csv",
            SubjectRef("patient", "9d188916-8390-282b-3ec2-73fce6e08649"), 4, 5, 9,
        ),
    ],
)  # fmt: skip
async def test_real_exports_are_read_with_the_owners_that_their_manifest_lists(
    folder: Path, corpus: Path, file: str, owner: SubjectRef, records: int, subjects: int, seen: int
) -> None:
    proposal = infer([corpus / "exports" / file])
    assert proposal.sure and not proposal.alternatives
    inspection = await inspected(folder, proposal.body, corpus / "exports" / file)
    assert records_of(inspection, owner) == records
    assert (len(inspection.subjects), inspection.records) == (subjects, seen)


@pytest.mark.corpus
async def test_a_real_takeout_is_read_by_its_messages_and_the_rest_is_nobodys(
    folder: Path, corpus: Path
) -> None:
    file = corpus / "exports" / "google-takeout-voice" / "takeout.zip"
    proposal = infer([file])
    assert proposal.sure
    assert {member["match"] for member in proposal.body["members"]} == {
        "Takeout/Google Chat/Groups/*/group_info.json",
        "Takeout/Google Chat/Groups/*/messages.json",
    }
    inspection = await inspected(folder, proposal.body, file)
    messages = SubjectRef("email", "mssc@science.example.org")
    assert records_of(inspection, messages) == 44  # 40 messages, and in four groups a member
    assert any("54 of 62 members have no owner" in warning for warning in proposal.warnings)


@pytest.mark.corpus
async def test_real_fixtures_with_two_likely_owners_are_never_settled_silently(
    folder: Path, corpus: Path
) -> None:
    file = corpus / "exports" / "stripe" / "fixtures3.json"
    proposal = infer([file])
    assert not proposal.sure
    found = [await inspected(folder, body, file) for body in proposal.bodies]
    assert any(owner.value == "cus_QXg1o8vcGmoR32" for each in found for owner in each.subjects)


@pytest.mark.corpus
async def test_a_document_in_a_string_has_no_owner_that_a_locator_finds(
    folder: Path, corpus: Path
) -> None:
    file = corpus / "exports" / "psd2-ais" / "sparkasse_camt052_in_json.json"
    proposal = infer([file])
    assert not proposal.sure and "subject" not in proposal.body
    assert (await inspected(folder, proposal.body, file)).subjects == ()


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("dummy.csv.gz", {}),
        ("dummy.tsv", {"delimiter": "\t"}),
        ("mac_newlines.csv", {}),
        ("test_latin1.csv", {"encoding": "iso-8859-1"}),
        ("test_utf16_big.csv", {}),
        ("test_utf16_little.csv", {}),
        ("test_utf8_bom.csv", {}),
    ],
)
async def test_dialects_are_found_and_columns_without_meaning_stay_open(
    folder: Path, corpus: Path, file: str, options: dict[str, str]
) -> None:
    path = corpus / "exports" / "csv-encodings" / file
    proposal = infer([path])
    assert not proposal.sure and proposal.alternatives
    for body in proposal.bodies:
        assert {k: v for k, v in body.items() if k not in ("format", "subject")} == options
        assert len((await inspected(folder, body, path)).subjects) > 0


@pytest.mark.corpus
def test_a_table_that_starts_with_blank_lines_is_unusable(corpus: Path) -> None:
    with pytest.raises(Unusable, match="body_ambiguous"):
        infer([corpus / "exports" / "csv-encodings" / "test_skip_lines.csv"])


@pytest.mark.corpus
def test_every_file_of_the_corpus_gets_an_answer(corpus: Path) -> None:
    with (corpus / "exports" / "manifest.csv").open(newline="") as manifest:
        for row in csv.DictReader(manifest):
            try:
                proposal = infer([corpus / "exports" / row["file"]])
            except Unusable as unusable:
                assert "\n" not in str(unusable)
            else:
                assert proposal.body["format"] in {each.value for each in Format}


async def test_the_archive_of_2018_is_read_by_its_manifest_and_the_stranger_is_noticed(
    folder: Path, tmp_path: Path
) -> None:
    names = list(write_all(tmp_path))
    assert names
    proposal = infer([tmp_path / "mixed.zip"])
    assert proposal.sure
    inspection = await inspected(folder, proposal.body, tmp_path / "mixed.zip")
    assert inspection.subjects == (SubjectRef("customer", ANNA), SubjectRef("customer", BEN))
    assert not any(group.owners == () for group in inspection.groups)
    assert any("2 persons (customer) together" in each for each in proposal.warnings)
    alone = infer([tmp_path / "anna.zip"])
    assert alone.body == proposal.body
    assert not any("persons" in each for each in alone.warnings)


@pytest.mark.parametrize(
    "document",
    [
        {"orders": [{"customer": {"id": "C-1"}}]},
        {"odd 'names'": [{"customer \\ no": "C-1"}, {"customer \\ no": "C-2"}]},
        [{"user\u00e9": 1, "user": 2}],
        {"a": {"customer_id": "x-1000"}, "b": {"customer_id": "x-1000"}},
        {"yes: no": [{"customer # id": "C-1000"}]},
    ],
)
async def test_what_is_proposed_passes_check_when_it_is_pasted(
    folder: Path, tmp_path: Path, document: Any
) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps(document))
    proposal = infer([file])
    for body in proposal.bodies:
        assert YAML(typ="safe").load(as_yaml(body)) == {"body": body}
        assert (await inspected(folder, body, file)).records > 0


def test_samples_of_two_formats_are_unusable(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "b.csv").write_text("a,b\n1,2\n")
    with pytest.raises(Unusable, match="an endpoint has one format"):
        infer([tmp_path / "a.json", tmp_path / "b.csv"])
    with pytest.raises(Unusable, match="at least one"):
        infer([])


def test_several_samples_speak_together(tmp_path: Path) -> None:
    files = []
    for number in (1, 2):
        file = tmp_path / f"{number}.json"
        rows = [{"ref": f"r{number}000", "n": n} for n in range(3)]
        file.write_text(json.dumps({"rows": rows}))
        files.append(file)
    alone, together = infer(files[:1]), infer(files)
    (before,), (after,) = alone.findings, together.findings
    assert after.candidates[0].belief > before.candidates[0].belief
    assert together.trial.records == 6


def test_an_archive_of_nothing_known_proposes_nothing_sure(tmp_path: Path) -> None:
    file = tmp_path / "x.zip"
    file.write_bytes(archive(M("a.bin", b"\0")))
    proposal = infer([file])
    assert not proposal.sure
    assert proposal.body == {"format": "zip", "members": [{"match": "**"}]}
