"""Documents in the texts of JSON records: JSON in a JSON text, an attachment in base64.

    embedded:
      - {at: "$.payload", format: json, subject: {account: "$.owner"}}
      - {at: ["$.payload", "$.file"], transfer: base64, format: csv, subject: {account: owner}}

What an endpoint declares is read as its format, and whoever owns something in it owns the record
beside its own owners. Something in it that has no owner leaves the record without one; where only
documents name owners (no `subject` beside them), a record without a document has none either. A
document in a document is at a place of its own (the list in `at`).

No text at a declared place passes unread: null and an empty text hold no document, anything else
must be one. Where the way to it is barred (`$.files[*].data`, and `files` is an object or a text),
the record is refused, since what stands there instead would pass. A document stays or goes with its
record, and masks don't reach into it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import undeclared
from gateway.inspection.inflation import Inflation
from gateway.inspection.locators import Steps, check_names, compile, find, meet
from gateway.inspection.maskshapes import leads
from gateway.inspection.settings import AlsoSpec, BodySpec, EmbeddedSpec, Limits, MemberSpec
from gateway.inspection.source import Body, InMemory
from gateway.inspection.tally import Owners, Tally, check_owners
from gateway.inspection.textwritings import decoded
from gateway.model import Format
from gateway.response import Payload

if TYPE_CHECKING:
    from gateway.inspection.formats import Reader

_MOST = 4096
"""Documents in one record: each is read with a reader of its own."""

_READ = {each.name for each in fields(EmbeddedSpec)} - {"at", "when", "transfer", "compression"}
"""What the readers of the formats are told."""

_Whose = Callable[[Any], Owners]


class Embedded:
    """The documents in the records of one body. `within` are the steps to what `at` is relative to,
    where that isn't the record itself; `prose` are places of XHTML divisions, which aren't taken
    for documents.

    Raises BadUpstream(BODY_TOO_COMPLEX) for more documents in each other than
    limits.embedding_depth.
    """

    def __init__(
        self,
        spec: BodySpec | MemberSpec | AlsoSpec,
        limits: Limits,
        within: Steps = (),
        prose: Sequence[Steps] = (),
    ) -> None:
        embedded = () if isinstance(spec, AlsoSpec) else spec.embedded
        self._limits, self._within, self._tells_itself = limits, within, bool(spec.subject)
        self._refuses = not isinstance(spec, AlsoSpec) and spec.undeclared == "refuse"
        self._places: list[_Place] = []
        self._ways: list[Steps] = []
        self._prose: list[Steps] = []
        self._packed = 0
        if not (embedded or self._refuses):
            return  # nearly always, and for each body
        if any(len(each.at) > limits.embedding_depth for each in embedded):
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "documents beyond limits.embedding_depth")
        firsts = dict.fromkeys(each.at[0] for each in embedded)
        self._places = [_Place(compile(at), _entries(at, spec, embedded)) for at in firsts]
        self._ways = [(*within, *place.steps) for place in self._places]
        self._prose = [(*within, *steps) for steps in prose]
        self._inflation = Inflation(limits)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self._places or self._refuses)

    def joined(
        self, records: Sequence[Any], keys: Sequence[Any], owners: _Whose
    ) -> tuple[Sequence[Any], _Whose]:
        """What says whose records are, as `Attributor.keyed` has it: by their own identifiers, and
        now by their documents, too."""
        if self.idle:
            return keys, owners
        pairs = zip(records, keys, strict=True)
        return [self.of(record, owners(key)) for record, key in pairs], lambda each: each

    def of(self, record: Any, own: Owners) -> Owners:
        """The owners of a record, `own` being those that it names outside of its documents."""
        inside = self.owners_inside(record)
        if inside is None or (self._tells_itself and not own):
            return ()
        return tuple(dict.fromkeys((*own, *inside)))

    def owners_inside(self, record: Any) -> Owners | None:
        """The owners of all that is in the record's documents; None where something has none.

        Raises BadUpstream: MEMBER_UNSUPPORTED for a text that no entry reads, or that looks like a
        document where none is declared, FORMAT_MISMATCH for what is no text or bars the way to
        one, BODY_TOO_COMPLEX for too many documents or owners, and what the formats raise.
        """
        if self._refuses:
            known = [*self._ways, *(steps for steps in self._prose if _is_prose(record, steps))]
            undeclared.check(record, known, self._limits.embedding_depth)
        if self._ways and not leads(record, self._ways):
            raise BadUpstream(Code.FORMAT_MISMATCH, "no way to where a document is declared")
        found: dict[Any, None] = {}
        told, count = True, 0
        for place in self._places:
            for text, beside in place.texts(record, self._within):
                count += 1
                if count > _MOST:
                    raise BadUpstream(Code.BODY_TOO_COMPLEX, "too many documents in one record")
                for group in self._read(text, place.entry(beside)).groups:
                    found.update(dict.fromkeys(group.owners))
                    told = told and bool(group.owners)
                check_owners(len(found), self._limits)
        return tuple(found) if told else None

    def check_mask(self, steps: Steps) -> None:
        """Raises BadUpstream(REDACTION_UNSUPPORTED) for a mask of something in a document."""
        if any(
            len(steps) > len(place.steps) and meet(steps, place.steps) for place in self._places
        ):
            raise BadUpstream(
                Code.REDACTION_UNSUPPORTED, "a mask of something in an embedded document"
            )

    def _read(self, text: str, entry: "_Entry") -> Tally:
        tally = Tally(self._limits)
        try:
            content = decoded(text, entry.spec.transfer, entry.media_types)
            if entry.reader is None:
                if self._refuses and undeclared.is_document(content):
                    raise BadUpstream(Code.FORMAT_MISMATCH, "an opaque one that is to be read")
            else:
                self._inspect(content, entry, entry.reader, tally)
        except BadUpstream as refusal:
            raise BadUpstream(refusal.code, f"an embedded document: {refusal.note}") from None
        return tally

    def _inspect(self, content: bytes, entry: "_Entry", reader: "Reader", tally: Tally) -> None:
        compression = entry.spec.compression
        body = Body(InMemory(content), (), self._limits, compression=compression)
        form = BodySpec(entry.spec.format, encoding=entry.spec.encoding, lines=entry.spec.lines)
        reader.detect(Payload(), body.head(), form)
        reader.inspect(body, entry.member, self._limits, tally)
        if body.meter.inspected != len(content):
            raise BadUpstream(Code.BODY_INCOMPLETE, "some bytes belong to no record")
        if body.meter.unsealed:
            raise BadUpstream(Code.MEMBER_UNSUPPORTED, "bytes beside its content that nobody reads")
        if compression:  # many small bombs are one
            self._packed += len(content)
            self._inflation.count(body.meter.decoded, self._packed)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry: how its readers are told to read it; no reader for what is opaque."""

    spec: EmbeddedSpec
    member: MemberSpec
    reader: "Reader | None"

    @property
    def media_types(self) -> tuple[str, ...]:
        """What a data URI may declare; anything for what nobody reads."""
        return self.reader.declared(BodySpec(self.spec.format)) if self.reader else ()


