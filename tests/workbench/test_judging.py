"""Cases are played like real exchanges, and what differs is said in words."""

import json
import shutil
from pathlib import Path

import pytest

from gateway.config import Config
from gateway.config import load as load_configuration
from gateway.model import SubjectRef
from gateway.workbench.cases import load
from gateway.workbench.desk import Desk
from gateway.workbench.judging import Judged, judge, spell
from gateway.workbench.unusable import Unusable
from tests.config.conftest import MINIMAL
from tests.support.zips import M, archive

ENDPOINTS = ["orders", "voice", "rows", "archive"]
MIXED = "json: [{id: A1}, {id: A9}, {id: A1}]"


async def judged(
    desk: Desk, tmp_path: Path, expect: str, case: str = f"endpoint: voice\n    {MIXED}"
) -> Judged:
    file = tmp_path / "cases.yaml"
    file.write_text(
        f"caller: {{sub: A1}}\ncases:\n  - name: it\n    {case}\n    expect: {expect}\n"
    )
    (only,) = await judge(desk, load(file, ENDPOINTS))
    return only


@pytest.mark.parametrize(
    "expect",
    [
        "{effect: redact}",
        "{kept: 2, dropped: 1}",
        "{kept: [account:A1], dropped: [account:A9]}",
        "{kept: [0, 2], dropped: [1]}",
        "{masked: [], reasons: [subject_not_permitted, self_access]}",
    ],
)
async def test_what_is_expected_rightly_holds(desk: Desk, tmp_path: Path, expect: str) -> None:
    case = await judged(desk, tmp_path, expect)
    assert case.holds, case.differences
    assert (case.outcome, case.line) == ("redact", 3)


@pytest.mark.parametrize(
    ("expect", "difference"),
    [
        ("{effect: allow}", ("effect", "allow", "redact")),
        ("{refused: body_malformed}", ("refused", "body_malformed", "not refused: redact")),
        ("{kept: 3}", ("kept", "3", "2")),
        ("{dropped: []}", ("dropped", "nothing", "account:A9")),
        ("{kept: [account:A1, account:A9]}", ("kept", "account:A1, account:A9", "account:A1")),
        ("{kept: [{account: 1}]}", ("kept", "account:1 (a number)", "account:A1")),
        ("{kept: [0]}", ("kept", "0", "0, 2")),
        ("{masked: [$.id]}", ("masked", "$.id", "nothing")),
        ("{reasons: []}", ("reasons", "nothing", "self_access, subject_not_permitted")),
    ],
)
async def test_what_is_expected_wrongly_is_told_beside_what_was_found(
    desk: Desk, tmp_path: Path, expect: str, difference: tuple[str, str, str]
) -> None:
    case = await judged(desk, tmp_path, expect)
    (found,) = case.differences
    assert (found.key, found.expected, found.actual) == difference


async def test_every_expectation_that_fails_is_told(desk: Desk, tmp_path: Path) -> None:
    case = await judged(desk, tmp_path, "{effect: allow, kept: 3, reasons: []}")
    assert [each.key for each in case.differences] == ["effect", "kept", "reasons"]


@pytest.mark.parametrize(
    ("case", "expect"),
    [
        (
            "endpoint: orders\n    json: {orders: [{customer: {id: A9}}]}",
            "{refused: blocked_by_policy, effect: block, kept: 0, dropped: 1}",
        ),
        ("endpoint: orders\n    text: '{\"orders\": ['", "{refused: body_malformed, kept: 0}"),
        (
            "endpoint: orders\n    text: '{}'\n    content_type: text/html",
            "{refused: format_mismatch}",
        ),
        ('endpoint: rows\n    text: "customer_id\\nA1\\nA9\\n"', "{kept: [0], dropped: [1]}"),
        ("endpoint: voice\n    json: [{id: A1}, {}]", "{kept: 1, dropped: [1]}"),
    ],
)
async def test_every_kind_of_end_can_be_expected(
    desk: Desk, tmp_path: Path, case: str, expect: str
) -> None:
    found = await judged(desk, tmp_path, expect, case)
    assert found.holds, found.differences


async def test_records_without_an_owner_are_not_hidden_behind_those_with_one(
    desk: Desk, tmp_path: Path
) -> None:
    case = await judged(
        desk,
        tmp_path,
        "{dropped: [account:A9]}",
        "endpoint: voice\n    json: [{id: A1}, {id: A9}, {}]",
    )
    assert case.differences[0].actual == "account:A9, unattributed"
    assert case.differences[0].line == 6 and case.differences[0].excerpt.endswith("^")


@pytest.mark.parametrize(
    ("body", "expect"),
    [
        ("[{id: A1}, {id: A9}, {}]", "{dropped: [account:A9, unattributed]}"),
        ("[{id: A1}, {}]", "{kept: [account:A1], dropped: [unattributed]}"),
    ],
)
async def test_records_without_an_owner_can_be_expected(
    desk: Desk, tmp_path: Path, body: str, expect: str
) -> None:
    case = await judged(desk, tmp_path, expect, f"endpoint: voice\n    json: {body}")
    assert case.holds, case.differences


