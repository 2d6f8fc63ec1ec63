"""A multipart body as it comes: each part is decided, and written or dropped, when it was read.

What is made of records that can leave one by one does so: its header leaves with the first record
that stays, and the part goes if none does. Any other part is held, up to `limits.record`, and then
becomes what `fates` makes of it at rest; among these are parts whose header says something of the
whole content: its length, its range, that it is base64. One that was changed is read again before
it leaves. Nothing may stand behind a part that says whose it is, so that manifests are for bodies
at rest.
"""

from collections.abc import Callable
from dataclasses import replace

from gateway.errors import BadUpstream, Code, InternalError
from gateway.inspection import archive, confirmation, fates, locators, names, notice
from gateway.inspection.archive import Around
from gateway.inspection.fates import Way
from gateway.inspection.inflation import Unfolding
from gateway.inspection.locators import Wildcard
from gateway.inspection.members import Member, first_match
from gateway.inspection.multipartarchive import (
    Container,
    Ranges,
    as_body,
    as_part,
    check_said,
    open_parts,
    told,
    unsupported,
    wanted,
)
from gateway.inspection.multipartdirectory import Directory, entry_of, read_directory
from gateway.inspection.multipartscan import DASHES, END, Part, Scan
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import MemorySink, Sink
from gateway.inspection.source import Flow, InMemory
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Inquiry, Verdict
from gateway.model import Attribution, Counts, Group


def rewrite(source: Flow, spec: BodySpec, limits: Limits, verdict: Verdict, sink: Sink) -> Counts:
    """Write the parts that stay, as they come; see `formats.multipart`.

    Raises BadUpstream(REDACTION_UNSUPPORTED) also for what can only be read at rest.
    """
    if verdict.inquiry is None:
        raise InternalError(Code.INTERNAL_ERROR, "a body that comes, and nobody to ask")
    return _Parts(source, spec, limits, verdict, verdict.inquiry, sink).rewrite()


class _Parts:
    """The way through one body."""

    def __init__(
        self,
        source: Flow,
        spec: BodySpec,
        limits: Limits,
        verdict: Verdict,
        inquiry: Inquiry,
        sink: Sink,
    ) -> None:
        self._source, self._spec, self._limits = source, spec, limits
        self._verdict, self._inquiry, self._sink = verdict, inquiry, sink
        self._scan = Scan(source.chunks(), limits, wanted(spec))
        self._names, self._ranges = names.Distinct(), Ranges(spec)
        self._unfolding = Unfolding(limits, 0)
        self._gone, self._written = 0, False
        for member in spec.members:
            at_rest = archive.reader_of(member).random_access
            if member.vouches_for or member.owns_archive or at_rest:
                raise unsupported("manifests and archives among parts: not as they come")

    def rewrite(self) -> Counts:
        for part in self._scan:
            for name in part.said.distinct:
                self._names.add(name)
            spec, named = first_match(part.said.name, self._spec.members)
            if self._flows(part, spec):
                owners = told(part.number, part.said, spec)
                member = Member(spec, named, (), held=self._source.owners, told=owners)
                self._flow(part, member)
            else:
                self._hold(part)
        counts = self._verdict.progress.counts
        if self._spec.removed_notice and counts.redacted:
            self._add_notice(self._spec.removed_notice, counts.redacted)
        if not self._written:
            raise unsupported("no part would be left")
        self._sink.write(self._scan.tail)
        return counts

    def _flows(self, part: Part, spec: MemberSpec) -> bool:
        """Whether a part's records can leave before its end."""
        said, name = part.said, self._spec.removed_notice
        says_of_all = said.length is not None or said.range or said.is_base64
        is_notice = name is not None and notice.is_named(said.name, name)
        return not (says_of_all or is_notice) and _leaves_one_by_one(spec)

    def _flow(self, part: Part, member: Member) -> None:
        """Write the records that stay, as they come."""
        self._ranges.check(entry_of(part, 0), member)
        payload = check_said(part.number, part.said, member, self._spec)
        reader, body = archive.reader_of(member.spec), as_body(member.spec)
        progress = self._verdict.progress
        before = progress.released
        out = _Part(
            self._sink,
            part.lines,
            lambda: progress.released > before,
            DASHES + self._scan.boundary,
            self._limits.record,
        )
        content = Flow(
            part.chunks(), (), self._limits, lambda head: reader.detect(payload, head, body)
        )
        inside = replace(
            self._verdict,
            whose=member.owners,
            attribution=Attribution.DIRECT if member.tells else member.spec.attribution,
        )
        self._inquiry.tally.add_member()
        counts = reader.rewrite(content, member.spec, self._limits, inside, out)
        if not part.is_whole:
            raise InternalError(Code.INTERNAL_ERROR, "a part's reader stopped before its end")
        self._verdict.decision = inside.decision
        kept = counts.released
        if not counts.seen:
            kept = self._judge(archive.groups_hollow(member))
        if kept:
            out.finish()
            self._written = True
        else:
            self._gone += 1

    def _judge(self, groups: tuple[Group, ...]) -> int:
        """How many records stay of a part that has none inside."""
        if not groups:
            return 0
        verdict, progress = self._verdict, self._verdict.progress
        self._inquiry.tally.add_groups(groups)
        verdict.decision = self._inquiry.decision()
        kept = sum(each.records for each in groups if verdict.keeps(each.owners, each.category))
        progress.seen += sum(each.records for each in groups)
        progress.released += kept
        return kept

    def _hold(self, part: Part) -> None:
        """Read a part to its end, and write what it becomes."""
        pieces, size = [part.lines], 0
        for chunk in part.chunks():
            pieces.append(chunk)
            size += len(chunk)
            if size > self._limits.record:
                raise BadUpstream(Code.BODY_TOO_LARGE, f"part {part.number}: over limits.record")
        self._unfolding.received = self._source.meter.inspected
        self._unfolding.count(size)
        entry, verdict = entry_of(part, 0), self._verdict
        directory = Directory(self._scan.boundary, (entry,), entry.end + len(END))
        container = Container(InMemory(b"".join(pieces)), directory)
        around = Around(None, self._unfolding, self._source.owners, self._spec.removed_notice)
        opened = open_parts(container, self._spec, self._limits, around, self._ranges)
        found = self._count(opened)
        counted = replace(opened, around=replace(around, unfolding=None))
        decided = Verdict(verdict.decision, key=verdict.key)
        fate = fates.decide(counted, entry, decided)
        verdict.progress.seen += fate.seen
        verdict.progress.released += fate.kept
        if fate.way is Way.DROP:
            self._gone += part.number in opened.members
            return
        written = MemorySink()
        fates.write(counted, entry, fate, decided, container.writer(written))
        if fate.way is Way.CHANGE:
            self._confirm(written.getvalue(), part.number, found, fate.kept)
        self._sink.write(written.getvalue())
        self._written = True

    def _count(self, opened: archive.Archive) -> Tally:
        """Count a part that is held, and ask where there is something new."""
        found, tally = Tally(self._limits), self._inquiry.tally
        for _ in archive.count(opened, found):
            pass
        if found.members:
            tally.add_member(found.members - 1)
        tally.add_fields(found.fields)
        tally.add_groups(found.groups)
        if found.records:
            self._verdict.decision = self._inquiry.decision()
        return found

    def _confirm(self, written: bytes, number: int, before: Tally, kept: int) -> None:
        """Read a part that was changed again, before it leaves; see `work.confirm`."""
        decision, left = self._verdict.decision, Tally(self._limits)
        stored = InMemory(b"%b--%b--" % (written, self._scan.boundary))
        around = Around(owners=self._source.owners)
        try:
            directory = read_directory(stored, self._limits, wanted(self._spec), number)
            container = Container(stored, directory)
            opened = open_parts(container, self._spec, self._limits, around, Ranges(self._spec))
            archive.count_all(opened, stored.size, left)
        except BadUpstream as refusal:
            raise confirmation.refused(refusal, decision) from None
        confirmation.check(left.groups, before.groups, decision, kept)

    def _add_notice(self, name: str, left_out: int) -> None:
        if self._ranges.wanted:
            raise unsupported("a notice among ranges of a document")
        text = notice.text(left_out, self._gone)
        self._sink.write(as_part(self._scan.boundary, name, text) + END)
        self._written = True


