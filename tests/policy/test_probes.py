"""Planted questions: a policy that guards passes all of them, each way of leaking fails one."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from gateway.model import Attribution, Decision, Effect, Format, Phase, SubjectRef
from gateway.policy.contract import Question, encode_question
from gateway.policy.planted import Holdings, Look
from gateway.policy.probes import MOST, PROOF, Plan, Probe, Target, flaw, probes

SALT = "0123456789abcdef" * 2
NOW = datetime(2026, 6, 1, tzinfo=UTC)
PLAN = Plan(
    targets=(
        Target("orders", ("exports", "orders"), ("account",)),
        Target(
            "archive",
            ("exports", "{id}"),
            ("account", "email", "guest"),
            Format.ZIP,
            (Attribution.MANIFEST, Attribution.PATH),
            ("voice", "document"),
            labels={"tier": "gold"},
        ),
    ),
    issuers={
        "https://one.example": {"account": Look(), "email": Look(("", "@example.org"))},
        "https://two.example": {"account": Look()},
    },
)


def every(plan: Plan = PLAN) -> list[Probe]:
    return list(probes(plan, SALT, NOW))


def decision(
    effect: Effect = Effect.BLOCK,
    *permitted: SubjectRef,
    unattributed: bool = False,
    withhold: frozenset[str] = frozenset(),
) -> Decision:
    return Decision(effect, frozenset(permitted), unattributed, withhold, (), ("a", "b"), "r1")


Policy = Callable[[Question], Decision]


def guarding(question: Question) -> Decision:
    """Permits what the caller is, without an actor; redacts."""
    held = {each.kind: set() for each in question.caller.identifiers}
    for each in question.caller.identifiers:
        held[each.kind].add((type(each.value), each.value))
    mine = {
        subject
        for subject in question.subjects
        if (type(subject.value), subject.value) in held.get(subject.kind, ())
        and question.caller.actor is None
    }
    whole = mine == question.subjects and not question.unattributed
    if whole:
        return decision(Effect.ALLOW, *mine)
    return decision(Effect.REDACT, *mine) if mine else decision()


def flaws(policy: Policy, plan: Plan = PLAN) -> list[str]:
    return [said for probe in every(plan) if (said := flaw(probe, policy(probe.question)))]


def test_a_policy_that_guards_has_no_flaw() -> None:
    assert flaws(guarding) == []


def test_a_policy_that_blocks_everything_fails_the_one_that_must_pass() -> None:
    assert flaws(lambda _: decision()) == [
        "endpoint self-proof: the caller's own record: must pass, but the answer is block (a, b);"
        " what the policy asks of every caller can be named in policy.proof"
    ]


def test_a_policy_that_allows_everything_fails_at_every_endpoint() -> None:
    said = flaws(lambda question: decision(Effect.ALLOW, *question.subjects, unattributed=True))
    endpoints = Counter(each.split(":")[0] for each in said)
    assert endpoints.keys() == {"endpoint orders", "endpoint archive", "endpoint self-proof"}
    assert len(said) == sum(1 for probe in every() if probe.strangers)


def lax(compare: Callable[[str, SubjectRef, str, SubjectRef], bool]) -> Policy:
    """A policy that takes two identifiers for one where `compare` says so."""

    def decide(question: Question) -> Decision:
        held = [SubjectRef(each.kind, each.value) for each in question.caller.identifiers]
        mine = {
            subject
            for subject in question.subjects
            if any(compare(str(subject.value), subject, str(each.value), each) for each in held)
        }
        if question.caller.actor is not None:
            mine = set()
        if mine == question.subjects and not question.unattributed:
            return decision(Effect.ALLOW, *mine)
        return decision(Effect.REDACT, *mine) if mine else decision()

    return decide


LEAKS: dict[str, tuple[Policy, str]] = {
    "no types": (
        lax(lambda a, x, b, y: a == b and x.kind == y.kind),
        "a number as text (account)",
    ),
    "letters folded": (
        lax(lambda a, x, b, y: a.lower() == b.lower() and x.kind == y.kind and _same(x, y)),
        "other letters (account)",
    ),
    "spaces trimmed": (
        lax(lambda a, x, b, y: a.strip() == b.strip() and x.kind == y.kind and _same(x, y)),
        "a space more (account)",
    ),
    "prefixes": (
        lax(lambda a, x, b, y: a.startswith(b) and x.kind == y.kind and _same(x, y)),
        "a text that begins alike (account)",
    ),
    "no kinds": (
        lax(lambda a, x, b, y: a == b and _same(x, y)),
        "the same text of another kind (account)",
    ),
    "the caller of anybody": (
        lambda question: (
            decision(Effect.ALLOW, *question.subjects) if not question.unattributed else decision()
        ),
        "a stranger's record (account, direct)",
    ),
    "anybody beside an own one": (
        lambda question: (
            decision(Effect.REDACT, *question.subjects)
            if guarding(question).permitted
            else decision()
        ),
        "a stranger's record beside an own one (account, direct)",
    ),
    "one category only": (
        lambda question: (
            decision(Effect.REDACT, *question.subjects)
            if question.inspection
            and any(group.category == "document" for group in question.inspection.groups)
            else guarding(question)
        ),
        "a stranger's record (account, manifest, document)",
    ),
    "one attribution only": (
        lambda question: (
            decision(Effect.REDACT, *question.subjects)
            if question.inspection
            and any(g.attribution is Attribution.PATH for g in question.inspection.groups)
            else guarding(question)
        ),
        "a stranger's record (account, path, voice)",
    ),
    "callers who are nobody": (
        lambda question: (
            guarding(question)
            if question.caller.identifiers
            else decision(Effect.ALLOW, *question.subjects)
        ),
        "a stranger's record, a caller without identifiers (account, direct)",
    ),
    "any actor": (
        lambda question: (
            decision(Effect.ALLOW, *question.subjects)
            if question.caller.actor
            else guarding(question)
        ),
        "a stranger's record, through an actor (account)",
    ),
    "the actor itself": (
        lambda question: (
            decision(Effect.ALLOW, *question.subjects)
            if question.caller.actor
            and question.caller.actor.id in {each.value for each in question.subjects}
            else guarding(question)
        ),
        "the actor's own record, through an actor (account)",
    ),
    "nobody's records": (
        lambda question: (
            decision(Effect.REDACT, *guarding(question).permitted, unattributed=True)
            if question.unattributed
            else guarding(question)
        ),
        "a record without an owner",
    ),
    "one issuer": (
        lambda question: (
            decision(Effect.ALLOW, *question.subjects)
            if question.caller.issuer == "https://two.example" and not question.unattributed
            else guarding(question)
        ),
        "a stranger's record (account, direct)",
    ),
    "whoever the path names": (
        lambda question: (
            decision(Effect.ALLOW, *question.subjects)
            if question.caller.id in question.params.values() and not question.unattributed
            else guarding(question)
        ),
        "a stranger's record (account, manifest, voice)",
    ),
    "whomever the path names": (
        lambda question: (
            decision(Effect.REDACT, *named)
            if (named := {s for s in question.subjects if s.value in question.params.values()})
            else guarding(question)
        ),
        "a stranger's record, at a path that names the stranger (account)",
    ),
    "the first one": (
        lambda question: (
            decision(Effect.ALLOW, *question.subjects)
            if _owners(question)[:1] == _held(question)[:1] and not question.unattributed
            else guarding(question)
        ),
        "a stranger's record beside an own one (account, direct)",
    ),
    "the last one": (
        lambda question: (
            decision(Effect.ALLOW, *question.subjects)
            if _owners(question)[-1:] == _held(question)[:1] and not question.unattributed
            else guarding(question)
        ),
        "a stranger's record before an own one (account)",
    ),
    "two categories": (
        lambda question: (
            decision(Effect.REDACT, *question.subjects)
            if question.inspection
            and len({group.category for group in question.inspection.groups if group.owners}) > 1
            else guarding(question)
        ),
        "a stranger's record (account, manifest, document) beside an own one",
    ),
    "identifiers of one form": (
        lambda question: (
            decision(Effect.REDACT, *numbers)
            if (numbers := {s for s in question.subjects if re.fullmatch("[0-9]+", str(s.value))})
            else guarding(question)
        ),
        "a stranger's record (account, direct)",
    ),
    "one label": (
        lambda question: (
            decision(Effect.REDACT, *question.subjects)
            if question.labels.get("tier") == "gold"
            else guarding(question)
        ),
        "a stranger's record (account, manifest, voice)",
    ),
}


def _owners(question: Question) -> list[SubjectRef]:
    groups = question.inspection.groups if question.inspection else ()
    return [owner for group in groups for owner in group.owners]


def _held(question: Question) -> list[SubjectRef]:
    return [SubjectRef(each.kind, each.value) for each in question.caller.identifiers]


def _same(one: SubjectRef, other: SubjectRef) -> bool:
    return type(one.value) is type(other.value)


@pytest.mark.parametrize("leak", LEAKS)
def test_every_way_of_leaking_is_named(leak: str) -> None:
    policy, about = LEAKS[leak]
    said = flaws(policy)
    assert any(f": {about}: must stay behind" in each for each in said), said


def test_what_is_said_holds_no_identifier() -> None:
    said = flaws(lambda question: decision(Effect.ALLOW, *question.subjects, unattributed=True))
    assert not any("0123456789abcdef" in each for each in said)


def test_a_strangers_record_that_its_category_holds_back_has_stayed_behind() -> None:
    def decide(question: Question) -> Decision:
        return decision(
            Effect.REDACT, *question.subjects, withhold=frozenset({"voice", "document"})
        )

    groups = {group.category for probe in every() for group in probe.strangers}
    assert {"voice", "document"} < groups
    assert not any("voice" in each or "document" in each for each in flaws(decide))


def test_a_policy_may_release_nobodys_records_of_a_category_that_it_knows() -> None:
    def decide(question: Question) -> Decision:
        assert question.inspection is not None
        nobodys = [group for group in question.inspection.groups if not group.owners]
        known = bool(nobodys) and all(group.category == "document" for group in nobodys)
        mine = guarding(question).permitted
        return decision(Effect.REDACT, *mine, unattributed=True) if known else guarding(question)

    assert flaws(decide) == []


def test_a_policy_may_ask_for_what_no_planted_caller_has() -> None:
    def decide(question: Question) -> Decision:
        scoped = question.endpoint == PROOF or "export" in question.caller.scopes
        return guarding(question) if scoped else decision()

    assert flaws(decide) == []


def test_every_probe_is_a_question_that_can_be_asked() -> None:
    for probe in every():
        assert encode_question(probe.question)
        assert probe.question.phase is Phase.RESPONSE
        assert not probe.question.caller.scopes


def test_the_request_phase_is_asked_about_only_where_it_is_asked() -> None:
    plan = Plan(PLAN.targets, PLAN.issuers, request_phase=True)
    asked = Counter(probe.question.phase for probe in every(plan))
    assert asked[Phase.REQUEST] == len(PLAN.targets) * len(PLAN.issuers) + 1
    assert flaws(guarding, plan) == []
    refused = [p for p in every(plan) if p.question.phase is Phase.REQUEST and not p.must_pass]
    assert flaw(refused[0], decision()) is None


def test_a_policy_that_refuses_every_request_fails_the_one_that_must_pass() -> None:
    plan = Plan(PLAN.targets, PLAN.issuers, request_phase=True)
    (said,) = flaws(
        lambda question: guarding(question) if question.inspection else decision(), plan
    )
    assert said.startswith("endpoint self-proof: the request for it: must pass, but the answer is")


def test_a_probe_cannot_be_told_from_a_real_question() -> None:
    holds = Holdings(("export",), ("customer",), {"tenant": "t1"})
    for probe in every(Plan(PLAN.targets, PLAN.issuers, holds=holds)):
        asked = probe.question
        assert re.fullmatch(r"[0-9a-f]{32}", asked.exchange_id)
        held = asked.caller.scopes, asked.caller.roles, asked.caller.claims
        assert held == (("export",), ("customer",), {"tenant": "t1"})
        if probe.endpoint != PROOF:
            text = encode_question(asked).decode()
            assert not re.search("proof|probe|plant|foreign|stranger|own", text)


def test_a_large_configuration_is_bounded_and_asked_the_same_each_time() -> None:
    kinds = ("account", "email", "fhir")
    targets = tuple(Target(f"e{number}", ("{id}", "x"), kinds) for number in range(60))
    plan = Plan(targets, {"https://one.example": {kind: Look() for kind in kinds}})
    asked = [str(probe) for probe in every(plan)]
    assert len(asked) <= MOST + 2
    assert [str(probe) for probe in probes(plan, "f" * 32, NOW)] == asked
    few = Plan(targets[:1], plan.issuers)
    families = {probe.about.split(" (")[0] for probe in every(few)}
    assert {each.split(": ")[1].split(" (")[0] for each in asked} == families
    for kind in kinds:  # what shows the plainest leaks is asked everywhere
        for number in range(60):
            assert f"endpoint e{number}: a stranger's record ({kind}, direct)" in asked


def test_a_configuration_with_nothing_but_basics_is_asked_them_all() -> None:
    kinds = tuple(f"k{number}" for number in range(20))
    targets = tuple(Target(f"e{number}", ("x",), kinds) for number in range(60))
    plan = Plan(targets, {"https://one.example": {kind: Look() for kind in kinds}})
    asked = list(every(plan))
    assert len(asked) == 2 + 60 * (1 + 20 * 2) > MOST


def test_identifiers_are_new_each_time() -> None:
    one, other = (next(probes(PLAN, salt, NOW)).question.subjects for salt in ("00" * 8, "11" * 8))
    assert not one & other


def test_an_unanswered_probe_names_its_endpoint() -> None:
    assert str(every()[0]) == "endpoint self-proof: the caller's own record"
