"""What a manifest states of a member, its size and its hashes, held against the member's bytes.

A manifest whose member is another file than the one it lists vouches for nothing. The bytes are
those in the archive, before a compression of their own is undone.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.errors import BadUpstream, Code

if TYPE_CHECKING:
    from gateway.inspection.archive import Contents, Entry

_SIZE = re.compile("(?:0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Stated:
    """`digests` are pairs of an algorithm and the bytes it must give."""

    size: int | None = None
    digests: tuple[tuple[str, bytes], ...] = ()

    def __bool__(self) -> bool:
        return self.size is not None or bool(self.digests)


NOTHING = Stated()


def size(value: Any) -> int:
    """A whole number, or its digits. Raises BadUpstream."""
    if type(value) is str and _SIZE.fullmatch(value):
        return int(value)
    if type(value) is int and value >= 0:
        return value
    raise BadUpstream(Code.BODY_AMBIGUOUS, "a manifest states a size that is none")


def digest(algorithm: str, value: Any) -> bytes:
    """A hash in hexadecimal or base64. Raises BadUpstream."""
    length = hashlib.new(algorithm, usedforsecurity=False).digest_size
    if type(value) is str and value.isascii():
        for decoded in (bytes.fromhex, _base64):
            try:
                found = decoded(value)
            except (ValueError, binascii.Error):
                continue
            if len(found) == length:
                return found
    raise BadUpstream(Code.BODY_AMBIGUOUS, f"a manifest states a {algorithm} that is none")


def _base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


@dataclass(slots=True)
class Verified:
    """The contents of a member, proven to be what a manifest states; see `archive.Contents`."""

    contents: "Contents"
    stated: Stated
    proven: bool = False

    @property
    def entry(self) -> "Entry":
        return self.contents.entry

    def chunks(self) -> Iterator[bytes]:
        """The bytes. Raises BadUpstream(MANIFEST_MISMATCH) at their end."""
        hashes = [hashlib.new(name, usedforsecurity=False) for name, _ in self.stated.digests]
        length = 0
        for chunk in self.contents.chunks():
            length += len(chunk)
            for each in hashes:
                each.update(chunk)
            yield chunk
        wanted = [value for _, value in self.stated.digests]
        same = all(map(hmac.compare_digest, (each.digest() for each in hashes), wanted))
        if self.stated.size not in (None, length) or not same:
            number = self.entry.number
            raise BadUpstream(
                Code.MANIFEST_MISMATCH, f"member {number} is not what its manifest states"
            )
        self.proven = self.contents.proven
