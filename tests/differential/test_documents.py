"""Documents in texts: what others undo and read in them is what we undo and read.

Texts that nobody would write are undone by lenient readers, of which each skips and repairs other
things: where we read a text at all, all of them must come to the same owners.
"""

import base64
import binascii
import json
import random
import re
from collections.abc import Callable

import pytest

from gateway.errors import BadUpstream
from gateway.inspection import work
from gateway.inspection.settings import BodySpec, EmbeddedSpec, Limits
from gateway.inspection.source import InMemory
from gateway.inspection.writable import Transfer
from gateway.model import Format
from gateway.response import Payload
from tests.differential import peers
from tests.differential.readers import READERS, Records
from tests.fuzz.mutator import mutated
from tests.fuzz.seeds import SEEDS

TRIED = 400

_HEAD = re.compile("data:[^,]*;base64,")


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)


UNDONE: dict[Transfer | None, list[Callable[[str], bytes]]] = {
    None: [str.encode],
    "base64": [base64.b64decode, binascii.a2b_base64, base64.urlsafe_b64decode],
    "base64url": [
        lambda text: base64.urlsafe_b64decode(_padded(text)),
        lambda text: base64.b64decode(_padded(text), altchars=b"-_"),
    ],
    "hex": [bytes.fromhex, binascii.unhexlify, lambda text: base64.b16decode(text, casefold=True)],
    "data": [lambda text: base64.b64decode(_HEAD.sub("", text, count=1))],
}
"""How others undo it. `urlsafe_b64decode` skips what isn't of its alphabet, such as `+`."""

WRITTEN: dict[Transfer | None, Callable[[bytes], bytes]] = {
    None: lambda content: content,
    "base64": base64.b64encode,
    "base64url": base64.urlsafe_b64encode,
    "hex": lambda content: content.hex().encode(),
    "data": lambda content: b"data:application/json;base64," + base64.b64encode(content),
}


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    peers.node()
    peers.go()


def names(records: Records) -> set[str]:
    return {name for named in records for name in named}


@pytest.mark.parametrize("transfer", UNDONE)
def test_no_reader_finds_another_owner_in_a_text(transfer: Transfer | None) -> None:
    owner = ({"account": ("$.owner",)},)
    spec, bodies = SEEDS[Format.JSON]
    document = EmbeddedSpec(
        ("$.text",), Format.JSON, transfer=transfer, records=spec.records, subject=owner
    )
    around = BodySpec(Format.NDJSON, subject=owner, embedded=(document,))
    task = work.Task(Payload("application/x-ndjson"), around, Limits(record=1 << 16))
    read = 0
    for seed in range(TRIED):
        dice = random.Random(seed)
        content = mutated(bodies, dice) if dice.random() < 0.5 else dice.choice(bodies)
        written = WRITTEN[transfer](content)
        written = mutated([written], dice) if dice.random() < 0.5 else written
        try:
            line = json.dumps({"owner": "outside", "text": written.decode()}).encode()
            (group,) = work.inspect(InMemory(line), task).groups
        except (UnicodeDecodeError, BadUpstream):
            continue
        if not group.owners:
            continue  # nobody's
        read += 1
        ours = {f"{'n' if type(o.value) is int else 's'}:{o.value}" for o in group.owners}
        for undo in UNDONE[transfer]:
            try:
                undone = undo(written.decode())
            except ValueError:
                continue
            if undo is base64.urlsafe_b64decode and {*b"+/"} & {*written}:
                continue  # it is for the other alphabet
            for reader in READERS[Format.JSON]:
                try:
                    theirs = names(reader.read(undone))
                except Exception:  # noqa: BLE001 - each reader has its own ways to refuse
                    continue
                if not reader.exact:  # its numbers are doubles
                    theirs = {name for name in theirs if name.startswith("s:")}
                assert theirs <= ours, (seed, reader.name, written)
    assert read > 20
