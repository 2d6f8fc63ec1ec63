"""The names of an archive's members: what every reader, on any file system, takes for the same.

A name must stay what it is wherever the archive is unpacked, so that anything that some readers
repair or fold (backslashes, `..`, drive letters) is refused, and so are two names that become one
file somewhere.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from gateway.errors import BadUpstream, Code

LONGEST = 4096
"""The longest name, in bytes."""

_MAX_SEGMENTS = 128

_MAX_LETTERS = 64 * 2**20
"""All names are held in memory; a hundred thousand usual ones have 5 million letters."""

# Control characters, line separators, marks that turn the writing direction (CVE-2021-42574),
# byte order marks, noncharacters; then backslash, empty, `.` and `..` segments, drive letters.
_TREACHEROUS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufdd0-\ufdef\ufffe\uffff]"
    r"|\\|(?:^|/)\.{0,2}(?:/|$)|^[A-Za-z]:"
)

_DROPPED = re.compile("(?<![. ])[. ]++(?=/|$)")


def check(name: str, member: int) -> None:
    """Raises BadUpstream for a name that readers alter; a directory's ends with a slash."""
    if _TREACHEROUS.search(name.removesuffix("/")):
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {member}: name that readers alter")
    if name.count("/") > _MAX_SEGMENTS:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, f"member {member}: name of too many segments")


def folded(name: str) -> str:
    """What a case-insensitive, normalising file system (APFS, NTFS) makes of a name.

    Windows drops dots and spaces at the end of a segment.
    """
    name = _DROPPED.sub("", name)
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def check_distinct(names: Sequence[str]) -> None:
    """No two members may become one file on any file system, nor a file a directory.

    Folders are found by search and not listed: those of deep names are many times as long as these.
    """
    check_letters(sum(map(len, names)))
    unsorted = [folded(name.removesuffix("/")) for name in names]
    keys = sorted(unsorted)
    if any(one == two for one, two in pairwise(keys)):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "two members of one name")
    files = (key for key, name in zip(unsorted, names, strict=True) if not name.endswith("/"))
    if any(is_around(key + "/", keys) for key in files):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a member inside a member that is a file")


class Distinct:
    """Names of files that come one after the other, each held against those before it, as
    `check_distinct` does with all of them; who takes them counts their letters (`check_letters`).
    Raises BadUpstream."""

    def __init__(self) -> None:
        self._keys: list[str] = []

    def add(self, name: str) -> None:
        key = folded(name)
        at = bisect_left(self._keys, key)
        if self._is_at(at, key):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "two members of one name")
        folders = (key[:end] for end, letter in enumerate(key) if letter == "/")
        if is_around(key + "/", self._keys) or any(
            self._is_at(bisect_left(self._keys, folder), folder) for folder in folders
        ):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a member inside a member that is a file")
        self._keys.insert(at, key)

    def _is_at(self, at: int, key: str) -> bool:
        return at < len(self._keys) and self._keys[at] == key


def check_letters(letters: int) -> None:
    """Whether so many letters in all names so far can be held. Raises BadUpstream."""
    if letters > _MAX_LETTERS:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, "names of too many letters together")


def is_around(folder: str, names: Sequence[str]) -> bool:
    """Whether one of the names, which are sorted, is in a folder, which ends with a slash."""
    at = bisect_left(names, folder)
    return at < len(names) and names[at].startswith(folder)
