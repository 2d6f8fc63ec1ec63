"""The policies that ship, on both engines: what they let through, and that they never do more."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import Code, Unavailable
from gateway.model import Actor, Attribution, Decision, Effect, Group, Phase, SubjectRef
from gateway.policy.contract import Question
from gateway.policy.decisions import PolicyDecisions
from gateway.policy.embedded import EmbeddedEngine
from gateway.policy.engine import Engine, EngineFacts, EngineKind, Evaluation
from gateway.policy.opa import OpaEngine
from gateway.policy.settings import PolicySettings
from tests.policy.conftest import DEPLOYMENT, Engines, StartOpa
from tests.policy.support import AMPLE, FOREIGN, ME, answer, question, shipped_bundle, unattributed

LINKED = SubjectRef("account", "B7")


async def decide(engine: Engine, asked: Question) -> Decision:
    return await PolicyDecisions(engine).decide(asked)


class Scripted:
    """An engine that gives one answer."""

    def __init__(self, raw: bytes | None) -> None:
        self.raw = raw

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def evaluate(self, question: bytes) -> Evaluation:
        assert question.startswith(b'{"schema":')
        return Evaluation(self.raw, "scripted-1")

    async def ready(self) -> bool:
        return True

    def facts(self) -> EngineFacts:
        return EngineFacts(EngineKind.EMBEDDED, "scripted-1", ready=True)


async def test_a_decision_is_returned_a_block_included() -> None:
    allowed = await decide(Scripted(answer()), question(ME))
    assert (allowed.effect, allowed.revision) == (Effect.ALLOW, "scripted-1")
    blocked = await decide(Scripted(answer(effect="block", permitted=[])), question(ME))
    assert blocked.effect is Effect.BLOCK


async def test_an_answer_outside_the_contract_is_refused() -> None:
    for raw, code in ((None, Code.POLICY_UNDEFINED), (b"true", Code.DECISION_INVALID)):
        with pytest.raises(Unavailable) as refusal:
            await decide(Scripted(raw), question(ME))
        assert refusal.value.code is code


# --- the shipped policies -----------------------------------------------------------------------


async def test_an_own_export_is_allowed(shipped: Engine) -> None:
    decision = await decide(shipped, question(ME))
    assert (decision.effect, decision.permitted) == (Effect.ALLOW, {ME})
    assert (decision.reasons, decision.revision) == (("self_access",), "shipped-1")


async def test_a_foreign_record_blocks_and_is_redacted_where_the_deployment_says_so(
    shipped: Engine,
) -> None:
    blocked = await decide(shipped, question(ME, FOREIGN))
    assert blocked.effect is Effect.BLOCK
    assert set(blocked.reasons) == {"self_access", "subject_not_permitted"}
    redacted = await decide(shipped, question(ME, FOREIGN, endpoint="voice"))
    assert (redacted.effect, redacted.permitted) == (Effect.REDACT, {ME})


async def test_an_export_of_a_stranger_alone_is_never_redacted(shipped: Engine) -> None:
    for endpoint in ("orders", "voice"):
        decision = await decide(shipped, question(FOREIGN, endpoint=endpoint))
        assert decision.effect is Effect.BLOCK


async def test_records_without_an_owner_never_leave(shipped: Engine) -> None:
    assert (await decide(shipped, question(ME, unattributed()))).effect is Effect.BLOCK
    asked = question(ME, unattributed(), endpoint="voice")
    redacted = await decide(shipped, asked)
    assert redacted.effect is Effect.REDACT
    assert not redacted.releases(unattributed())


async def test_an_export_without_records_is_allowed(shipped: Engine) -> None:
    assert (await decide(shipped, question())).effect is Effect.ALLOW
    nobody = question(identifiers=[])
    assert (await decide(shipped, nobody)).effect is Effect.BLOCK


async def test_a_linked_account_is_permitted_until_it_expires(
    shipped: Engine, engines: Engines, tmp_path: Path
) -> None:
    decision = await decide(shipped, question(ME, LINKED))
    assert (decision.effect, decision.permitted) == (Effect.ALLOW, {ME, LINKED})
    assert set(decision.reasons) == {"self_access", "linked_account"}
    stranger = question(LINKED, identifiers=[FOREIGN])
    assert (await decide(shipped, stranger)).effect is Effect.BLOCK
    (link,) = DEPLOYMENT["grounds"]["linked_account"]["links"]["account"]["string"]["A1"]
    ended = link | {"expires_at": "2026-06-01T12:00:00Z"}
    expired = {"links": {"account": {"string": {"A1": [ended]}}}}
    later = await engines.start(
        shipped_bundle(
            tmp_path / "b", {"grounds": {"self_access": True, "linked_account": expired}}
        )
    )
    assert (await decide(later, question(ME, LINKED))).effect is Effect.BLOCK


async def test_an_actor_is_not_the_subject(shipped: Engine) -> None:
    for subject in (ME, LINKED):
        decision = await decide(shipped, question(subject, actor=Actor("support-desk")))
        assert decision.effect is Effect.BLOCK


async def test_a_caller_with_an_identifier_may_ask_and_one_without_may_not(shipped: Engine) -> None:
    asked = question(phase=Phase.REQUEST)
    assert (await decide(shipped, asked)).effect is Effect.ALLOW
    nobody = question(phase=Phase.REQUEST, identifiers=[])
    assert (await decide(shipped, nobody)).effect is Effect.BLOCK


@pytest.mark.parametrize("phase", Phase)
async def test_an_endpoint_can_require_scopes_in_both_phases(shipped: Engine, phase: Phase) -> None:
    for scopes, effect in (
        (("export", "read"), Effect.ALLOW),
        (("export",), Effect.BLOCK),
        (("exportread",), Effect.BLOCK),
        ((), Effect.BLOCK),
    ):
        asked = question(phase=phase, endpoint="scoped", scopes=scopes)
        assert (await decide(shipped, asked)).effect is effect


@pytest.mark.parametrize("deployment", [None, {"grounds": {}}], ids=["none", "no ground"])
async def test_without_the_deployments_data_nothing_is_permitted(
    engines: Engines, tmp_path: Path, deployment: object
) -> None:
    engine = await engines.start(shipped_bundle(tmp_path / "b", deployment))
    for phase in Phase:
        asked = question(*([ME] if phase is Phase.RESPONSE else []), phase=phase)
        decision = await decide(engine, asked)
        assert (decision.effect, decision.permitted) == (Effect.BLOCK, frozenset())


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (42, "42"),
        ("42", 42),
        (2**53, 2**53 + 1),
        (2**63 - 1, 2**63 - 2),
        (-(2**63), -(2**63) + 1),
        ("ME", "me"),
        ("é", "e\u0301"),
        ("a", "a "),
        ("a", "\uff41"),
        ("", "\u0000"),
        ('x"] == true', 'x"] == tru'),
    ],
)
async def test_identifiers_are_compared_as_typed_exact_values(
    shipped: Engine, mine: str | int, theirs: str | int
) -> None:
    me, foreign = SubjectRef("account", mine), SubjectRef("account", theirs)
    blocked = await decide(shipped, question(foreign, identifiers=[me]))
    assert blocked.effect is Effect.BLOCK
    allowed = await decide(shipped, question(me, identifiers=[me]))
    assert (allowed.effect, allowed.permitted) == (Effect.ALLOW, {me})


async def test_ten_thousand_subjects_are_decided(shipped: Engine) -> None:
    everybody = [SubjectRef("account", number) for number in range(10_000)]
    decision = await decide(
        shipped, question(*everybody, identifiers=everybody[:1], endpoint="voice")
    )
    assert (decision.effect, decision.permitted) == (Effect.REDACT, {everybody[0]})


# --- properties ---------------------------------------------------------------------------------

VALUES = st.one_of(
    st.sampled_from(["A1", "B7", "A9", "a1", "", "1", "é", "e\u0301", 'x"]', "*"]),
    st.sampled_from([0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)]),
    st.text(max_size=4),
    st.integers(-(2**63), 2**63 - 1),
)
SUBJECTS = st.builds(SubjectRef, st.sampled_from(["account", "email", "fhir"]), VALUES)
GROUPS = st.builds(
    Group,
    st.lists(SUBJECTS, max_size=3, unique_by=lambda each: each.key).map(tuple),
    st.sampled_from([Attribution.DIRECT, Attribution.MANIFEST]),
    st.sampled_from(["", "voice"]),
    st.integers(1, 3),
)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    identifiers = draw(st.lists(SUBJECTS, max_size=4))
    own = st.sampled_from([*identifiers, ME, LINKED]).map(
        lambda each: Group((each,), Attribution.DIRECT, "", 1)
    )
    return question(
        *draw(st.lists(own | GROUPS, max_size=5)),
        identifiers=identifiers,
        endpoint=draw(st.sampled_from(["orders", "voice", "scoped"])),
        scopes=draw(st.sampled_from([(), ("export", "read")])),
        actor=draw(st.sampled_from([None, None, Actor("support-desk")])),
    )


ON_ENGINES = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@ON_ENGINES
@given(asked=questions())
async def test_nobody_but_the_caller_and_their_links_is_ever_permitted(
    shipped: Engine, asked: Question
) -> None:
    decision = await decide(shipped, asked)
    mine = {SubjectRef(each.kind, each.value) for each in asked.caller.identifiers}
    keys = {each.key for each in mine | ({LINKED} if ME in mine else set())}
    assert decision.permitted <= asked.subjects
    assert {each.key for each in decision.permitted} <= keys
    assert asked.inspection is not None
    for group in asked.inspection.groups:
        if decision.releases(group):
            assert group.owners
            assert {owner.key for owner in group.owners} <= keys
            assert asked.caller.actor is None
    whole = {each.key for each in asked.subjects} <= keys and not asked.unattributed
    if whole and mine and not asked.caller.actor and asked.endpoint != "scoped":
        assert decision.effect is Effect.ALLOW


@pytest.mark.opa
@ON_ENGINES
@given(asked=st.lists(questions(), max_size=4))
async def test_both_engines_decide_the_same(
    pair: tuple[Engine, Engine], asked: list[Question]
) -> None:
    for each in asked:
        embedded, opa = [await decide(engine, each) for engine in pair]
        assert set(embedded.reasons) == set(opa.reasons)
        assert (embedded.effect, embedded.permitted) == (opa.effect, opa.permitted)


@pytest.fixture
async def pair(policies: Path, start_opa: StartOpa):  # type: ignore[no-untyped-def]
    opa = OpaEngine(
        PolicySettings(engine=EngineKind.OPA, opa=start_opa(policies).url, deadline=AMPLE)
    )
    embedded = EmbeddedEngine(PolicySettings(bundle=policies, deadline=AMPLE))
    await opa.start()
    await embedded.start()
    yield embedded, opa
    await embedded.stop()
    await opa.stop()
