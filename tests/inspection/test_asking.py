"""A decision that is asked for as records come: when there is something to ask, and only then."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import asking
from gateway.inspection.asking import Asking
from gateway.inspection.settings import Limits
from gateway.inspection.tally import Tally
from gateway.model import Decision, Effect, SubjectRef

ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")


class Answers:
    """Permits everybody who was seen so far, and writes down what it was asked about."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, tuple[str, ...]]] = []

    def __call__(self, tally: Tally) -> Decision:
        self.asked.append((tally.records, tally.fields))
        owners = frozenset(owner for group in tally.groups for owner in group.owners)
        return Decision(Effect.ALLOW, owners, True, frozenset(), (), (), f"r{len(self.asked)}")


def test_a_question_is_asked_when_owners_a_category_or_a_field_are_new() -> None:
    answers = Answers()
    asking = Asking(Limits(), answers)
    asking.sees(["a"])
    assert asking.judge([(ME,), (ME,)], "").revision == "r1"
    assert asking.judge([(ME,)] * 50, "").revision == "r1"
    assert asking.judge([(FOREIGN,)], "").revision == "r2"
    assert asking.judge([()], "").revision == "r3"
    assert asking.judge([(ME,)], "voice").revision == "r4"
    assert asking.judge([(ME, FOREIGN)], "").revision == "r5"
    asking.sees(["a", "b"])
    assert asking.judge([(ME,)], "").revision == "r6"
    assert asking.judge([(FOREIGN,), (), (ME,)], "").revision == "r6"
    assert [records for records, _ in answers.asked] == [2, 53, 54, 55, 56, 57]
    assert answers.asked[-1][1] == ("a", "b")
    assert asking.tally.records == 60


def test_what_has_no_records_is_asked_about_once() -> None:
    answers = Answers()
    asking = Asking(Limits(), answers)
    assert asking.decision() is asking.decision()
    assert answers.asked == [(0, ())]


def test_the_answer_is_about_everything_that_the_batch_brought() -> None:
    answers = Answers()
    decision = Asking(Limits(), answers).judge([(ME,), (FOREIGN,), (ME,)], "")
    assert decision.permitted == {ME, FOREIGN}
    assert len(answers.asked) == 1


def test_the_questions_of_one_body_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_MOST", 3)
    bounded = Asking(Limits(), Answers())
    for n in range(3):
        bounded.judge([(SubjectRef("account", n),)], "")
    bounded.judge([(SubjectRef("account", 0),)], "")
    with pytest.raises(BadUpstream) as caught:
        bounded.judge([(SubjectRef("account", 3),)], "")
    assert caught.value.code is Code.BODY_TOO_COMPLEX


def test_the_limits_are_those_of_any_inspection() -> None:
    bounded = Asking(Limits(subjects=1), Answers())
    bounded.judge([(ME,)], "")
    with pytest.raises(BadUpstream) as caught:
        bounded.judge([(FOREIGN,)], "")
    assert caught.value.code is Code.BODY_TOO_COMPLEX
