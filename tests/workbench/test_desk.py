"""A trial is a real exchange between two planted ends: what it says would leave, would leave."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config
from gateway.decisionlog.entry import Outcome
from gateway.errors import Code
from gateway.model import Effect, Format, SubjectRef
from gateway.policy.engine import EngineKind
from gateway.policy.settings import PolicySettings
from gateway.stored import OnDisk
from gateway.workbench.desk import Desk, Trial, settings
from gateway.workbench.samples import opened, sample
from gateway.workbench.unusable import Unusable

ME = {"sub": "A1"}


def lines(*owners: str) -> bytes:
    return b"".join(json.dumps({"id": owner}).encode() + b"\n" for owner in owners)


def voice(*owners: str, **changes: Any) -> Trial:
    return replace(Trial("voice", ME, sample(lines(*owners), Format.NDJSON)), **changes)


def orders(*owners: str, **changes: Any) -> Trial:
    body = json.dumps({"orders": [{"customer": {"id": owner}} for owner in owners]}).encode()
    return replace(Trial("orders", ME, sample(body, Format.JSON)), **changes)


async def test_an_own_export_leaves_untouched(desk: Desk) -> None:
    trial = orders("A1", "A1")
    verdict = await desk.judge(trial)
    assert verdict.refusal is None
    assert verdict.evidence.outcome is Outcome.RELEASED
    assert verdict.counts.released == 2
    assert verdict.released() == trial.sample.stored.pread(10_000, 0)


async def test_a_foreign_record_blocks_and_nothing_leaves(desk: Desk) -> None:
    verdict = await desk.judge(orders("A1", "A9"))
    assert verdict.refusal is not None
    assert (verdict.refusal.code, verdict.refusal.status) == (Code.BLOCKED_BY_POLICY, 403)
    assert verdict.decision is not None and verdict.decision.effect is Effect.BLOCK
    assert verdict.released() is None


async def test_a_redacted_body_is_the_one_that_would_leave(desk: Desk) -> None:
    verdict = await desk.judge(voice("A1", "A9", "A1"))
    assert verdict.released() == lines("A1", "A1")
    assert (verdict.counts.seen, verdict.counts.redacted) == (3, 1)
    assert verdict.question is not None
    assert verdict.question.subjects == {SubjectRef("account", "A1"), SubjectRef("account", "A9")}


async def test_a_big_body_is_read_where_it_lies_and_redacted_alike(
    desk: Desk, tmp_path: Path
) -> None:
    file = tmp_path / "big.ndjson"
    file.write_bytes(lines("A1", "A9") * 800_000)
    with opened(file) as stored:
        assert isinstance(stored, OnDisk)
        verdict = await desk.judge(voice(sample=sample(stored, Format.NDJSON)))
        assert verdict.released() == lines("A1") * 800_000


async def test_a_body_that_cannot_be_vouched_for_is_a_refusal_with_its_code(desk: Desk) -> None:
    verdict = await desk.judge(orders(sample=sample(b'{"orders": [', Format.JSON)))
    assert verdict.refusal is not None and verdict.refusal.code is Code.BODY_MALFORMED
    assert verdict.inspection is None and verdict.caller is not None


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        ({"content_type": "text/html"}, Code.FORMAT_MISMATCH),
        ({"content_type": "a b"}, Code.BODY_AMBIGUOUS),
        ({"coding": "compress"}, Code.CODING_UNSUPPORTED),
    ],
)
async def test_what_the_head_declares_counts_as_it_would_from_the_upstream(
    desk: Desk, declared: dict[str, str], code: Code
) -> None:
    trial = orders(sample=sample(b'{"orders": []}', Format.JSON, **declared))  # type: ignore[arg-type]
    verdict = await desk.judge(trial)
    assert verdict.refusal is not None and verdict.refusal.code is code


async def test_a_body_beyond_its_limit_is_refused(config: Config) -> None:
    endpoints = tuple(
        replace(each, limits=replace(each.limits, body=5)) for each in config.endpoints
    )
    async with Desk(replace(config, endpoints=endpoints)) as desk:
        verdict = await desk.judge(orders("A1"))
    assert verdict.refusal is not None and verdict.refusal.code is Code.BODY_TOO_LARGE


async def test_claims_that_a_token_could_not_have_are_a_refusal(desk: Desk) -> None:
    for claims in ({"sub": 1}, {"sub": "A1", "exp": 1}, {"sub": "A1", "aud": "other"}):
        verdict = await desk.judge(orders("A1", claims=claims))
        assert verdict.refusal is not None and verdict.refusal.status == 401


async def test_the_moment_of_the_trial_is_the_one_that_the_policy_sees(desk: Desk) -> None:
    at = datetime(2030, 1, 1, tzinfo=UTC)
    verdict = await desk.judge(orders("A1", at=at))
    assert verdict.question is not None and verdict.question.received_at == at


async def test_parameters_and_query_are_those_of_the_question(desk: Desk) -> None:
    trial = voice(
        "A1", method="POST", params={"request_id": "42"}, query={"q": ("1",), "r": ("a b",)}
    )
    question = (await desk.judge(trial)).question
    assert question is not None
    assert (question.method, question.path) == ("POST", ("exports", "42", "voice"))
    assert (question.params, question.query) == ({"request_id": "42"}, {"q": ("1",), "r": ("a b",)})


@pytest.mark.parametrize(
    ("trial", "words"),
    [
        (orders(endpoint="ordres"), "did you mean `orders`?"),
        (orders(endpoint="x"), "there are orders, voice, rows, archive"),
        (orders(method="POST"), "orders has only GET"),
        (orders(params={"id": "1"}), "it has none"),
        (voice(params={"request": "1"}), "did you mean `request_id`?"),
        (voice(params={"request_id": ""}), "not empty"),
        (voice(params={"request_id": ".."}), "a path segment can be read in two ways"),
        (voice(params={"request_id": "a/b"}), "a path segment can be read in two ways"),
        (voice(params={"request_id": "a\nb"}), "a control character"),
        (voice(params={"request_id": "a" * 9000}), "client.limits.target"),
        (voice(query={"q": ("1", "2")}), "a query name has two values"),
        (voice(query={"q;": ("1",)}), "a query pair can be read in two ways"),
        (orders(claims={"iss": "https://id.example.com"}), "did you mean `https://id.example.org`"),
        (orders(claims={"sub": object()}), "no token can hold them"),
    ],
)
async def test_a_trial_that_no_request_leads_to_is_unusable(
    desk: Desk, trial: Trial, words: str
) -> None:
    with pytest.raises(Unusable, match=words.replace("?", r"\?")) as caught:
        await desk.judge(trial)
    assert "\n" not in str(caught.value)


async def test_a_policy_that_cannot_be_used_is_unusable(config: Config, tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="not a folder"):
        async with Desk(config, tmp_path / "nothing"):
            pass


def test_another_bundle_is_evaluated_by_the_embedded_engine(tmp_path: Path) -> None:
    opa = PolicySettings(engine=EngineKind.OPA, opa="http://127.0.0.1:8181")
    assert settings(opa).engine is EngineKind.OPA
    assert settings(opa, tmp_path).engine is EngineKind.EMBEDDED
    assert settings(opa, tmp_path).bundle == tmp_path


async def test_the_two_halves_of_a_trial_can_be_asked_one_by_one(desk: Desk) -> None:
    trial = voice("A1", "A9")
    inspection = await desk.inspect(trial)
    assert inspection.records == 2
    question = (await desk.judge(trial)).question
    assert question is not None
    assert (await desk.decide(question)).effect is Effect.REDACT
