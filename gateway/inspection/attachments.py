"""What is attached to a message, where an endpoint asks for it to be read: whose it is, too.

A specification's `match` is a pattern over a part's media type (`application/json`, `text/*`): file
names are written in too many ways. What matches is read as its format, and all owners in it are
owners of the message beside its own. Something in it that has no owner leaves the message without
one. What doesn't match belongs to the message, and isn't read; a type that some readers repair into
one that matches is refused.
"""

from collections.abc import Iterable, Sequence

from gateway.errors import BadUpstream, Code
from gateway.inspection import mediatypes
from gateway.inspection.members import UNMATCHED, first_match
from gateway.inspection.mimetree import Part
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.source import Body, InMemory
from gateway.inspection.tally import Owners, Tally, check_owners
from gateway.inspection.transfer import decoded
from gateway.model import Format, SubjectRef
from gateway.response import Payload

_HEAD = 4096


def owners_inside(
    message: bytes, parts: Iterable[Part], specs: Sequence[MemberSpec], limits: Limits
) -> Owners | None:
    """The owners of all records in the parts that are read; None where one has none.

    Raises BadUpstream, as the formats do; BODY_TOO_COMPLEX for more owners than limits.subjects.
    """
    found: dict[SubjectRef, None] = {}
    for part in parts:
        if specs and not mediatypes.is_one(part.declared):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "an attachment of a type that can't be read")
        spec, _ = first_match(part.kind.name, specs)
        if spec is UNMATCHED:
            continue
        for group in _read(message, part, spec, limits).groups:
            if not group.owners:
                return None
            found.update(dict.fromkeys(group.owners))
        check_owners(len(found), limits)
    return tuple(found)


def _read(message: bytes, part: Part, spec: MemberSpec, limits: Limits) -> Tally:
    from gateway.inspection.formats import FORMATS  # the table holds the mail formats, too

    reader = FORMATS.get(spec.format)
    if reader is None or reader.random_access or spec.format is Format.OPAQUE:
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, "an attachment that can't be read in a message")
    _, mark, rest = (part.declared or "").partition(";")
    charset = mediatypes.parameters(mark + rest, 0).get("charset")
    text = message[part.begin : part.end]
    data = decoded(text, part.encoding)
    payload = Payload(part.kind.name, charset.lower() if charset else None)
    reader.detect(payload, data[:_HEAD], BodySpec(spec.format, encoding=spec.encoding))
    tally = Tally(limits)
    body = Body(InMemory(data), (), limits)
    reader.inspect(body, spec, limits, tally)
    if body.meter.inspected != len(data):
        raise BadUpstream(Code.BODY_INCOMPLETE, "some bytes of an attachment belong to no record")
    return tally
