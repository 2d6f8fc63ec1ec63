"""A body that nobody reads (audio, an image, a PDF): one record, whose owner a header names, or its
own metadata where the endpoint says which (see `metadata`).

It is released whole or not at all: there is nothing in it that could be taken out.
"""

from gateway.errors import BadUpstream, Code
from gateway.inspection import metadata
from gateway.inspection.members import joint
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Body, Source
from gateway.inspection.tally import Owners, Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Counts
from gateway.response import Payload

MEDIA_TYPES = ("application/octet-stream",)

locator = metadata.compile


def detect(_payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`. Any bytes will do, but an empty body is nobody's."""
    if not head:
        raise BadUpstream(Code.BODY_INCOMPLETE, "an empty body")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Read to the end, and count one record. Raises BadUpstream as the source and `metadata` do,
    and BODY_TOO_LARGE where metadata is asked for and the whole is more than limits.record."""
    if not spec.subject:
        for _ in source.chunks():
            pass
        tally.add(_around(source), Attribution.CONTAINER, spec.category)
        return
    owners = _owners(_whole(source, limits), source, spec)
    tally.add(owners, Attribution.DIRECT, spec.category)


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write the whole of it, or raise BadUpstream(REDACTION_UNSUPPORTED)."""
    if spec.subject:
        data = _whole(source, limits)
        _check_kept(_owners(data, source, spec), spec, verdict)
        sink.write(data)
    else:
        _check_kept(_around(source), spec, verdict)
        for chunk in source.chunks():
            sink.write(chunk)
    return Counts(seen=1, released=1)


def _around(source: Source) -> Owners:
    """The owners that a header names."""
    return source.owners if isinstance(source, Body) else ()


def _owners(data: bytes, source: Source, spec: BodySpec | MemberSpec) -> Owners:
    """Those that the metadata names, and a header; nobody where the metadata names none."""
    found = metadata.owners_of(data, spec.subject)
    return joint(found, _around(source)) if found else ()


def _check_kept(owners: Owners, spec: BodySpec | MemberSpec, verdict: Verdict) -> None:
    if not verdict.keeps(owners, spec.category):
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, "nothing can be taken out of an opaque body")


def _whole(source: Source, limits: Limits) -> bytes:
    chunks, size = list[bytes](), 0
    for chunk in source.chunks():
        size += len(chunk)
        if size > limits.record:
            raise BadUpstream(Code.BODY_TOO_LARGE, "a file with metadata beyond limits.record")
        chunks.append(chunk)
    return b"".join(chunks)
