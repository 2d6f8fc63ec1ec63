"""The member that tells a reader of a redacted archive that something was left out, and how much.

Its text is constant but for two counts. One that comes from the upstream is never handed on.
"""

import re
from typing import TYPE_CHECKING

from gateway.errors import BadUpstream, Code
from gateway.inspection.names import folded

if TYPE_CHECKING:
    from gateway.inspection.archive import Container

_TEXT = b"""\
Parts of this archive were left out, because they are not for whoever asked for it.

Records left out: %d
Members left out: %d
"""
_PATTERN = re.compile(re.escape(_TEXT).replace(b"%d", b"[0-9]{1,12}"))
_LONGEST = len(_TEXT) + 24


def text(records: int, members: int) -> bytes:
    return _TEXT % (records, members)


def is_named(member: str, name: str) -> bool:
    """Whether a member would have the notice's name on some file system, or be in it."""
    return folded(member.partition("/")[0]) == folded(name)


def find(container: "Container", name: str) -> int | None:
    """The number of the notice in an archive. Raises BadUpstream(BODY_AMBIGUOUS) where something
    else has its name."""
    for entry in container.entries:
        if is_named(entry.name, name):
            if entry.name == name and entry.size <= _LONGEST:
                data = b"".join(container.contents(entry.number).chunks())
                if _PATTERN.fullmatch(data):
                    return entry.number
            raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {entry.number} has the notice's name")
    return None
