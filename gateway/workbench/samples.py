"""A body as an upstream would send it: its bytes, and the head that declares them."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import BadUpstream, Unavailable
from gateway.inspection.formats import FORMATS
from gateway.inspection.multipartscan import boundary_in
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.source import Body, read
from gateway.model import Format
from gateway.stored import InMemory, OnDisk, Stored
from gateway.workbench.unusable import Unusable

_IN_MEMORY = 16 * 2**20
"""Bytes of a file that is held in memory; a bigger one is read where it lies."""
_MOST_PIPED = 256 * 2**20
_GZIP = b"\x1f\x8b"
_FIRST_LINE = 80
"""Bytes that have the first delimiter of a multipart body."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One response at rest. `headers` are field lines as they came, or as an upstream would write
    them; a `status` other than 200 is refused as it would be from the upstream."""

    stored: Stored
    headers: tuple[tuple[bytes, bytes], ...]
    status: int = 200


def sample(
    body: bytes | Stored,
    expected: Format | BodySpec,
    *,
    content_type: str | None = None,
    coding: str | None = None,
) -> Sample:
    """A response with this body; what is not declared is declared as `expected` should be.

    `content_type` and `coding` are field values. Raises Unusable where they can't be in a head.
    """
    stored = InMemory(body) if isinstance(body, bytes) else body
    spec = expected if isinstance(expected, BodySpec) else BodySpec(expected)
    given = FORMATS[spec.format].declared(spec)[0] if content_type is None else content_type
    if given.startswith("multipart/") and ";" not in given:
        boundary = boundary_in(stored.pread(_FIRST_LINE, 0)) or b"none"
        given += f'; boundary="{boundary.decode("ascii")}"'
    fields = [("Content-Type", given)]
    if coding:
        fields.append(("Content-Encoding", coding))
    headers = [(name.encode(), _field(name, value)) for name, value in fields]
    return Sample(stored, (*headers, (b"Content-Length", b"%d" % stored.size)))


def declared(spec: BodySpec) -> str | None:
    """The type that the bodies of an endpoint declare, where it isn't the first of its format."""
    if spec.media_type or spec.compression:
        return str(FORMATS[spec.format].declared(spec)[0])
    return "application/fhir+ndjson" if spec.lines else None


def _field(name: str, value: str) -> bytes:
    if not value.isascii() or not value.isprintable():
        raise Unusable(f"{name}: {value!r} can't stand in the head of a response")
    return value.encode()


@contextmanager
def opened(file: Path) -> Iterator[Stored]:
    """The bytes of a file, `-` being standard input, for as long as the context lasts.

    Raises Unusable.
    """
    if str(file) == "-":
        data = sys.stdin.buffer.read(_MOST_PIPED + 1)
        if len(data) > _MOST_PIPED:
            raise Unusable(f"standard input: more than {_MOST_PIPED >> 20} MiB; use a file")
        yield InMemory(data)
        return
    try:
        # Not blocking, or a named pipe would hold us here for ever.
        fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise Unusable(f"{file}: can't be read: {reason}") from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            is_folder = stat.S_ISDIR(status.st_mode)
            raise Unusable(
                f"{file}: {'a folder, not a file' if is_folder else 'not a regular file'}"
            )
        on_disk = OnDisk(fd, status.st_size)
        yield on_disk if on_disk.size > _IN_MEMORY else InMemory(_bytes(file, on_disk))
    finally:
        os.close(fd)


def whole(file: Path, most: int) -> bytes:
    """All bytes of a file, or of standard input. Raises Unusable, also where it has more than
    `most`."""
    with opened(file) as stored:
        if stored.size > most:
            raise Unusable(f"{file}: more than {most >> 20} MiB")
        return _bytes(file, stored)


def plain_bytes(name: str, data: bytes, most: int) -> bytes:
    """A body without its gzip, where it has one, inflated as the gateway would. Raises Unusable."""
    if not data.startswith(_GZIP):
        return data
    limits = Limits(body=len(data), decoded=most)
    try:
        return b"".join(Body(InMemory(data), ("gzip",), limits).chunks())
    except BadUpstream as refusal:
        raise Unusable(f"{name}: {refusal.note}") from None


def _bytes(file: Path, stored: Stored) -> bytes:
    try:
        return b"".join(read(stored))
    except Unavailable:
        raise Unusable(f"{file}: changed while it was read") from None
