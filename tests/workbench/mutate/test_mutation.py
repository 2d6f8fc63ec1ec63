"""Whole policies: the shipped one notices everything, and a spoiled one is found."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config import Config, load
from gateway.demo.archives import ANNA, BEN, write_all
from gateway.policy.engine import EngineKind
from gateway.policy.settings import PolicySettings
from gateway.workbench.mutate.baselines import Wanted
from gateway.workbench.mutate.fates import Fate
from gateway.workbench.mutate.mutants import Kind
from gateway.workbench.mutate.mutation import Report, mutate
from gateway.workbench.unusable import Unusable
from tests.policy.conftest import StartOpa, start_opa
from tests.policy.support import POLICIES
from tests.workbench.mutate.support import HONEST, exported, lines, spoiled, tried


def survived(report: Report) -> set[Kind]:
    return {each.change.kind for each in report.of(Fate.SURVIVED)}


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("voice", lines("A1", "A9", "A1")),
        ("rows", b"customer_id,cents\r\nA1,1\r\nA9,2\r\nA1,3\r\n"),
        ("archive", exported("A1", "A9", "A1")),
        ("orders", json.dumps({"orders": [{"customer": {"id": "A1"}}] * 3}).encode()),
    ],
)
async def test_the_shipped_policy_kills_every_mutant(
    config: Config, tmp_path: Path, endpoint: str, body: bytes
) -> None:
    report = await tried(config, tmp_path, endpoint, body)
    assert report.well, [*report.of(Fate.SURVIVED), *report.of(Fate.OVERKILL)]
    assert {each.change.kind for each in report.outcomes} >= {
        Kind.OWNER, Kind.LOOKALIKE, Kind.ACTOR, Kind.CALLER,
    }  # fmt: skip


async def test_an_honest_ground_of_ones_own_kills_them_too(config: Config, tmp_path: Path) -> None:
    report = await tried(config, tmp_path, "voice", lines("A1"), bundle=spoiled(tmp_path))
    assert report.well


__all__ = ["start_opa"]

EQUAL = "mine.value == subject.value"


@pytest.mark.parametrize(
    ("owner", "old", "new", "survivors"),
    [
        (
            "42", EQUAL, 'sprintf("%v", [mine.value]) == sprintf("%v", [subject.value])',
            {Kind.TYPE, Kind.CALLER},
        ),
        ("A1", EQUAL, "lower(mine.value) == lower(subject.value)", {Kind.LOOKALIKE, Kind.CALLER}),
        (
            "A1", EQUAL, "trim_space(mine.value) == trim_space(subject.value)",
            {Kind.LOOKALIKE, Kind.CALLER},
        ),
        ("A1", EQUAL, "true", {Kind.OWNER, Kind.LOOKALIKE, Kind.CALLER}),
        ("A1", "is_null(input.caller.actor)", "true", {Kind.ACTOR}),
    ],
)  # fmt: skip
async def test_a_planted_hole_is_found(
    config: Config, tmp_path: Path, owner: str, old: str, new: str, survivors: set[Kind]
) -> None:
    hole = spoiled(tmp_path, old, new)
    report = await tried(
        config, tmp_path, "voice", lines(owner, owner), bundle=hole, claims={"sub": owner}
    )
    assert survived(report) == survivors
    for each in report.of(Fate.SURVIVED):
        assert each.verdict.by.endswith("left that must stay behind")


async def test_a_category_that_is_open_to_all_is_found(config: Config, tmp_path: Path) -> None:
    hole = spoiled(
        tmp_path,
        "\tsome mine in input.caller.identifiers\n\tmine.kind == subject.kind\n"
        "\tmine.value == subject.value\n}",
        '\t"voice" in subject.categories\n}\n\npermits contains '
        '{"kind": mine.kind, "value": mine.value} if some mine in input.caller.identifiers',
    )
    report = await tried(config, tmp_path, "archive", exported("A1", "A1"), bundle=hole)
    members = {each.change.where.member for each in report.of(Fate.SURVIVED, Kind.OWNER)}
    assert members == {"manifest.json"}


async def test_a_policy_that_drops_others_with_the_stranger_is_overkill(
    config: Config, tmp_path: Path
) -> None:
    jumpy = f"""{HONEST}
