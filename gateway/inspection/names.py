"""The names of an archive's members: what every reader, on any file system, takes for the same.

A name must stay what it is wherever the archive is unpacked, so that anything that some readers
repair or fold (backslashes, `..`, drive letters) is refused, and so are two names that become one
file somewhere.
"""

import re
import unicodedata
from collections.abc import Sequence

from gateway.errors import BadUpstream, Code

LONGEST = 4096
"""The longest name, in bytes."""

_MAX_SEGMENTS = 128

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
    """No two members may become one file on any file system, nor a file a directory."""
    seen: set[str] = set()
    parents: set[str] = set()
    for name in names:
        key = folded(name.removesuffix("/"))
        if key in seen:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "two members of one name")
        seen.add(key)
        parent = key.rpartition("/")[0]
        while parent and parent not in parents:
            parents.add(parent)
            parent = parent.rpartition("/")[0]
    files = (folded(name) for name in names if not name.endswith("/"))
    if any(key in parents for key in files):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a member inside a member that is a file")
