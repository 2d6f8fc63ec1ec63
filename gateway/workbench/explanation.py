"""What an explanation says: the nouns of `explain`, in the keys of its JSON.

The keys are stable: other tools read them (`explain --json`).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.model import Attribution
from gateway.workbench.account import Spot


class WhyNot(msgspec.Struct):
    """Why one ground doesn't permit a subject. `rule` is the statement that did not hold."""

    ground: str
    enabled: bool
    rule: Spot | None = None


class GroundOf(msgspec.Struct):
    """A ground that permits a subject, and the rule that says so."""

    ground: str
    rule: Spot | None


class Subject(msgspec.Struct):
    """One data subject. `released` of its `records` would leave: fewer than all of them where the
    policy blocks, withholds their category, or another owner is not permitted. `why_not` is filled
    for those whom no ground permits, as far as they are listed."""

    kind: str
    value: str | int
    records: int
    released: int
    attribution: list[Attribution]
    categories: list[str]
    permitted: bool
    grounds: list[GroundOf]
    why_not: list[WhyNot]


class Ground(msgspec.Struct):
    """One ground of the bundle. `permits` counts the subjects of this body that it permits."""

    name: str
    title: str
    legal_basis: str
    enabled: bool
    permits: int
    rule: Spot | None


class Effective(msgspec.Struct):
    """A rule of a restriction, and its value."""

    name: str
    value: msgspec.Raw
    rule: Spot


class Restriction(msgspec.Struct):
    """One restriction of the bundle; `rules` are those whose value is not empty. `usable` is what
    its rule of that name says, False where that is undefined, None where there is no such rule."""

    name: str
    title: str
    legal_basis: str
    enabled: bool
    usable: bool | None
    rules: list[Effective]


class Reason(msgspec.Struct):
    """A reason of the decision, and where its name comes from."""

    name: str
    rule: Spot | None


class Unattributed(msgspec.Struct):
    """Records without an owner."""

    records: int
    released: int
    categories: list[str]


class Records(msgspec.Struct):
    """Where the records went. The lists are places in the body, from 0: the first of each."""

    seen: int
    released: int
    redacted: int
    blocked: int
    released_places: list[int]
    withheld_places: list[int]


class Members(msgspec.Struct):
    """Names in an archive: what would leave, and what would not."""

    released: list[str]
    withheld: list[str]


class Fault(msgspec.Struct):
    """Where a body is wrong."""

    source: str
    line: int | None
    column: int | None
    said: str
    excerpt: str


class Explanation(msgspec.Struct, kw_only=True):
    """All of it. `rules_of` is the bundle that the places are in, `doubt` what the account and the
    decision don't agree about."""

    schema: str = "privacy-gateway/explanation/v1"
    endpoint: str
    method: str
    path: list[str]
    at: str
    engine: str
    revision: str | None
    caller: Mapping[str, Any] | None
    outcome: str
    effect: str | None
    effect_rule: Spot | None
    code: str | None
    status: int
    note: str
    fault: Fault | None
    reasons: list[Reason]
    subjects: list[Subject]
    subjects_total: int
    unattributed: Unattributed
    withhold: list[str]
    mask: list[str]
    grounds: list[Ground]
    restrictions: list[Restriction]
    records: Records
    members: Members | None
    rules_of: str
    doubt: str
