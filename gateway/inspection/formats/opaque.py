"""A body that nobody reads (audio, an image, a PDF): one record, whose owner a header names.

It is released whole or not at all: there is nothing in it that could be taken out.
"""

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Body, Source
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Counts
from gateway.response import Payload

MEDIA_TYPES = ("application/octet-stream",)


def detect(_payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`. Any bytes will do, but an empty body is nobody's."""
    if not head:
        raise BadUpstream(Code.BODY_INCOMPLETE, "an empty body")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Read to the end, and count one record. Raises BadUpstream as the source does."""
    for _ in source.chunks():
        pass
    owners = source.owners if isinstance(source, Body) else ()
    tally.add(owners, Attribution.CONTAINER, spec.category)


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write the whole of it, or raise BadUpstream(REDACTION_UNSUPPORTED)."""
    owners = source.owners if isinstance(source, Body) else ()
    if not verdict.keeps(owners, spec.category):
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, "nothing can be taken out of an opaque body")
    for chunk in source.chunks():
        sink.write(chunk)
    return Counts(seen=1, released=1)
