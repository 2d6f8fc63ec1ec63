"""What a format is to the rest of the gateway: one row of the table."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from gateway.inspection import locators
from gateway.inspection.codings import COMPRESSIONS
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Counts, Format
from gateway.response import Payload


class Inspect(Protocol):
    """Reads a source to its end and counts every record into the tally.

    Raises BadUpstream with a code naming the cause for anything malformed, ambiguous or over a
    limit.
    """

    def __call__(
        self, source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally
    ) -> None: ...


class Rewrite(Protocol):
    """Writes what the verdict keeps, byte-identical except for masked fields.

    Raises BadUpstream as `Inspect` does, and REDACTION_UNSUPPORTED for what can't be taken out.
    """

    def __call__(
        self,
        source: Source,
        spec: BodySpec | MemberSpec,
        limits: Limits,
        verdict: Verdict,
        sink: Sink,
    ) -> Counts: ...


class Vouching(Protocol):
    """Reads a manifest: the values of its records, and its settings with JSONPath locators."""

    def __call__(
        self, source: Source, spec: MemberSpec, limits: Limits
    ) -> tuple[MemberSpec, Iterable[Any]]: ...


class Reader(NamedTuple):
    """One format.

    `media_types` may declare it, the first one when somebody has to choose; `suffix` ends the name
    of its files. `settings` are the keys of `body` that mean something for it, and `locator`
    compiles one of its locators or raises ValueError. `detect` raises BadUpstream(FORMAT_MISMATCH)
    where the charset that a payload declares or the first bytes of its body, after the content
    coding, are not the format's. `vouching` is there for what may be a manifest. What is read by
    `random_access` is asked for without a content coding, and never read in the event loop.
    `charset` is declared where the upstream declares none and clients would guess. `as_declared`
    completes settings that leave something to what a response declares. `library` is what has to
    be installed, by the extra that is called as the format.
    Where `lines`, records are lines, any of which may be left out, and `inspect` says where they
    lie (`Tally.place`). What `divides` is two bodies where it is cut behind any line (`halves`).
    What `streams` asks for decisions as its records come (`Verdict.keeps_each`), reads its source
    once, and writes nothing that depends on a later record.
    """

    media_types: tuple[str, ...]
    suffix: str
    settings: frozenset[str]
    detect: Callable[[Payload, bytes, BodySpec], None]
    inspect: Inspect
    rewrite: Rewrite
    locator: Callable[[str], object] = locators.compile
    vouching: Vouching | None = None
    random_access: bool = False
    charset: str | None = None
    as_declared: Callable[[Payload, BodySpec], BodySpec] | None = None
    library: str | None = None
    streams: bool = False
    lines: bool = False
    divides: bool = False

    def flows(self, spec: BodySpec | MemberSpec) -> bool:
        """Whether what is read like this can leave as it comes."""
        climbs = any(
            locators.climbs(text)
            for owner in spec.subject
            for texts in owner.values()
            for text in texts
        )
        counts = bool(spec.totals or spec.also or spec.preamble or spec.compression)
        is_bundle = spec.format is Format.FHIR and not spec.lines
        return self.streams and not (climbs or counts or is_bundle)

    def declared(self, spec: BodySpec) -> tuple[str, ...]:
        """The media types that may declare a body that is read like this."""
        if spec.media_type:
            return (spec.media_type,)
        return COMPRESSIONS[spec.compression].media_types if spec.compression else self.media_types

    def ending(self, spec: BodySpec) -> str:
        """What the name of such a file ends with."""
        packed = f".{COMPRESSIONS[spec.compression].suffix}" if spec.compression else ""
        return self.suffix + packed