permits contains {{"kind": "account", "value": "B7"}} if {{
	is_null(input.caller.actor)
	some mine in input.caller.identifiers
	mine.value == "A1"
	every subject in input.payload.subjects {{
		subject.value in {{"A1", "B7"}}
	}}
}}
"""
    bundle = spoiled(tmp_path, ground=jumpy)
    report = await tried(config, tmp_path, "voice", lines("A1", "A1", "B7"), bundle=bundle)
    assert not report.well and not report.of(Fate.SURVIVED)
    overkill = report.of(Fate.OVERKILL)
    assert {each.change.where.record for each in overkill} == {0, 1}
    assert overkill[0].verdict.by == "1 unit withheld that nobody changed"


async def test_a_policy_that_fails_is_not_taken_for_one_that_notices(
    config: Config, tmp_path: Path
) -> None:
    fragile = "\t1 / (2 - count(input.payload.subjects)) > 0\n" + f"\t{EQUAL}"
    bundle = spoiled(tmp_path, f"\t{EQUAL}", fragile)
    report = await tried(config, tmp_path, "voice", lines("A1", "A1"), bundle=bundle)
    assert not report.well and not report.of(Fate.SURVIVED)
    unproven = report.of(Fate.UNPROVEN)
    assert {each.change.kind for each in unproven} == {Kind.OWNER, Kind.LOOKALIKE}
    assert unproven[0].verdict.by.startswith("policy_unavailable (the evaluation fails")


async def test_the_story_of_2018(config: Config, tmp_path: Path) -> None:
    """Whoever ordered the archive owned all of it: so thought the export, and nobody compared the
    1,700 recordings in it with the one who asked. On Anna's own archive that policy looks right:
    she gets what is hers. With one owner in the manifest changed she still gets it, and that is
    how the leak is seen before Ben's archive is built."""
    members = """\
  - name: export
    path: /exports/whole
    body:
      format: zip
      members:
        - {match: manifest.json, format: json, records: "$.recordings[*]",
           subject: {account: "$.customer_id"}, vouches_for: "$.file"}
        - {match: "recordings/*.wav", attribution: manifest}
        - {match: transcripts.csv, format: csv, subject: {account: customer_id}}
        - {match: profile.json, format: json, subject: {account: "$.customer_id"}}
        - {match: "orders/*.json", format: json, records: "$.orders[*]",
           subject: {account: "$.customer.id"}}
"""
    assert list(write_all(tmp_path))
    small = _smaller(tmp_path / "anna.zip")
    file = tmp_path / "gateway.yaml"
    text = file.read_text().replace("policy: {", f"{members}policy: {{")
    file.write_text(text)
    settings = load(file, {})
    container = spoiled(
        tmp_path,
        "\tmine.kind == subject.kind\n\tmine.value == subject.value\n",
        "\tsome theirs in input.payload.subjects\n\tmine.value == theirs.value\n",
    )
    asked = {"claims": {"sub": ANNA}, "limit": 80}
    leaking = await tried(settings, tmp_path, "export", small, bundle=container, **asked)
    assert {each.change.where.member for each in leaking.of(Fate.SURVIVED)} >= {
        "manifest.json",
        "transcripts.csv",
    }
    assert not leaking.well
    keeping = await tried(settings, tmp_path, "export", small, **asked)
    assert keeping.well
    with pytest.raises(Unusable, match="blocked_by_policy"):
        await tried(settings, tmp_path, "export", small, claims={"sub": BEN})


def _smaller(file: Path) -> bytes:
    """The archive with the first six of its recordings."""
    built = io.BytesIO()
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(built, "w") as few:
        for name in whole.namelist():
            data = whole.read(name)
            if name == "manifest.json":
                listed = json.loads(data)["recordings"][:6]
                data = json.dumps({"recordings": listed}, indent=1).encode()
            elif name == "transcripts.csv":
                data = b"".join(data.splitlines(keepends=True)[:7])
            elif name.startswith("recordings/") and not name < "recordings/0007":
                continue
            few.writestr(name, data)
    return built.getvalue()


MASKING = """package privacy.decision

default effect := "block"

effect := "redact" if count(permitted) > 0

permitted contains {"kind": subject.kind, "value": subject.value} if {
	is_null(input.caller.actor)
	some subject in input.payload.subjects
	some mine in input.caller.identifiers
	mine.value == subject.value
}

unattributed := "withhold"

withhold := []

mask := ["$.text"]

reasons := []
"""