def _leaves_one_by_one(spec: MemberSpec) -> bool:
    """Whether any of the records in a part can go, and the others leave before its end."""
    reader = archive.reader_of(spec)
    if not reader.flows(spec) or "records" not in reader.settings:
        return reader.flows(spec)
    steps = locators.compile(spec.records)
    # Without a final wildcard they have one place in the document, and can't go from it.
    return bool(steps) and isinstance(steps[-1], Wildcard)


class _Part:
    """Writes a part whose `lines` (its delimiter and header) are held, with what stands before the
    first record, until one `stays`.

    Raises BadUpstream: BODY_TOO_LARGE where `most` bytes are held, REDACTION_UNSUPPORTED where what
    is left has the delimiter in it, as a masked row of a CSV may: nobody reads it again.
    """

    def __init__(
        self, sink: Sink, lines: bytes, stays: Callable[[], bool], delimiter: bytes, most: int
    ) -> None:
        self._sink, self._stays, self._delimiter, self._most = sink, stays, delimiter, most
        self._held, self._size, self._last, self._is_open = [lines], 0, b"", False

    def write(self, data: bytes) -> None:
        self._size += len(data)
        self._check(data)
        if not self._is_open and self._stays():
            self._open()
        if self._is_open:
            self._sink.write(data)
            return
        self._held.append(data)
        if self._size > self._most:
            raise BadUpstream(Code.BODY_TOO_LARGE, "more than limits.record before a record")

    def tell(self) -> int:
        return self._size

    def finish(self) -> None:
        """The part stays, and this is its end."""
        if not self._is_open:
            self._open()
        self._sink.write(END)

    def _open(self) -> None:
        self._sink.write(b"".join(self._held))
        self._held, self._is_open = [], True

    def _check(self, data: bytes) -> None:
        kept = len(self._delimiter) - 1
        if self._delimiter in self._last + data[:kept] or self._delimiter in data:
            raise unsupported("the boundary in what would be left")
        self._last = (self._last + data[-kept:])[-kept:]
