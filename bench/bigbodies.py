"""Bodies too big to keep: made while they are sent, of a few blocks again and again.

In those named by thirds, every third line or member is a stranger's.
"""

import random
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import BinaryIO, cast

from bench.bodies import FOREIGN, OWNER

MEMBER = 50_000_000
_LINE, _LINES = 8_192, 120
"""Long lines, as of an export with letters in it; a multiple of three of them in each block."""
_BLOCK = _LINE * _LINES

Send = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class BigBody:
    """One body: what it is for the gateway, and what sends about `size` bytes of it."""

    name: str
    format: str
    media_type: str
    size: int
    thirds: bool

    @property
    def path(self) -> str:
        return f"/{self.name}"

    @property
    def length(self) -> int | None:
        """Its exact size, where that is known before it is made."""
        return -(-self.size // _BLOCK) * _BLOCK if self.format == "ndjson" else None

    def send(self, send: Send) -> None:
        (lines if self.format == "ndjson" else archive)(send, self.size, self.thirds)


def owners(count: int, thirds: bool) -> Iterator[str]:
    return (FOREIGN if thirds and number % 3 == 2 else OWNER for number in range(count))


def lines(send: Send, size: int, thirds: bool, keep: Callable[[str], bool] = bool) -> None:
    """NDJSON of at least this size; only the lines whose owner is to be kept."""
    block = b"".join(map(_line, filter(keep, owners(_LINES, thirds))))
    for _ in range(-(-size // _BLOCK)):
        send(block)


def _line(owner: str) -> bytes:
    start = b'{"customer":{"id":"%s"},"letter":"' % owner.encode()
    return start.ljust(_LINE - 3, b"x") + b'"}\n'


def names(size: int, thirds: bool, member: int = MEMBER) -> list[str]:
    """The members of an archive, in order."""
    count = max(3, size // member)
    return [f"{owner}/{number:04}.bin" for number, owner in enumerate(owners(count, thirds))]


def archive(send: Send, size: int, thirds: bool, member: int = MEMBER) -> None:
    """A ZIP of stored members, written as to a pipe: its sizes stand behind each member, and what
    lies beyond 4 GiB makes it a ZIP64."""
    block = _noise()
    with zipfile.ZipFile(cast(BinaryIO, _Pipe(send)), "w") as written:
        for name in names(size, thirds, member):
            with written.open(zipfile.ZipInfo(name), "w") as target:
                for _ in range(member // len(block)):
                    target.write(block)


@cache
def _noise() -> bytes:
    """The same anywhere, and nothing that could be taken for a part of a ZIP."""
    block = random.Random(5).randbytes(1_000_000)
    assert b"PK" not in block.replace(b"PK", b"KP")
    return block.replace(b"PK", b"KP")


class _Pipe:
    """A file that can only be written: what `zipfile` needs of one."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def write(self, data: bytes) -> int:
        if data:  # an empty chunk would be the end
            self._send(bytes(data))
        return len(data)

    def flush(self) -> None: ...


def bodies(size: int, each: int) -> dict[str, BigBody]:
    """All, by name; `each` for the one that many ask for at once."""
    ndjson = partial(BigBody, format="ndjson", media_type="application/x-ndjson")
    zipped = partial(BigBody, format="zip", media_type="application/zip")
    every = (
        ndjson("ndjson", size=size, thirds=False),
        ndjson("ndjson-thirds", size=size, thirds=True),
        zipped("zip", size=size, thirds=False),
        zipped("zip-thirds", size=size, thirds=True),
        ndjson("crowd", size=each, thirds=False),
    )
    return {body.name: body for body in every}
