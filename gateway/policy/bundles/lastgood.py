"""The last good bundle on disk: what a restart remembers.

    <place>.json                  edition, digest, ETag, when the source last confirmed it
    <place>.<digest>.tar.gz       the archive that it came in, where it came from a server

`<place>` is a digest of where the bundle comes from, so that several sources can share a folder and
none takes another's. Each file is written beside, made durable and renamed; the archive is there
before the record that names it. Files are 0600 in a folder that is 0700 and ours.

An archive from here is proven like one from the network: its digest, its signature, its content.
"""

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from gateway.policy.bundles.contents import Edition
from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.files import read

_MAX_RECORD = 64 << 10
_VERSION = 1

_Hex = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Short = Annotated[str, msgspec.Meta(max_length=1024)]


class _Record(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    revision: _Short
    edition: _Hex
    digest: _Hex
    confirmed: float
    etag: _Short
    archive: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?\Z")]


@dataclass(frozen=True, slots=True)
class LastGood:
    """What was active last. `digest` is with its overlay, `confirmed` in Unix seconds; `archive` is
    None where the bundle didn't come in one that is worth keeping."""

    edition: Edition
    digest: str
    confirmed: float
    etag: str = ""
    archive: bytes | None = None


class Shelf:
    """The place on disk for the last good bundle of one source. Blocking: belongs in a thread."""

    def __init__(self, folder: Path, location: str) -> None:
        self._folder = folder
        self._name = hashlib.sha256(location.encode()).hexdigest()[:32]
        self._record = folder / f"{self._name}.json"

    def load(self, limit: int) -> LastGood | None:
        """None where nothing was kept yet. Raises BundleError where it can't be read.

        A damaged record isn't taken for none: an older bundle would then be as good as a new one.
        """
        self._prepare()
        with self._locked():
            return self._load(limit)

    def _load(self, limit: int) -> LastGood | None:
        if not self._record.exists():
            return None
        content, _ = read(self._record, _MAX_RECORD)
        try:
            record = msgspec.json.decode(content, type=_Record)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            raise BundleError(self._record, "damaged; remove it to forget the last good") from None
        if record.version != _VERSION:
            raise BundleError(self._record, "written by another version; remove it to forget it")
        archive = self._archive(record.archive, limit) if record.archive else None
        edition = Edition(record.revision, record.edition)
        return LastGood(edition, record.digest, record.confirmed, record.etag, archive)

    def save(self, good: LastGood) -> None:
        """Durable when this returns. Raises BundleError; the one before is then still there."""
        self._prepare()
        with self._locked():
            self._save(good)

    def _save(self, good: LastGood) -> None:
        digest = hashlib.sha256(good.archive).hexdigest() if good.archive is not None else ""
        if good.archive is not None and not self._place(digest).exists():
            self._write(self._place(digest), good.archive)
        self._write_record(good, digest)
        for old in self._folder.glob(f"{self._name}.*.tar.gz"):
            if old != self._place(digest):
                with suppress(OSError):  # kept for longer, it does no harm
                    old.unlink()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Several processes of one gateway keep the same bundle here: a record and its archive are
        one. Held for as long as the folder is open."""
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _archive(self, digest: str, limit: int) -> bytes:
        content, _ = read(self._place(digest), limit)
        if hashlib.sha256(content).hexdigest() != digest:
            raise BundleError(self._place(digest), "damaged: not what was written")
        return content

    def _place(self, digest: str) -> Path:
        return self._folder / f"{self._name}.{digest}.tar.gz"

    def _write_record(self, good: LastGood, archive: str) -> None:
        record = _Record(
            version=_VERSION,
            revision=good.edition.revision,
            edition=good.edition.digest,
            digest=good.digest,
            confirmed=good.confirmed,
            etag=good.etag,
            archive=archive,
        )
        self._write(self._record, msgspec.json.encode(record))

    def _prepare(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self._folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                message = "not a folder of our own; name a new one inside it, which is then made"
                raise BundleError(self._folder, message)
            self._folder.chmod(0o700)
        except OSError as error:
            raise BundleError(self._folder, os.strerror(error.errno or 0)) from None

    def _write(self, path: Path, content: bytes) -> None:
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(beside, flags, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise BundleError(path, os.strerror(error.errno or 0)) from None
