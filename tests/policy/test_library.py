"""Every ground and restriction of the library, on both engines, through the contract."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from gateway.model import Actor, Attribution, Decision, Effect, Group, Phase, SubjectRef
from gateway.policy.contract import Question
from gateway.policy.decisions import PolicyDecisions
from gateway.policy.embedded import EmbeddedEngine
from gateway.policy.settings import PolicySettings
from tests.conftest import REPOSITORY
from tests.policy.conftest import Engines
from tests.policy.deployments import FULL, GROUNDS, only
from tests.policy.support import AMPLE, FOREIGN, ME, question, shipped_bundle, unattributed

AGENT = Actor("agent-7", "https://partners.example.org")
TPP, IBAN = SubjectRef("client", "PSDDE-BAFIN-1"), SubjectRef("iban", "DE02120300000000202051")
CHILD, GROWN = SubjectRef("account", "K1"), SubjectRef("account", "K2")
CHAT, LEFT = SubjectRef("conversation", "C1"), SubjectRef("conversation", "C2")
AUDIT: dict[str, Any] = {"purpose": "breach-inquiry", "case": "2026-17"}
OFFICER: dict[str, Any] = {
    "identifiers": [SubjectRef("account", "dpo")],
    "roles": ("dpo",),
    "claims": AUDIT,
}
PROVIDER: dict[str, Any] = {"identifiers": [TPP], "claims": {"consent_id": "c-1"}}


def account(value: str | int) -> SubjectRef:
    return SubjectRef("account", value)


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Any], Path]:
    """A bundle folder for each deployment, made once: OPA processes are shared by folder."""
    made: dict[str, Path] = {}

    def bundle(name: str, deployment: Any) -> Path:
        if name not in made:
            made[name] = shipped_bundle(tmp_path_factory.mktemp(name) / "bundle", deployment)
        return made[name]

    return bundle


@pytest.fixture
async def decide(
    engines: Engines, bundles: Callable[[str, Any], Path]
) -> AsyncIterator[Callable[[str, Any, Question], Any]]:
    running: dict[str, PolicyDecisions] = {}

    async def answer(name: str, deployment: Any, asked: Question) -> Decision:
        if name not in running:
            running[name] = PolicyDecisions(await engines.start(bundles(name, deployment)))
        return await running[name].decide(asked)

    yield answer


def of(owner: SubjectRef, category: str, records: int = 1) -> Group:
    return Group((owner,), Attribution.DIRECT, category, records)


# --- grounds ------------------------------------------------------------------------------------


PERMITTED: list[tuple[str, SubjectRef, dict[str, Any]]] = [
    ("linked_account", account("B7"), {}),
    ("linked_account", account(42), {}),
    (
        "linked_account",
        account("number"),
        {"identifiers": [account(42)]},
    ),
    ("representative", ME, {"actor": AGENT}),
    ("representative", ME, {"actor": Actor("agent-9")}),
    ("guardian", CHILD, {}),
    (
        "guardian",
        account("K3"),
        {"received_at": datetime(2026, 2, 28, 9, tzinfo=UTC)},
    ),
    ("consent", IBAN, PROVIDER),
    ("case_officer", FOREIGN, OFFICER),
    ("participant", CHAT, {}),
]


@pytest.mark.parametrize(("ground", "subject", "asked"), PERMITTED)
async def test_a_ground_permits_its_subject_and_is_named(
    decide: Any, ground: str, subject: SubjectRef, asked: dict[str, Any]
) -> None:
    decision = await decide("grounds", only(*GROUNDS), question(subject, **asked))
    assert (decision.effect, decision.permitted) == (Effect.ALLOW, {subject})
    flags = {"bulk_disclosure"} if ground == "case_officer" else set()
    assert set(decision.reasons) == {ground} | flags


@pytest.mark.parametrize(("ground", "subject", "asked"), PERMITTED)
async def test_a_ground_that_is_not_enabled_permits_nobody(
    decide: Any, ground: str, subject: SubjectRef, asked: dict[str, Any]
) -> None:
    others = [name for name in GROUNDS if name != ground]
    decision = await decide(f"without-{ground}", only(*others), question(subject, **asked))
    assert decision.effect is Effect.BLOCK
    assert set(decision.reasons) == {"subject_not_permitted"}


REFUSED: list[tuple[str, SubjectRef, dict[str, Any]]] = [
    ("a link that has ended", account("B8"), {}),
    ("a link of the text 42", account("text"), {"identifiers": [account(42)]}),
    ("a delegation that has ended", ME, {"actor": Actor("agent-8", AGENT.issuer)}),
    ("the actor of another issuer", ME, {"actor": Actor("agent-7", "https://id.example.org")}),
    ("an actor without an issuer", ME, {"actor": Actor("agent-7")}),
    ("the actor for somebody else", FOREIGN, {"actor": AGENT}),
    ("the actor for a subject of the text 42", account("42"),
     {"actor": Actor("agent-7"), "identifiers": [account("42")]}),
    ("the actor as themselves", ME, {"identifiers": [account("agent-7")]}),
    ("a ward at the age limit", GROWN, {}),
    ("a ward of the parent's actor", CHILD, {"actor": AGENT}),
    ("a linked account of an actor", account("B7"), {"actor": AGENT}),
    ("a conversation of an actor", CHAT, {"actor": AGENT}),
    ("a consent with an actor", IBAN, PROVIDER | {"actor": AGENT}),
    ("a case with an actor", FOREIGN, OFFICER | {"actor": AGENT}),
    ("a consent that has ended", IBAN, PROVIDER | {"claims": {"consent_id": "c-2"}}),
    ("a consent that is revoked", IBAN, PROVIDER | {"claims": {"consent_id": "c-3"}}),
    ("a consent not named", IBAN, {"identifiers": [TPP]}),
    ("a consent to somebody else", IBAN, {"claims": {"consent_id": "c-1"}}),
    ("another account", SubjectRef("iban", "DE0"), PROVIDER),
    ("a case without the role", FOREIGN, OFFICER | {"roles": ("officer",)}),
    ("a case for another purpose", FOREIGN, OFFICER | {"claims": AUDIT | {"purpose": "x"}}),
    ("a closed case", FOREIGN, OFFICER | {"claims": AUDIT | {"case": "2026-18"}}),
    ("somebody outside the case", account("A2"), OFFICER),
    ("a conversation that was left", LEFT, {}),
    ("a conversation of others", SubjectRef("conversation", "C9"), {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("subject", "asked"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
async def test_nothing_else_is_permitted(
    decide: Any, subject: SubjectRef, asked: dict[str, Any]
) -> None:
    decision = await decide("grounds", only(*GROUNDS), question(subject, **asked))
    assert decision.effect is Effect.BLOCK
    assert set(decision.reasons) == {"subject_not_permitted"}


async def test_time_is_the_arrival_of_the_request(decide: Any) -> None:
    ends = datetime(2026, 6, 1, 12, 0, 1, tzinfo=UTC)
    for received_at, effect in (
        (ends - timedelta(microseconds=1), Effect.ALLOW),
        (ends, Effect.BLOCK),
    ):
        for subject, asked in (
            (account("B7"), {}),
            (ME, {"actor": AGENT}),
            (FOREIGN, OFFICER),
            (IBAN, PROVIDER),
        ):
            asked = asked | {"received_at": received_at}
            decision = await decide("grounds", only(*GROUNDS), question(subject, **asked))
            assert decision.effect is effect


async def test_grounds_add_up_and_what_is_left_over_blocks(decide: Any) -> None:
    everything = [ME, account("B7"), CHILD, CHAT]
    decision = await decide("grounds", only(*GROUNDS), question(*everything))
    assert (decision.effect, decision.permitted) == (Effect.ALLOW, set(everything))
    assert set(decision.reasons) == {"self_access", "linked_account", "guardian", "participant"}
    decision = await decide("grounds", only(*GROUNDS), question(*everything, FOREIGN))
    assert decision.effect is Effect.BLOCK
    decision = await decide(
        "grounds", only(*GROUNDS), question(*everything, FOREIGN, endpoint="voice")
    )
    assert (decision.effect, decision.permitted) == (Effect.REDACT, set(everything))


# --- restrictions -------------------------------------------------------------------------------


async def test_where_nothing_is_taken_away_the_export_leaves_untouched(decide: Any) -> None:
    decision = await decide("full", FULL, question(of(ME, "order"), of(ME, "")))
    assert (decision.effect, decision.reasons) == (Effect.ALLOW, ("self_access",))


async def test_special_categories_are_withheld_but_for_the_exceptions(decide: Any) -> None:
    deployment = only("self_access", special_category=True)
    groups = (of(ME, "health"), of(ME, "diary"), of(ME, "order"))
    decision = await decide("special", deployment, question(*groups))
    assert decision.effect is Effect.REDACT
    assert (decision.withhold, decision.permitted) == ({"health", "diary"}, {ME})
    assert [decision.releases(group) for group in groups] == [False, False, True]
    assert set(decision.reasons) == {"self_access", "special_category"}
    excepted = await decide("special", deployment, question(*groups[::2], endpoint="patient"))
    assert (excepted.effect, excepted.withhold) == (Effect.ALLOW, frozenset())


async def test_who_owns_no_voice_device_gets_no_voice_records(decide: Any) -> None:
    deployment = only("self_access", entitled_categories=True)
    # The recordings carry the caller's own identifier: by identifiers alone they would leave.
    mistaken = question(of(ME, "voice", 1700), of(ME, "order", 50))
    assert (await decide("self", only("self_access"), mistaken)).effect is Effect.ALLOW
    decision = await decide("entitled", deployment, mistaken)
    assert (decision.effect, decision.withhold) == (Effect.REDACT, {"voice"})
    assert not decision.releases(of(ME, "voice"))
    assert decision.releases(of(ME, "order"))
    assert set(decision.reasons) == {"self_access", "entitled_categories"}
    owner = question(of(FOREIGN, "voice"), identifiers=[FOREIGN])
    assert (await decide("entitled", deployment, owner)).effect is Effect.ALLOW


async def test_whoever_owns_them_and_where_nobody_knows(decide: Any) -> None:
    deployment = only("self_access", entitled_categories=True)
    groups = (of(FOREIGN, "voice", 1700), unattributed(3, "voice"), of(ME, "order", 50))
    blocked = await decide("entitled", deployment, question(*groups))
    assert blocked.effect is Effect.BLOCK
    redacted = await decide("entitled", deployment, question(*groups, endpoint="voice"))
    assert (redacted.effect, redacted.withhold) == (Effect.REDACT, {"voice"})
    assert [redacted.releases(group) for group in groups] == [False, False, True]
    assert set(redacted.reasons) == {
        "self_access", "subject_not_permitted", "unattributed_records", "entitled_categories",
    }  # fmt: skip


async def test_a_category_that_the_data_does_not_know_is_withheld(decide: Any) -> None:
    decision = await decide(
        "entitled", only("self_access", entitled_categories=True), question(of(ME, "location"))
    )
    assert (decision.effect, decision.withhold) == (Effect.REDACT, {"location"})


async def test_fields_are_masked_where_they_occur(decide: Any) -> None:
    deployment = only("self_access", third_person_fields=True, never_disclose=True)
    for endpoint, fields, mask in (
        ("chat", ("id", "partner", "ssn"), {"$.partner", "$.ssn"}),
        ("chat", ("contacts",), {"$['contacts'][*].phone"}),
        ("orders", ("id", "partner", "contacts"), set()),
        ("orders", ("customer",), {"$.customer.ssn"}),
        ("orders", ("tax id",), {'$["tax id"]'}),
        ("voice", ("id",), {"$.*"}),
        ("orders", ("SSN",), {"$.ssn"}),
        ("orders", ("iban",), {"$.iban keep 4"}),
        ("orders", (), set()),
    ):
        decision = await decide(
            "masking", deployment, question(ME, endpoint=endpoint, fields=fields)
        )
        assert set(map(str, decision.mask)) == mask, (endpoint, fields)
        assert decision.effect is (Effect.REDACT if mask else Effect.ALLOW)
        assert decision.permitted == {ME}


async def test_an_export_without_records_has_nothing_to_mask(decide: Any) -> None:
    deployment = only("self_access", third_person_fields=True, never_disclose=True)
    decision = await decide("masking", deployment, question(fields=("ssn",)))
    assert (decision.effect, decision.mask) == (Effect.ALLOW, ())


async def test_all_restrictions_together_are_one_redaction(decide: Any) -> None:
    groups = (of(ME, "health"), of(ME, "voice"), of(ME, "order"))
    asked = question(*groups, endpoint="chat", fields=("partner", "ssn"))
    decision = await decide("full", FULL, asked)
    assert decision.effect is Effect.REDACT
    assert decision.withhold == {"health", "voice"}
    assert set(map(str, decision.mask)) == {"$.partner", "$.ssn"}
    assert set(decision.reasons) == {"self_access", *FULL["restrictions"]}


@pytest.mark.parametrize("name", sorted(FULL["restrictions"]))
async def test_a_restriction_without_its_data_blocks(
    engines: Engines, tmp_path: Path, name: str
) -> None:
    folder = shipped_bundle(tmp_path / "b", only("self_access", **{name: {}}))
    # The schema would refuse it before; OPA loads its data without one.
    (folder / "schemas" / "deployment.json").unlink()
    decisions = PolicyDecisions(await engines.start(folder))
    for asked in (question(ME), question(ME, endpoint="voice"), question(phase=Phase.REQUEST)):
        decision = await decisions.decide(asked)
        assert decision.effect is Effect.BLOCK
        assert "restriction_data_missing" in decision.reasons


async def test_restrictions_take_nothing_away_in_the_request_phase(decide: Any) -> None:
    decision = await decide("full", FULL, question(phase=Phase.REQUEST))
    assert (decision.effect, decision.reasons) == (Effect.ALLOW, ())


@pytest.mark.parametrize(
    ("ground", "asked"),
    [
        ("linked_account", {}),
        ("participant", {}),
        ("case_officer", OFFICER),
    ],
)
async def test_ten_thousand_subjects_of_one_ground_are_decided(
    engines: Engines, tmp_path: Path, ground: str, asked: dict[str, Any]
) -> None:
    everybody = [account(f"S{number}") for number in range(10_000)]
    listed = [{"kind": each.kind, "value": each.value} for each in everybody[:5_000]]
    register = {"account": {"string": {"A1": [each | {"expires_at": None} for each in listed]}}}
    case = GROUNDS["case_officer"]["cases"]["2026-17"] | {"subjects": listed}
    data = {
        "linked_account": {"links": register},
        "participant": {"conversations": register},
        "case_officer": GROUNDS["case_officer"] | {"cases": {"2026-17": case}},
    }[ground]
    folder = shipped_bundle(
        tmp_path / "b", {"grounds": {ground: data}, "partial": {"all": "redact"}}
    )
    decisions = PolicyDecisions(await engines.start(folder))
    decision = await decisions.decide(question(*everybody, endpoint="all", **asked))
    assert (decision.effect, decision.permitted) == (Effect.REDACT, set(everybody[:5_000]))


async def test_the_documented_example_enables_everything_and_decides() -> None:
    example = REPOSITORY / "docs" / "examples" / "deployment.yaml"
    engine = EmbeddedEngine(PolicySettings(data=example, deadline=AMPLE))
    await engine.start()
    try:
        decisions = PolicyDecisions(engine)
        asked = question(of(ME, "order"), of(ME, "voice"), of(CHILD, "profile"), scopes=("export",))
        decision = await decisions.decide(asked)
        assert (decision.effect, decision.withhold) == (Effect.REDACT, {"voice"})
        assert decision.permitted == {ME, CHILD}
        assert set(decision.reasons) == {"self_access", "guardian", "entitled_categories"}
    finally:
        await engine.stop()
    written = YAML(typ="safe", pure=True).load(example.read_text())
    for group in ("grounds", "restrictions"):
        assert written[group].keys() == FULL[group].keys()
