"""Lines that hold each other in place."""

import json
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decisionlog.chain import GENESIS, Head, link, read
from tests.conftest import missing

BODY = b'{"decision_id":"e1","note":"a \\"quoted\\" note"}'
FIRST, AFTER = link(GENESIS, BODY)


def test_a_line_is_one_json_object_that_holds_the_entry() -> None:
    parsed = json.loads(FIRST)
    assert FIRST.endswith(b"}\n")
    assert FIRST.count(b"\n") == 1
    assert parsed.pop("seq") == 1
    assert parsed.pop("prev") == GENESIS.hash
    assert parsed.pop("hash") == AFTER.hash
    assert parsed == json.loads(BODY)


@given(st.lists(st.dictionaries(st.text(min_size=1), st.text(), min_size=1), max_size=5))
def test_each_line_follows_the_one_before_and_no_other(entries: list[dict[str, str]]) -> None:
    head, heads = GENESIS, [GENESIS]
    for entry in entries:
        line, head = link(head, json.dumps(entry).encode())
        found = read(line)
        assert found is not None
        assert [earlier for earlier in heads if found.follows(earlier)] == [heads[-1]]
        assert found.head == head
        heads.append(head)


def test_every_flipped_bit_of_a_line_is_seen() -> None:
    """F13, bit by bit."""
    for position in range(len(FIRST)):
        for bit in range(8):
            flipped = bytearray(FIRST)
            flipped[position] ^= 1 << bit
            assert read(bytes(flipped)) is None, (position, bit)
    assert read(FIRST) is not None


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"{}\n", FIRST[:-1], FIRST + b"\n", b" " + FIRST, FIRST[:-78], FIRST * 2],
    ids=range(8),
)
def test_what_isnt_exactly_a_line_is_none(line: bytes) -> None:
    assert read(line) is None


def test_a_line_with_a_number_too_large_or_padded_is_none() -> None:
    for seq in (b"0", b"01", b"1e3", b"-1", b"9" * 19):
        start = b'{"seq":%s,"prev":"%s","a":1' % (seq, GENESIS.hash.encode())
        assert read(b'%s,"hash":"%s"}\n' % (start, sha256(start).hexdigest().encode())) is None


def test_the_check_needs_nothing_but_ordinary_tools(tmp_path: Path) -> None:
    """The recipe of the module's docstring."""
    if not (shutil.which("sed") and shutil.which("sha256sum")):
        missing("sed and sha256sum are not here")
    second, head = link(AFTER, BODY)
    (tmp_path / "log").write_bytes(FIRST + second)
    recipe = """sed -n 2p log | sed 's/,"hash":"[^"]*"}$//' | tr -d '\\n' | sha256sum"""
    run = subprocess.run(recipe, shell=True, cwd=tmp_path, capture_output=True, check=True)
    assert run.stdout.split()[0].decode() == head.hash


def test_an_entry_with_another_number_does_not_follow() -> None:
    skipping, _ = link(Head(5, GENESIS.hash), BODY)
    found = read(skipping)
    assert found is not None
    assert found.prev == GENESIS.hash
    assert not found.follows(GENESIS)
    assert found.follows(Head(5, GENESIS.hash))


def test_the_first_entry_follows_the_beginning_only() -> None:
    found = read(FIRST)
    assert found is not None
    assert found.follows(GENESIS)
    assert not found.follows(Head(0, "1" * 64))
