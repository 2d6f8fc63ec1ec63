"""Entries → lines that hold each other in place.

    {"seq":2,"prev":"<hash of line 1>", ...the entry... ,"hash":"<64 hex>"}\\n

`seq` counts from 1. `hash` is the SHA-256 of the line's own bytes before `,"hash":`; these include
`prev`, the `hash` of the line before, so that each line vouches for all the earlier ones. The rest
of a line is fixed. Every byte is thus covered, and the check needs the bytes only, no JSON reader:

    sed -n 2p decisions.jsonl | sed 's/,"hash":"[^"]*"}$//' | tr -d '\\n' | sha256sum

The chain has no secret: it finds damage and careless edits. Somebody who rewrites the whole file
is found by the anchor, and surely so by a copy of the anchor that is kept elsewhere.
"""

import re
from dataclasses import dataclass
from hashlib import sha256

MAX_LINE = 16 * 2**20
"""No entry comes near; a longer line isn't ours."""

_START = re.compile(rb'\{"seq":([1-9][0-9]{0,17}),"prev":"([0-9a-f]{64})",')
_END = re.compile(rb',"hash":"([0-9a-f]{64})"\}\n')
_END_LENGTH = len(b',"hash":""}\n') + 64


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: the last entry's `seq` and `hash`."""

    seq: int
    hash: str


GENESIS = Head(0, "0" * 64)
"""Before the first entry of a file."""


@dataclass(frozen=True, slots=True)
class Link:
    """An intact line, as far as its own bytes say."""

    seq: int
    prev: str
    hash: str

    @property
    def head(self) -> Head:
        return Head(self.seq, self.hash)

    def follows(self, head: Head) -> bool:
        return self.seq == head.seq + 1 and self.prev == head.hash


def link(head: Head, body: bytes) -> tuple[bytes, Head]:
    """The line for an entry (a JSON object with members, no newline), and the new end."""
    seq = head.seq + 1
    start = b'{"seq":%d,"prev":"%s",%s' % (seq, head.hash.encode(), body[1:-1])
    digest = sha256(start).hexdigest()
    return b'%s,"hash":"%s"}\n' % (start, digest.encode()), Head(seq, digest)


def read(line: bytes) -> Link | None:
    """What a line says about itself, or None if its bytes are not those that were written."""
    start, end = _START.match(line), _END.fullmatch(line, max(0, len(line) - _END_LENGTH))
    if start is None or end is None:
        return None
    digest = sha256(memoryview(line)[:-_END_LENGTH]).hexdigest()
    if digest.encode() != end[1]:
        return None
    return Link(int(start[1]), start[2].decode(), digest)
