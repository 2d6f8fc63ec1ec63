"""What a redaction left is held against what it was made of."""

import pytest

from gateway.errors import BadUpstream, Code, InternalError, Refusal
from gateway.inspection import confirmation
from gateway.model import Attribution, Decision, Effect, Group, Mask, SubjectRef

ME, OTHER, FOREIGN = (SubjectRef("account", who) for who in ("me", "other", "foreign"))


def decision(*masks: Mask) -> Decision:
    return Decision(Effect.REDACT, frozenset({ME, OTHER}), False, frozenset(), masks, (), "1")


def group(owner: SubjectRef | None, records: int = 1) -> Group:
    return Group((owner,) if owner else (), Attribution.DIRECT, "", records, (0,))


BEFORE = [group(ME, 2), group(OTHER), group(FOREIGN), group(None)]


def test_what_was_permitted_and_is_still_theirs_passes() -> None:
    confirmation.check([group(ME, 2), group(OTHER)], BEFORE, decision(), 3)
    confirmation.check([group(ME)], BEFORE, decision(), 1)
    confirmation.check([], BEFORE, decision(), 0)


@pytest.mark.parametrize(
    ("left", "released"),
    [
        ([group(ME)], 2),  # another number
        ([group(FOREIGN)], 1),  # withheld
        ([group(None)], 1),
        ([group(OTHER, 2)], 2),  # more than were theirs
    ],
)
def test_anything_else_is_a_fault_of_ours_or_of_a_mask(left: list[Group], released: int) -> None:
    with pytest.raises(InternalError):
        confirmation.check(left, BEFORE, decision(), released)
    wrong = sum(each.records for each in left) != released
    with pytest.raises(Refusal) as refused:
        confirmation.check(left, BEFORE, decision(Mask("$.owner", text="other")), released)
    expected = Code.INTERNAL_ERROR if wrong else Code.REDACTION_UNSUPPORTED
    assert refused.value.code is expected


def test_what_can_not_be_read_again_is_the_fault_of_a_mask_if_there_is_one() -> None:
    refusal = BadUpstream(Code.BODY_MALFORMED, "x")
    assert confirmation.refused(refusal, decision()) is refusal
    masked = confirmation.refused(refusal, decision(Mask("$.n")))
    assert masked.code is Code.REDACTION_UNSUPPORTED