async def test_masked_records_are_told_by_what_left_of_them(config: Config, tmp_path: Path) -> None:
    bundle = tmp_path / "masking"
    (bundle / "privacy" / "decision").mkdir(parents=True)
    (bundle / ".manifest").write_text('{"roots": ["privacy"]}')
    (bundle / "privacy" / "decision" / "decision.rego").write_text(MASKING)
    report = await tried(config, tmp_path, "voice", lines("A1", "A9", "A1"), bundle=bundle)
    assert report.well
    assert report.uncompared == ()  # `$.id` is compared, `$.text` is masked


@pytest.mark.opa
async def test_with_opa_its_own_data_is_said_to_be_out_of_reach(
    config: Config, tmp_path: Path, start_opa: StartOpa
) -> None:
    server = start_opa(POLICIES)
    policy = PolicySettings(engine=EngineKind.OPA, opa=server.url, deadline=10.0)
    body = json.dumps({"orders": [{"customer": {"id": "A1"}}] * 2}).encode()
    report = await tried(replace(config, policy=policy), tmp_path, "orders", body, limit=20)
    assert report.well
    assert report.notes[0].startswith("OPA keeps the policy and its data to itself")


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("file", "body", "claims"),
    [
        (
            "fhir-bulk/Condition.000.ndjson",
            '{format: ndjson, subject: {fhir: "$.subject.reference"}}',
            {"patient": "79a66c97-6131-3213-f3c9-4606946ab056"},
        ),
        (
            "synthea-csv/synthea_allergies_excerpt.csv",
            "{format: csv, subject: {patient: PATIENT}}",
            {"row": "9d188916-8390-282b-3ec2-73fce6e08649"},
        ),
        (
            "google-takeout-voice/takeout.zip",
            '{format: zip, members: [{match: "**/messages.json", format: json,'
            ' records: "$.messages[*]", subject: {email: "$.creator.email"}}]}',
            {"email": "mssc@science.example.org", "email_verified": True},
        ),
    ],
)
async def test_of_real_exports_nothing_that_was_changed_leaves(
    config_file: Path, corpus: Path, file: str, body: str, claims: dict[str, object]
) -> None:
    text = config_file.read_text().replace(
        "{account: sub}",
        '{account: sub, fhir: "Patient/{patient}", patient: row, email: email}',
    )
    config_file.write_text(
        text.replace("policy: {", f"  - {{name: real, path: /real, body: {body}}}\npolicy: {{")
    )
    data = config_file.parent / "deployment.yaml"
    data.write_text(data.read_text().replace("partial: {", "partial: {real: redact, "))
    wanted = Wanted(
        load(config_file, {}),
        "real",
        {"sub": "x", **claims},
        (corpus / "exports" / file,),
        limit=60,
    )
    report = await mutate(wanted)
    assert report.well, [*report.of(Fate.SURVIVED), *report.of(Fate.OVERKILL)]
    assert report.of(Fate.KILLED, Kind.OWNER) and report.of(Fate.KILLED, Kind.LOOKALIKE)


async def test_the_same_seed_tries_the_same_mutants(config: Config, tmp_path: Path) -> None:
    body = lines(*["A1"] * 40)
    one = await tried(config, tmp_path, "voice", body, limit=12, seed=3)
    again = await tried(config, tmp_path, "voice", body, limit=12, seed=3)
    other = await tried(config, tmp_path, "voice", body, limit=12, seed=4)
    assert one.outcomes == again.outcomes != other.outcomes
    assert len(one.outcomes) + len(one.idle) == 12 < one.possible


async def test_progress_is_told_to_the_end(config: Config, tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(lines("A1"))
    seen: list[tuple[int, int]] = []
    wanted = Wanted(config, "voice", {"sub": "A1"}, (file,), limit=5)
    await mutate(wanted, lambda done, total: seen.append((done, total)))
    assert seen == [(n, 5) for n in range(6)]


async def test_a_partial_fixture_is_noted_and_several_are_tried_together(
    config: Config, tmp_path: Path
) -> None:
    files = []
    for name, body in (("one", lines("A1")), ("two", lines("A1", "A9"))):
        file = tmp_path / name
        file.write_bytes(body)
        files.append(file)
    report = await mutate(Wanted(config, "voice", {"sub": "A1"}, tuple(files)))
    assert {each.change.where.file for each in report.outcomes} == set(map(str, files))
    assert report.notes == (f"{files[1]}: 1 of 2 records leave; only they change",)


async def test_without_a_body_there_is_nothing_to_do(config: Config) -> None:
    with pytest.raises(Unusable, match="at least one body"):
        await mutate(Wanted(config, "voice", {"sub": "A1"}, ()))
