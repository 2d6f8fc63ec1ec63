"""The big bodies, small; and the part of the page that is written of them."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from bench import big, bigbodies
from bench.bodies import FOREIGN, OWNER
from gateway.inspection.settings import Limits
from gateway.inspection.zipdata import Contents
from gateway.inspection.zipdirectory import read_directory
from gateway.stored import InMemory

BODIES = bigbodies.bodies(3_000_000, 1_000_000)


def archive(thirds: bool, keep: str = "") -> io.BytesIO:
    """An archive of three members of a megabyte, less those whose name doesn't begin so."""
    whole, less = io.BytesIO(), io.BytesIO()
    bigbodies.archive(whole.write, 3_000_000, thirds, member=1_000_000)
    with zipfile.ZipFile(whole) as read, zipfile.ZipFile(less, "w") as written:
        for name in read.namelist():
            if name.startswith(keep):
                written.writestr(name, read.read(name))
    return less


def test_a_third_of_the_lines_is_a_strangers_and_all_are_json() -> None:
    sent: list[bytes] = []
    BODIES["ndjson-thirds"].send(sent.append)
    lines = [json.loads(line) for line in b"".join(sent).splitlines()]
    strangers = sum(line["customer"]["id"] == FOREIGN for line in lines)
    assert len(lines) == 3 * strangers > 0
    assert {line["customer"]["id"] for line in lines} == {OWNER, FOREIGN}


def test_the_owners_lines_are_the_body_without_the_strangers() -> None:
    body, sent, kept = BODIES["ndjson-thirds"], [], big.Digest()
    body.send(sent.append)
    kept(b"".join(line for line in b"".join(sent).splitlines(True) if OWNER.encode() in line))
    assert big.owners_lines(body) == kept.value


def test_an_archive_made_while_it_is_sent_is_one_that_the_gateway_reads() -> None:
    sent: list[bytes] = []
    bigbodies.archive(sent.append, 3_000_000, True, member=1_000_000)
    assert all(sent), "an empty chunk would be the end"
    stored = InMemory(b"".join(sent))
    entries = read_directory(stored, Limits()).entries
    assert [entry.name for entry in entries] == bigbodies.names(3_000_000, True, 1_000_000)
    for entry in entries:
        Contents(stored, entry).prove()


def test_a_redacted_archive_is_right_only_with_the_owners_members_whole() -> None:
    body = BODIES["zip-thirds"]
    assert big.wrong_archive(archive(True, keep=OWNER), body, 1_000_000) == []
    assert big.wrong_archive(archive(True), body, 1_000_000) == ["other members than expected"]
    broken = archive(True, keep=OWNER)
    data = bytearray(broken.getvalue())
    data[500_000] ^= 1
    assert big.wrong_archive(io.BytesIO(data), body, 1_000_000) == ["members changed"]


def test_the_upstream_sends_a_body_whole_and_says_what_it_sent() -> None:
    with big.upstream(BODIES) as (port, sent):
        digest = big.Digest()
        assert big.ask(port, "/ndjson", "", digest) == ""
        assert digest.value == sent["ndjson"]


def case(name: str, exports: int = 1) -> big.Case:
    mebi = 2**20
    return big.Case(name, exports, 5 * 10**7, 10**9, 12.3, 100 * mebi, 130 * mebi, 7 * 10**9)


def test_cases_take_the_place_of_their_former_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(big, "RESULTS", tmp_path / "big.json")
    big.RESULTS.write_text(json.dumps({"cases": [{"name": "ndjson"}, {"name": "zip", "old": 1}]}))
    found = big.merged([case("crowd", 200), case("zip")])["cases"]
    assert [each["name"] for each in found] == ["ndjson", "zip", "crowd"]
    assert "old" not in found[1]


def test_its_part_of_the_page_is_by_body() -> None:
    results = {"cases": [big.asdict(case("zip-thirds")), big.asdict(case("crowd", 200))]}
    text = big.part(f"before\n\n{big.BEGIN}\n\nstale\n\n{big.END}\n\nafter\n", results)
    assert "| ZIP, a third redacted | 0.1 GB | 1.0 GB | 12 | 100 MiB | 130 MiB | 7.0 GB |" in text
    assert "| 200 NDJSON of 50 MB at once | 10.0 GB |" in text
    assert "stale" not in text and text.endswith(f"{big.END}\n\nafter\n")


def test_the_page_is_what_was_measured() -> None:
    text = big.PAGE.read_text()
    results = json.loads(big.RESULTS.read_text())
    assert big.part(text, results) == text, "python -m bench.big --page"
    measured = {each["name"] for each in results["cases"]}
    assert measured == {*bigbodies.bodies(big.SIZE, big.EACH)}
    assert not any(each["faults"] for each in results["cases"])
