"""What the tools and their processes say to each other survives the way."""

from gateway.workbench.account import (
    Account,
    Ask,
    Broken,
    Find,
    Part,
    Spot,
    Stop,
    Try,
    decode_answer,
    decode_job,
    encode_answer,
    encode_job,
)

SPOT = Spot("privacy/x.rego", 3, "x := 1")


def test_jobs_are_told_apart() -> None:
    for job in (Ask(b"{}", [1, 2]), Try("data.privacy.x_test.test_y"), Find()):
        assert decode_job(encode_job(job)) == job


def test_answers_are_told_apart() -> None:
    part = Part("self_access", True, {"permits": "[]"}, {"permits": SPOT}, "Self", "Art. 15")
    account = Account([part], [], [Stop(0, "self_access", SPOT)], SPOT, {"why": SPOT})
    for answer in (account, Broken("no"), Broken("no", SPOT)):
        assert decode_answer(encode_answer(answer)) == answer
