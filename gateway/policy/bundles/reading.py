"""A folder or an archive, wherever it lies → a bundle: read, unpacked, proven, parsed.

The signature is verified before anything else of the content is believed.
"""

import hashlib
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.policy.bundles import archive, contents, documents, files
from gateway.policy.bundles.contents import Bundle, Overlay
from gateway.policy.bundles.folder import Look, look, read_folder
from gateway.policy.bundles.keys import read_key
from gateway.policy.bundles.settings import DeliverySettings
from gateway.policy.bundles.signatures import verify


@dataclass(frozen=True, slots=True)
class Glance:
    """How a place and its overlay look without being read; None where there is nothing."""

    place: Look | files.Stamp | None
    overlay: files.Stamp | None


def glance(path: Path, overlay: Path | None, settings: DeliverySettings) -> Glance:
    """Cheap: `stat` only. Raises BundleError where a folder can't even be listed."""
    place = files.stamp(path)
    is_folder = place is not None and stat.S_ISDIR(place.mode)
    seen = look(path, whole=settings.signing is not None) if is_folder else place
    return Glance(seen, files.stamp(overlay) if overlay else None)


def read_path(path: Path, overlay: Path | None, settings: DeliverySettings) -> Bundle:
    """The bundle in a folder or in a `.tar.gz`. Raises BundleError."""
    place = files.stamp(path)
    if place and stat.S_ISREG(place.mode):
        content, _ = files.read(path, settings.max_size)
        return read_archive(content, str(path), overlay, settings)
    whole = settings.signing is not None
    found, _ = read_folder(path, settings.max_size, whole=whole)
    return _proven(found, str(path), overlay, settings)


def read_archive(
    content: bytes, origin: str, overlay: Path | None, settings: DeliverySettings
) -> Bundle:
    """The bundle in the bytes of a `.tar.gz`. Raises BundleError."""
    found = archive.unpack(content, origin, settings.max_size)
    return _proven(found, origin, overlay, settings)


def read_overlay(path: Path, limit: int) -> Overlay:
    """Raises BundleError."""
    content, _ = files.read(path, limit)
    document = documents.parse_deployment(str(path), content)
    return Overlay(str(path), document, hashlib.sha256(content).hexdigest())


def _proven(
    found: Mapping[str, bytes], origin: str, overlay: Path | None, settings: DeliverySettings
) -> Bundle:
    key = read_key(settings.signing) if settings.signing else None
    verify(found, key, origin, time.time())
    over = read_overlay(overlay, settings.max_size) if overlay else None
    return contents.parse(found, origin, over)
