"""A folder → its files, as they were at one moment.

A folder can change while it is read, above all a mounted ConfigMap: there each file is a symlink
through `..data`, which Kubernetes swaps to a new version in one step. Reading takes the folder's
look before and after, and the stamp of each file that was read; only if all three agree, every
file is of the same version. Otherwise it is read again.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.policy.bundles.contents import SIGNATURES, counts
from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.files import Stamp, read

_MAX_FILES = 1_000
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Look:
    """How a folder looks without reading its files: where it really is, and a stamp for each."""

    root: Path
    stamps: Mapping[str, Stamp]


def look(folder: Path, *, whole: bool = False) -> Look:
    """The look of a folder: of the files that count, or of all (`whole`). Raises BundleError."""
    _check_folder(folder)
    root = _resolved(folder)
    stamps: dict[str, Stamp] = {}
    for path in _paths(root, (lambda _: True) if whole else _matters):
        name = path.relative_to(root).as_posix()
        if not name.isprintable():
            raise BundleError(folder, "a file name that is not printable")
        if len(stamps) >= _MAX_FILES:
            raise BundleError(folder, f"more than {_MAX_FILES} files")
        if not _resolved(path).is_relative_to(root):
            raise BundleError(path, "a symlink that leads out of the folder")
        try:
            stamps[name] = Stamp.of(path.stat())
        except OSError as error:
            raise BundleError(path, os.strerror(error.errno or 0)) from None
    return Look(root, stamps)


def read_folder(
    folder: Path, limit: int, *, whole: bool = False
) -> tuple[Mapping[str, bytes], Look]:
    """The files by their path inside the folder, `limit` bytes together, and the folder's look.

    Raises BundleError.
    """
    fault = BundleError(folder, "changes again and again while it is read")
    for _ in range(_ATTEMPTS):
        try:
            before = look(folder, whole=whole)
            contents, stamps = _contents(before, limit)
            if stamps == before.stamps and look(folder, whole=whole) == before:
                return contents, before
        except BundleError as error:
            if str(error) == str(fault):
                break
            fault = error  # or it was swapped under our hands: look again
    raise fault


def _contents(looked: Look, limit: int) -> tuple[dict[str, bytes], dict[str, Stamp]]:
    contents: dict[str, bytes] = {}
    stamps: dict[str, Stamp] = {}
    left = limit
    for name in looked.stamps:
        contents[name], stamps[name] = read(looked.root / name, left)
        left -= len(contents[name])
    return contents, stamps


def _matters(name: str) -> bool:
    return counts(name) or name == SIGNATURES


def _paths(root: Path, wanted: Callable[[str], bool]) -> Iterator[Path]:
    for directory, folders, names in os.walk(root, onerror=_unreadable):
        here = Path(directory)
        # A mounted ConfigMap keeps its versions in folders named `..data` and `..2026_…`.
        kept = (name for name in folders if not name.startswith("..") and name != ".git")
        folders[:] = sorted(kept)
        for name in folders:
            if (here / name).is_symlink():
                raise BundleError(here / name, "a symlink to a folder")
        for name in sorted(names):
            path = here / name
            if wanted(path.relative_to(root).as_posix()):
                yield path


def _unreadable(error: OSError) -> None:
    raise BundleError(error.filename, os.strerror(error.errno or 0))


def _check_folder(path: Path) -> None:
    fault = "not a folder and not a .tar.gz"
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        raise BundleError(path, f"{fault}: there is nothing") from None
    except OSError as error:
        raise BundleError(path, os.strerror(error.errno or 0)) from None
    except ValueError:  # a NUL in its name
        is_folder = False
    if not is_folder:
        raise BundleError(path, fault)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a loop
        raise BundleError(path, "a symlink that leads nowhere") from None
