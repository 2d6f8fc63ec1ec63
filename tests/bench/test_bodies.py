"""The bodies of the contest: of the size they say, with one foreign record where it is planted."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from bench import bodies
from bench.bodies import BODIES, FOREIGN, OWNER, Body


def small(body: Body) -> Body:
    return Body(body.name, body.file, 200_000, body.kind, body.media_type, body.coding)


def owners(body: Body, data: bytes) -> list[str]:
    match body.kind:
        case "json":
            return [order["customer"]["id"] for order in json.loads(data)["orders"]]
        case "ndjson" | "redact":
            return [json.loads(line)["customer"]["id"] for line in data.splitlines()]
        case "csv":
            return [line.split(b",")[1].decode() for line in data.splitlines()[1:]]
        case "zip" | "deflated":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                listed = json.loads(archive.read("manifest.json"))["recordings"]
                assert archive.namelist()[1:] == [each["file"] for each in listed]
                return [each["customer_id"] for each in listed]
        case _:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                lines = b"".join(archive.read(name) for name in archive.namelist())
                return [json.loads(line)["customer"]["id"] for line in lines.splitlines()]


PLAIN = [body for body in BODIES if not body.coding]


@pytest.mark.parametrize("body", PLAIN, ids=lambda body: body.file)
def test_all_records_are_the_owners_but_for_those_that_shall_be_dropped(
    body: Body, tmp_path: Path
) -> None:
    bodies.write(tmp_path / "body", small(body), planted=False)
    data = (tmp_path / "body").read_bytes()
    found = owners(body, data)
    assert body.kind in ("deflated", "inflated") or 0.8 < len(data) / 200_000 < 2.5
    strange = len(found) // 3 if body.kind == "redact" else 0
    assert (found.count(FOREIGN), found.count(OWNER)) == (strange, len(found) - strange)


@pytest.mark.parametrize(
    "body", [body for body in PLAIN if body.planted], ids=lambda body: body.file
)
def test_one_record_is_foreign_in_a_planted_body(body: Body, tmp_path: Path) -> None:
    bodies.write(tmp_path / "body", small(body), planted=True)
    found = owners(body, (tmp_path / "body").read_bytes())
    assert found.count(FOREIGN) == 1 and found.count(OWNER) == len(found) - 1
