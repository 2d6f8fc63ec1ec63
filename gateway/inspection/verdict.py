"""Which records of a body stay: a `Decision` as the formats apply it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.inspection.tally import Owners
from gateway.model import Attribution, Decision, Group, Mask


@dataclass(frozen=True, slots=True)
class Verdict:
    """Applies a decision record by record.

    The paths of `mask` are relative to a record (JSONPath; for CSV `$.column`); what a masked value
    becomes is for `masking` to say, with the `key` of pseudonyms where there is one. `totals_drop`
    is the number of records that will be dropped, known from the inspection's groups before the
    rewrite starts, because a declared total often stands before the records it counts.
    """

    decision: Decision
    totals_drop: int = 0
    key: bytes | None = field(default=None, repr=False)

    @property
    def mask(self) -> tuple[Mask, ...]:
        return self.decision.mask

    def keeps(self, owners: Owners, category: str) -> bool:
        """Whether a record with these owners stays."""
        return self.decision.releases(Group(owners, Attribution.NONE, category, 1))


Vouchers = Mapping[str, Owners]
"""Archive member name → the owners a manifest names for it."""