@pytest.mark.parametrize(
    "expect",
    [
        "{reasons: ['self_access, subject_not_permitted']}",
        "{dropped: ['account:A9 (a number)']}",
        "{masked: [nothing]}",
        "{kept: ['account:A1', 'account:nothing']}",
    ],
)
async def test_things_are_compared_and_not_how_they_are_spelled(
    desk: Desk, tmp_path: Path, expect: str
) -> None:
    assert not (await judged(desk, tmp_path, expect)).holds


async def test_the_members_of_an_archive_can_be_expected(desk: Desk, tmp_path: Path) -> None:
    manifest = json.dumps({"recordings": [{"customer_id": "A1", "file": "recordings/1.wav"}]})
    body = archive(
        M("manifest.json", manifest.encode()), M("recordings/1.wav", b"RIFF"), M("x", b"y")
    )
    (tmp_path / "voice.zip").write_bytes(body)
    case = "endpoint: archive\n    body: voice.zip"
    good = await judged(desk, tmp_path, "{members: [manifest.json, recordings/1.wav]}", case)
    assert good.holds, good.differences
    bad = await judged(desk, tmp_path, "{members: [x]}", case)
    assert bad.differences[0].actual == "manifest.json, recordings/1.wav"


@pytest.mark.parametrize(
    ("case", "expect", "words"),
    [
        ("endpoint: orders\n    body: nothing.json", "{kept: 0}", "No such file"),
        ("endpoint: orders\n    json: 1\n    method: POST", "{kept: 0}", "orders has only GET"),
        ("endpoint: orders\n    json: 1\n    params: {x: y}", "{kept: 0}", "it has none"),
        ("endpoint: orders\n    json: {orders: []}", "{members: []}", "only an archive"),
        ("endpoint: voice\n    json: [" + "{id: A1}, " * 9 + "]", "{kept: [0]}", "say how many"),
    ],
)
async def test_a_case_that_cannot_be_played_is_unusable_with_its_line(
    desk: Desk, tmp_path: Path, case: str, expect: str, words: str
) -> None:
    with pytest.raises(Unusable, match=words) as caught:
        await judged(desk, tmp_path, expect, case)
    assert str(caught.value).startswith(f"{tmp_path}/cases.yaml:3:")
    assert "\n" not in str(caught.value)


async def test_bodies_are_looked_for_beside_the_cases(
    config: Config, desk: Desk, tmp_path: Path
) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / "body.ndjson").write_text('{"id": "A1"}\n')
    (folder / "cases.yaml").write_text(
        "cases:\n  - {name: it, endpoint: voice, caller: {sub: A1}, body: body.ndjson,"
        " expect: {kept: 1}}\n"
    )
    (case,) = await judge(desk, load(folder / "cases.yaml", ENDPOINTS))
    assert case.holds
    shutil.rmtree(folder)


FORMS = """\
  - {name: sequence, path: /sequence, body: {format: json-seq, subject: {account: "$.id"}}}
  - {name: events, path: /events, body: {format: sse, subject: {account: "$.id"}}}
  - name: script
    path: /script
    body: {format: javascript, records: "$[*]", subject: {account: "$.id"}}
  - name: own
    path: /own
    body: {format: json, media_type: application/vnd.acme+json, records: "$[*]",
           subject: {account: "$.id"}}
policy: {data: deployment.yaml}
"""


async def test_a_list_is_written_in_the_format_and_declared_as_its_endpoint_expects(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "deployment.yaml").write_text(
        "grounds: {self_access: true}\n"
        "partial: {sequence: redact, events: redact, script: redact, own: redact}\n"
    )
    (folder / "gateway.yaml").write_text(MINIMAL + FORMS)
    async with Desk(load_configuration(folder / "gateway.yaml", {})) as desk:
        for name in ("sequence", "events", "script", "own"):
            file = tmp_path / "cases.yaml"
            file.write_text(
                f"cases:\n  - name: it\n    endpoint: {name}\n    caller: {{sub: A1}}\n"
                f"    {MIXED}\n    expect: {{kept: [0, 2], dropped: [1]}}\n"
            )
            (case,) = await judge(desk, load(file, [name]))
            assert case.holds, (name, case.differences)


async def test_a_list_is_lines_where_the_endpoint_has_a_resource_a_line(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "deployment.yaml").write_text(
        "grounds: {self_access: true}\npartial: {bulk: redact}\n"
    )
    (folder / "gateway.yaml").write_text(
        MINIMAL + "  - {name: bulk, path: /bulk, body: {format: fhir, lines: true,"
        ' subject: {account: "urn:x"}}}\npolicy: {data: deployment.yaml}\n'
    )
    owners = "".join(
        f"{{resourceType: Flag, subject: {{identifier: {{system: 'urn:x', value: {owner}}}}}}}, "
        for owner in ("A1", "A9")
    )
    file = tmp_path / "cases.yaml"
    file.write_text(
        "cases:\n  - {name: it, endpoint: bulk, caller: {sub: A1},"
        f" json: [{owners}], expect: {{kept: [0], dropped: [1]}}}}\n"
    )
    async with Desk(load_configuration(folder / "gateway.yaml", {})) as desk:
        (case,) = await judge(desk, load(file, ["bulk"]))
    assert case.holds, case.differences


def test_a_number_is_another_subject_than_its_digits() -> None:
    assert spell(SubjectRef("account", 1)) != spell(SubjectRef("account", "1"))
