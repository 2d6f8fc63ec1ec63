"""A policy decides a logged question as it decided the real one, or it is said that it can't."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.model import Actor, Attribution, Effect, Group, SubjectRef
from gateway.policy.bundle import load
from gateway.policy.contract import Question
from gateway.policy.decisions import PolicyDecisions
from gateway.policy.embedded import EmbeddedEngine
from gateway.policy.settings import PolicySettings
from gateway.workbench.replay.asking import Policy, Rules
from gateway.workbench.replay.disguises import Disguises
from gateway.workbench.replay.verdicts import Verdict, as_logged, recorded
from gateway.workbench.replay.vocabulary import words
from gateway.workbench.unusable import Unusable
from tests.policy.support import (
    AMPLE,
    FOREIGN,
    ME,
    question,
    shipped_bundle,
    unattributed,
    write_bundle,
)
from tests.workbench.replay.support import NAMES, block, evidence, exchange

OLD, NUMBER = SubjectRef("account", "B7"), SubjectRef("account", 42)


def linked(subject: SubjectRef, expires_at: str | None = None) -> dict[str, Any]:
    return {"kind": subject.kind, "value": subject.value, "expires_at": expires_at}


DEPLOYMENT = {
    "grounds": {
        "self_access": True,
        "linked_account": {
            "links": {
                "account": {
                    "string": {
                        ME.value: [
                            linked(OLD),
                            linked(NUMBER, "2026-06-01T13:00:00Z"),
                            linked(FOREIGN, "2026-06-01T11:00:00Z"),
                        ]
                    },
                    "number": {"42": [linked(ME)]},
                }
            }
        },
    },
    "partial": {"voice": "redact"},
    "scopes": {"voice": ["export", "voice"]},
}

# Compares a value of each place with one of another, and with words of its own.
CROSS = """package privacy.decision

permitted contains {"kind": subject.kind, "value": subject.value} if {
	some subject in input.payload.subjects
	subject.value in input.request.path
}

permitted contains {"kind": subject.kind, "value": subject.value} if {
	some subject in input.payload.subjects
	input.caller.claims.circle.members[subject.value]
}

permitted contains {"kind": subject.kind, "value": subject.value} if {
	some subject in input.payload.subjects
	subject.value == input.caller.claims.number
}

effect := "redact" if count(permitted) > 0

default effect := "block"

mask := ["$.id"] if "id" in input.payload.fields

default mask := []

withhold := [category |
	some category in input.payload.unattributed.categories
	input.request.query[category]
]

unattributed := "release" if input.endpoint.name in input.caller.scopes

default unattributed := "withhold"

reasons contains "auditor" if "auditor" in input.caller.roles

reasons contains "is_number" if is_number(input.caller.claims.number)

reasons contains "is_text" if is_string(input.caller.claims.number)

reasons contains "eighteen" if input.caller.claims.number == 18

reasons contains "acting" if input.caller.actor.id == input.caller.id
"""


@dataclass
class Both:
    """One bundle, asked with real questions and with logged ones."""

    runner: asyncio.Runner
    decisions: PolicyDecisions
    policy: Policy
    folder: Path

    def decide(self, asked: Question) -> tuple[Verdict, Verdict | None]:
        """What was decided, and what is decided again from the log's entry."""
        decision = self.runner.run(self.decisions.decide(asked))
        logged = exchange(self.folder, evidence(asked, decision))
        before, after = recorded(logged), self.runner.run(self.policy.decide(logged))
        return before, as_logged(after, before, NAMES) if after else None


@contextmanager
def both(bundle: Path, folder: Path) -> Iterator[Both]:
    settings = PolicySettings(bundle=bundle, deadline=AMPLE)
    engine = EmbeddedEngine(settings)
    policy = Policy(Rules(bundle), Disguises(NAMES, words(load(bundle))))
    with asyncio.Runner() as runner:
        runner.run(engine.start())
        runner.run(policy.__aenter__())
        try:
            yield Both(runner, PolicyDecisions(engine), policy, folder)
        finally:
            runner.run(policy.__aexit__())
            runner.run(engine.stop())


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("shipped")
    with both(shipped_bundle(folder / "b", DEPLOYMENT), folder) as made:
        yield made


