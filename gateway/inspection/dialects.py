"""Which characters part and quote the cells of a CSV: as configured, or proven by the header row.

`delimiter: auto` is a proof, not a guess: of the candidates exactly one makes a header row in which
every column that the configuration names stands under its exact name. A header that two of them
explain (a table of one column is explained by all) or none does is ambiguous. Every row is then
held to it, as to a configured one.
"""

from collections.abc import Iterator

from gateway.errors import BadUpstream, Code
from gateway.inspection.rows import Dialect, Rows
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.writable import AUTO, NONE

CANDIDATES = (",", ";", "\t", "|")


def open_rows(
    text: Iterator[bytes],
    spec: BodySpec | MemberSpec,
    wanted: frozenset[str],
    limits: Limits,
    *,
    flowing: bool = False,
) -> Rows:
    """The rows of a text (see `charset.read_text`), in which the columns `wanted` must be.

    Raises BadUpstream as `Rows` does, and BODY_AMBIGUOUS where the delimiter can't be proven. A
    missing column is for the caller to refuse where the delimiter is configured.
    """
    if spec.delimiter != AUTO:
        return Rows(text, dialect(spec), limits, spec.preamble, flowing=flowing)
    again = _Again(text)
    proven = []
    for candidate in CANDIDATES:
        tried = dialect(spec, candidate)
        try:
            rows = Rows(again.pieces(), tried, limits, spec.preamble, flowing=flowing)
        except BadUpstream:
            continue
        if wanted <= set(rows.names):
            proven.append(tried)
    if len(proven) != 1:
        which = "no delimiter explains" if not proven else "several delimiters explain"
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"{which} the header row")
    return Rows(again.last(), proven[0], limits, spec.preamble, flowing=flowing)


def dialect(spec: BodySpec | MemberSpec, delimiter: str | None = None) -> Dialect:
    """The configured dialect, perhaps with another delimiter. Raises ValueError; see `Dialect`."""
    quoted = spec.quote != NONE
    quote = spec.quote if spec.quote and quoted else '"'
    return Dialect(delimiter or spec.delimiter or ",", quote, quoted)


class _Again:
    """A text that is begun several times: what was read of it is kept until the last time."""

    def __init__(self, text: Iterator[bytes]) -> None:
        self._text = text
        self._fault: BadUpstream | None = None
        self._read: list[bytes] = []

    def pieces(self) -> Iterator[bytes]:
        at = 0
        while at < len(self._read) or self._more():
            yield self._read[at]
            at += 1

    def last(self) -> Iterator[bytes]:
        yield from self._read
        self._read = []
        while self._more():
            yield self._read.pop()

    def _more(self) -> bool:
        """Read another piece. What is wrong with the text is wrong each time."""
        if self._fault:
            raise self._fault
        try:
            piece = next(self._text, None)
        except BadUpstream as fault:
            self._fault = fault
            raise
        if piece is not None:
            self._read.append(piece)
        return piece is not None
