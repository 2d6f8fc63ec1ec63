"""What is in a member that is a compressed file: decoded to its end, counted as it unfolds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.inspection.codings import COMPRESSIONS
from gateway.inspection.inflation import Unfolding

if TYPE_CHECKING:
    from gateway.inspection.archive import Contents, Entry


@dataclass(slots=True)
class Unpacked:
    """See `archive.Contents`. `sealed` once it is known that no byte stands beside the content."""

    packed: "Contents"
    compression: str
    unfolding: Unfolding | None
    proven: bool = False
    sealed: bool = False

    @property
    def entry(self) -> "Entry":
        return self.packed.entry

    def chunks(self) -> Iterator[bytes]:
        """The decoded bytes. Raises BadUpstream(CODING_MALFORMED, BODY_TOO_LARGE)."""
        pieces = COMPRESSIONS[self.compression].coding.decode(self.packed.chunks())
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                self.sealed = end.value
                break
            if self.unfolding:
                self.unfolding.count(len(piece))
            yield piece
        self.proven = self.packed.proven