@pytest.fixture(scope="module")
def cross(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("cross")
    with both(write_bundle(folder / "b", {"privacy/decision/d.rego": CROSS}), folder) as made:
        yield made


known = [ME, FOREIGN, OLD, NUMBER, SubjectRef("account", "42"), SubjectRef("email", "A1")]
subjects = st.sampled_from([*known, SubjectRef("account", "Z3"), SubjectRef("account", 7)])
values = st.sampled_from(["A1", "A9", 42, "42", 18, "18", "Z3", 7, 1.0, 1])
words_of_people = st.sampled_from(
    ["A1", "A9", "Z3", "42", "exports", "orders", "document", "voice"]
)
groups = st.one_of(
    st.builds(
        Group,
        st.lists(subjects, min_size=1, max_size=2, unique=True).map(tuple),
        st.just(Attribution.DIRECT),
        st.sampled_from(["", "voice"]),
        st.integers(1, 3),
    ),
    st.builds(unattributed, st.integers(1, 3), st.sampled_from(["", "document"])),
)


@st.composite
def asked(draw: st.DrawFn) -> Question:
    members = draw(st.dictionaries(words_of_people, st.just(True), max_size=2))
    claims = {"number": draw(values), "circle": {"members": members}}
    seen = draw(st.lists(groups, max_size=4))
    owners = {owner for group in seen for owner in group.owners}
    queried = draw(st.dictionaries(words_of_people, st.just(("1",)), max_size=2))
    return question(
        *seen,
        identifiers=sorted(draw(st.sets(subjects, max_size=2)) | set(list(owners)[:1]), key=repr),
        endpoint=draw(st.sampled_from(["orders", "voice"])),
        claims=claims,
        scopes=draw(st.sampled_from([(), ("export", "voice"), ("orders",), ("export",)])),
        actor=draw(st.sampled_from([None, None, Actor("A1"), Actor("desk")])),
        path=tuple(draw(st.lists(words_of_people, max_size=2))),
        query=queried,
    )


often = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@often
@given(asked=asked())
def test_the_shipped_policy_decides_the_same_from_the_log(shipped: Both, asked: Question) -> None:
    before, after = shipped.decide(asked)
    assert after == before


@often
@given(asked=asked())
def test_a_policy_that_compares_everything_with_everything_decides_the_same_from_the_log(
    cross: Both, asked: Question
) -> None:
    before, after = cross.decide(asked)
    assert after == before


def test_the_policies_above_permit_and_block(shipped: Both, cross: Both) -> None:
    """Else the two properties would say little."""
    assert shipped.decide(question(ME, OLD, NUMBER))[1] == Verdict(
        Effect.ALLOW, frozenset({0, 1, 2}), reasons=frozenset({"self_access", "linked_account"})
    )
    assert shipped.decide(question(ME, FOREIGN))[1] == Verdict(
        Effect.BLOCK, reasons=frozenset({"self_access", "subject_not_permitted"})
    )
    found = cross.decide(question(FOREIGN, path=("exports", "A9"), claims={"number": 18}))[1]
    assert found and found.effect is Effect.REDACT
    assert found.mask == {"$.id"}
    assert found.reasons == {"is_number", "eighteen"}


@pytest.mark.parametrize(
    "rule",
    [
        "input.caller.claims.age < 18",
        'input.caller.id > "m"',
        "count(input.caller.id) > 34",
        "lower(input.caller.id) == input.caller.id",
        "input.payload.subjects[0].value < input.payload.subjects[1].value",
    ],
)
def test_a_policy_that_looks_at_more_than_equality_is_found_out(tmp_path: Path, rule: str) -> None:
    bundle = write_bundle(
        tmp_path / "b",
        {
            "privacy/decision/d.rego": f"""package privacy.decision

effect := "block"
permitted := []
unattributed := "withhold"
withhold := []
mask := []
reasons contains "looked" if {rule}
"""
        },
    )
    asked = question(ME, FOREIGN, claims={"age": 17})
    with both(bundle, tmp_path) as made:
        logged = exchange(tmp_path, evidence(asked, block()))
        assert made.runner.run(made.policy.decide(logged)) is None


def test_a_policy_that_gives_no_valid_answer_has_a_verdict_too(tmp_path: Path) -> None:
    bundle = write_bundle(
        tmp_path / "b", {"privacy/decision/d.rego": "package privacy.decision\n\neffect := 1\n"}
    )
    with both(bundle, tmp_path) as made:
        logged = exchange(tmp_path, evidence(question(ME), block()))
        found = made.runner.run(made.policy.decide(logged))
    assert found and (found.name, found.why) == ("refused", {"decision_invalid"})


async def test_a_bundle_that_does_not_load_is_unusable(tmp_path: Path) -> None:
    bundle = write_bundle(
        tmp_path / "b", {"privacy/decision/d.rego": "package privacy.decision\n\neffect :=\n"}
    )
    with pytest.raises(Unusable, match=r"d\.rego"):
        async with Policy(Rules(bundle), Disguises(NAMES, ())):
            pass


def test_an_answer_about_a_subject_finds_its_place_in_the_entry(shipped: Both) -> None:
    """The entry lists permitted subjects first, the body had them last."""
    before, after = shipped.decide(
        question(FOREIGN, ME, endpoint="voice", scopes=("export", "voice"))
    )
    assert before == after
    assert after and (after.effect, after.permitted) == (Effect.REDACT, {0})