class _Place:
    """A place in the records, and the entries for what may stand there."""

    def __init__(self, steps: Steps, entries: Sequence[_Entry]) -> None:
        self.steps, self._entries = steps, entries
        self._names = {name for entry in entries for name in entry.spec.when}

    def texts(self, record: Any, within: Steps) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The texts that are there, and what stands beside each. Raises BadUpstream."""
        steps = (*within, *self.steps)
        check_names(record, steps, "a locator of documents")
        for around in find(record, steps[:-1]) if self._names else ():
            for name in self._names:
                check_names(around, (name,), "what stands beside a document")
        last = steps[-1:]
        for around in find(record, steps[:-1]):
            for text in find(around, last):
                if text is None or text == "":
                    continue
                if not isinstance(text, str):
                    raise BadUpstream(Code.FORMAT_MISMATCH, "no text where a document is declared")
                yield text, around if isinstance(around, dict) else {}

    def entry(self, beside: Mapping[str, Any]) -> _Entry:
        """The first that fits what stands beside a text. Raises BadUpstream."""
        for entry in self._entries:
            when = entry.spec.when.items()
            if all(isinstance(beside.get(name), str) and beside[name] in of for name, of in when):
                return entry
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, "a document that no entry of embedded reads")


def _is_prose(record: Any, steps: Steps) -> bool:
    found = find(record, steps)
    return all(isinstance(each, str) and undeclared.is_division(each) for each in found)


def _entries(
    at: str, spec: BodySpec | MemberSpec | AlsoSpec, embedded: Sequence[EmbeddedSpec]
) -> list[_Entry]:
    from gateway.inspection.formats import FORMATS  # the table holds the formats of JSON, too

    here = [each for each in embedded if each.at[0] == at]
    deeper = tuple(replace(each, at=each.at[1:]) for each in here if len(each.at) > 1)
    entries = []
    for each in here:
        if len(each.at) > 1:
            continue
        reader = None if each.format is Format.OPAQUE else FORMATS.get(each.format)
        if each.format is not Format.OPAQUE and (reader is None or reader.random_access):
            raise BadUpstream(Code.MEMBER_UNSUPPORTED, "a format that can't be read in a text")
        if reader is None and each.subject:
            raise BadUpstream(Code.MEMBER_UNSUPPORTED, "an opaque document whose owners are asked")
        reads = reader is not None and "embedded" in reader.settings
        strict = "keep" if isinstance(spec, AlsoSpec) else spec.undeclared
        member = MemberSpec(
            "**",
            embedded=deeper if reads else (),
            undeclared=strict if reads else "keep",
            **{name: getattr(each, name) for name in _READ},
        )
        entries.append(_Entry(each, member, reader))
    return entries
