"""What became of a mutant, by comparing what left with what should have."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import BadUpstream, Code, Forbidden
from gateway.model import Decision, Effect, Inspection
from gateway.workbench.mutate.bodies import Unit
from gateway.workbench.wording import counted


class Fate(StrEnum):
    """`killed`: exactly what was changed stayed behind, or all of it. `survived`: it left.
    `overkill`: so did others stay behind, for no reason that lies in them. `unproven`: nothing
    left, but because the policy or the machine failed, which says nothing about the change."""

    KILLED = "killed"
    SURVIVED = "survived"
    OVERKILL = "overkill"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A fate, and what it was seen by: `withheld`, a refusal's code, or what is wrong."""

    fate: Fate
    by: str


_TELLING = (
    Forbidden.codes | BadUpstream.codes | {Code.POLICY_UNDEFINED, Code.DECISION_INVALID}
) - {Code.INSPECTION_FAILED}
"""Refusals that have their cause in the body, or in what the policy says about it."""


def of_refusal(code: Code, note: str = "") -> Verdict:
    """Nothing leaves."""
    if code in _TELLING:
        return Verdict(Fate.KILLED, code.value)
    return Verdict(Fate.UNPROVEN, f"{code.value} ({note})" if note else code.value)


def of_units(expected: Sequence[Unit], left: Sequence[Unit]) -> Verdict:
    """Of a body that left: `expected` are the units that should have, `left` those that did.

    They are compared as they are, so that a record that was changed and left is one too many, and
    one that is missing was withheld though nobody had touched it.
    """
    wanted = Counter(unit.identity for unit in expected)
    found = Counter(unit.identity for unit in left)
    if more := found - wanted:
        return Verdict(Fate.SURVIVED, f"{counted(more.total(), 'unit')} left that must stay behind")
    if less := wanted - found:
        if not left:
            return Verdict(Fate.KILLED, "withheld")
        return Verdict(
            Fate.OVERKILL, f"{counted(less.total(), 'unit')} withheld that nobody changed"
        )
    return Verdict(Fate.KILLED, "withheld")


def of_decisions(
    inspection: Inspection,
    before: Decision,
    after: Decision | None,
    control: Decision | None,
    *,
    other_reasons: bool,
) -> Verdict | None:
    """Of a changed question; a decision that is None was refused.

    None where the control releases as much as before: then nothing rests on what was changed. With
    `other_reasons` the same may leave as before, but not for the same reasons.
    """
    released, permitted = _released(inspection, before), _released(inspection, control)
    if permitted >= released:
        return None
    if other_reasons and after is not None and set(after.reasons) != set(before.reasons):
        permitted = released
    left = _released(inspection, after)
    if more := left - permitted:
        records = sum(inspection.groups[index].records for index in more)
        return Verdict(Fate.SURVIVED, f"{counted(records, 'record')} left that must stay behind")
    masks = set((control or before).mask)
    if left and after is not None and (bare := masks - set(after.mask)):
        return Verdict(Fate.SURVIVED, f"{counted(len(bare), 'field')} left that must be masked")
    blocked = after is None or after.effect is Effect.BLOCK
    return Verdict(Fate.KILLED, "blocked" if blocked else "withheld")


def _released(inspection: Inspection, decision: Decision | None) -> frozenset[int]:
    """The numbers of the groups that leave."""
    if decision is None:
        return frozenset()
    return frozenset(
        index for index, group in enumerate(inspection.groups) if decision.releases(group)
    )
