"""Multipart bodies (mixed, form-data, related, byteranges): whose each part is; see `archive`.

A part is a member, named as `multipartheaders` says: one record, or made of records where its
specification names a format. Which boundary clients look for stands in the Content-Type of the
response, and must be the one of the first line. A body of byte ranges is read only where
`media_type` asks for `multipart/byteranges`.

A body that is still coming is rewritten part by part (`multipartflow`), all others as archives are
(`multipartarchive`); both walk one scan (`multipartscan`).
"""

from gateway.errors import BadUpstream, Code
from gateway.inspection import archive, detection, fates, multipartflow
from gateway.inspection.inflation import Unfolding
from gateway.inspection.mediatypes import BOUNDARY
from gateway.inspection.multipartarchive import Container, Ranges, open_parts, wanted
from gateway.inspection.multipartdirectory import read_directory
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Flow, Source, Stored
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Counts
from gateway.response import Payload

MEDIA_TYPES = ("multipart/mixed", "multipart/form-data", "multipart/related")


def detect(payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`. Of a body that is still coming, the head may end in its first line."""
    if payload.charset is not None:
        raise detection.mismatch("the charset")
    if payload.boundary is None or not BOUNDARY.fullmatch(payload.boundary):
        raise detection.mismatch("the declared boundary")
    line = b"--%b\r\n" % payload.boundary.encode("ascii")
    if not head or not (head.startswith(line) or line.startswith(head)):
        raise detection.mismatch("the declared boundary")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Read every part to its end; count it, or the records in it. Raises BadUpstream."""
    whole = _as_body(spec)
    body = archive.at_random(source)
    with body.laid_out() as stored:
        unfolding = Unfolding(limits, body.stored.size)
        unfolding.count(stored.size)
        opened = _open(stored, whole, limits, archive.Around.of(body, whole, unfolding))
        archive.count_all(opened, stored.size, tally)


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write a new body of the parts that the verdict keeps; see `fates`.

    Raises BadUpstream(REDACTION_UNSUPPORTED) where no part stays, and where one that is a range of
    a document would change.
    """
    whole = _as_body(spec)
    if isinstance(source, Flow):
        return multipartflow.rewrite(source, whole, limits, verdict, sink)
    body = archive.at_random(source)
    with body.laid_out() as stored:
        opened = _open(stored, whole, limits, archive.Around.of(body, whole))
        return fates.rewrite(opened, verdict, sink)


def _as_body(spec: BodySpec | MemberSpec) -> BodySpec:
    if not isinstance(spec, BodySpec):
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, "parts inside an archive: no boundary is given")
    return spec


def _open(
    stored: Stored, spec: BodySpec, limits: Limits, around: archive.Around
) -> archive.Archive:
    container = Container(stored, read_directory(stored, limits, wanted(spec)))
    return open_parts(container, spec, limits, around, Ranges(spec))
