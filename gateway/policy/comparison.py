"""Two decisions about one question → what would change, record by record. Pure.

What counts is what the caller would get: the effect, which records leave, which fields are masked.
Two decisions that differ in their reasons only are the same.
"""

from dataclasses import dataclass

from gateway.model import Decision, Effect, Group, Inspection, Mask


@dataclass(frozen=True, slots=True)
class Change:
    """Records of one group that would go another way: `leave` where only the shadow releases them,
    else only the active policy does."""

    group: Group
    leave: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """What would change if the shadow decided.

    `masked` are masks that only the shadow has, `unmasked` those that only the active policy has,
    but for fields that the shadow's make null; `gained` are reasons that only the shadow gives,
    `lost` those that only the active policy gives, each sorted.
    """

    active: Effect
    shadow: Effect
    changes: tuple[Change, ...]
    masked: tuple[Mask, ...]
    unmasked: tuple[Mask, ...]
    gained: tuple[str, ...]
    lost: tuple[str, ...]

    @property
    def leaving(self) -> int:
        """Records that would newly leave."""
        return sum(change.group.records for change in self.changes if change.leave)

    @property
    def staying(self) -> int:
        """Records that would newly stay behind."""
        return sum(change.group.records for change in self.changes if not change.leave)

    @property
    def opens(self) -> bool:
        """Whether anything would leave that stays behind now. In the request phase, where nothing
        was seen yet, whether the shadow lets pass what is blocked now."""
        opened = self.active is Effect.BLOCK and self.shadow is not Effect.BLOCK
        return opened or bool(self.leaving or self.unmasked)

    @property
    def why(self) -> tuple[str, ...]:
        """The reasons that only the shadow gives; where it gives none, those that it doesn't."""
        return self.gained or self.lost


def compare(active: Decision, shadow: Decision, inspection: Inspection | None) -> Difference | None:
    """None where the caller would get the same. `inspection` is None in the request phase."""
    changes = tuple(
        Change(group, leave)
        for group in (inspection.groups if inspection else ())
        if (leave := shadow.releases(group)) is not active.releases(group)
    )
    masked: set[Mask] = set()
    unmasked: set[Mask] = set()
    if Effect.BLOCK not in (active.effect, shadow.effect):  # a block has no fields to mask
        before, after = _told_apart(active), _told_apart(shadow)
        masked = after - before
        unmasked = {mask for mask in before - after if Mask(mask.path) not in after}
    if active.effect is shadow.effect and not (changes or masked or unmasked):
        return None
    return Difference(
        active=active.effect,
        shadow=shadow.effect,
        changes=changes,
        masked=tuple(sorted(masked, key=str)),
        unmasked=tuple(sorted(unmasked, key=str)),
        gained=tuple(sorted({*shadow.reasons} - {*active.reasons})),
        lost=tuple(sorted({*active.reasons} - {*shadow.reasons})),
    )


def _told_apart(decision: Decision) -> set[Mask]:
    """Its masks, but for those of fields that become null anyhow."""
    return {mask for mask in decision.mask if mask.erases or Mask(mask.path) not in decision.mask}
