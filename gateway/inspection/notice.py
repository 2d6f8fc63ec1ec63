"""What tells a reader of a redacted body that something was left out, and how much.

    an archive   a member, such as `REMOVED.txt`
    JSON         a member of the document's root, as the extensions of a problem are (RFC 9457
                 section 3.2): `"removed": {"records": 2, "reason": "withheld_by_policy"}`

It is constant but for the counts. One that comes from the upstream is never handed on.
"""

import re
from typing import TYPE_CHECKING, Any

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


_REASON = "withheld_by_policy"
_MOST = 10**12


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


def in_json(name: str, records: int) -> bytes:
    """The member of a JSON object. `name` is one that JSON writes as it is."""
    return b'"%b":{"records":%d,"reason":"%b"}' % (name.encode(), records, _REASON.encode())


def is_in_json(value: Any) -> bool:
    """Whether it is what `in_json` makes."""
    if not isinstance(value, dict) or value.keys() != {"records", "reason"}:
        return False
    records = value["records"]
    return value["reason"] == _REASON and type(records) is int and 0 < records < _MOST
