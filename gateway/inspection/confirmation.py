"""What a redaction wrote, held against what it was made of, as if it came from a stranger."""

from collections import Counter
from collections.abc import Iterable

from gateway.errors import BadUpstream, Code, InternalError
from gateway.inspection.tally import Owners
from gateway.model import Decision, Group


def check(
    left: Iterable[Group], before: Iterable[Group], decision: Decision, released: int
) -> None:
    """Nothing withheld may be left in it, and nobody may have more records than were theirs.

    `left` was found in it, `before` in what it was made of; `released` records were to stay. Raises
    InternalError, and BadUpstream(REDACTION_UNSUPPORTED) where a mask may have done it.
    """
    left = tuple(left)
    if sum(group.records for group in left) != released:
        raise InternalError(Code.INTERNAL_ERROR, "redaction left another number of records")
    permitted = all(decision.releases(group) for group in left)
    if permitted and not _owned(left) - _owned(before):
        return
    if decision.mask:
        # Such as a text in the place of an identifier. What it says of the owners can't be proven.
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a mask that changes whose a record is")
    raise InternalError(Code.INTERNAL_ERROR, "a withheld record is left after redaction")


def _owned(groups: Iterable[Group]) -> Counter[tuple[Owners, str]]:
    """How many records of which category each of the owners has, or have together, or nobody: a
    mask may take no record from its owner either."""
    counts = Counter[tuple[Owners, str]]()
    for group in groups:
        counts[group.owners, group.category] += group.records
    return counts


def refused(refusal: BadUpstream, decision: Decision) -> BadUpstream:
    """What to raise where reading it again was refused."""
    if not decision.mask:
        return refusal
    note = f"a mask that leaves what is refused: {refusal.code}"
    return BadUpstream(Code.REDACTION_UNSUPPORTED, note)
