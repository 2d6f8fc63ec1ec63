"""Two engines, one meaning: regorus and a real OPA answer every question alike, or both refuse it.

A Hypothesis example holds some callers, payloads and moments; all combinations of them at all
endpoints are asked, of both engines, on each deployment. Questions keep near the values of the
deployments, where the rules differ in their answers, and mix them with hostile ones.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.errors import Refusal
from gateway.model import Actor, Attribution, Effect, Group, SubjectRef
from gateway.policy.contract import Question, encode_question
from gateway.policy.decisions import PolicyDecisions
from gateway.policy.embedded import EmbeddedEngine
from gateway.policy.engine import EngineKind
from gateway.policy.opa import OpaEngine
from gateway.policy.settings import PolicySettings
from tests.policy.deployments import FULL, GROUNDS, HOSTILE, IBAN, RESTRICTIONS, only
from tests.policy.support import AMPLE, question, shipped_bundle
from tests.support.opa import running_opa

pytestmark = [pytest.mark.opa, pytest.mark.slow]

ENDPOINTS = ("orders", "voice", "chat", "patient", "scoped")
CALLERS, PAYLOADS, MOMENTS = 4, 5, 1
EACH = CALLERS * PAYLOADS * MOMENTS * len(ENDPOINTS)
EXAMPLES = 8
AT_ONCE = 32

SOUND: list[dict[str, Any]] = [
    FULL,
    only(*GROUNDS),
    only("self_access", **dict.fromkeys(RESTRICTIONS, True)),
    only("representative", "case_officer", entitled_categories=True),
]
DEPLOYMENTS = [*SOUND, *HOSTILE]

KNOWN = [
    *(SubjectRef("account", value) for value in ("A1", "A9", "B7", "B8", "K1", "K2", "K3", 42)),
    *(SubjectRef("account", value) for value in ("42", "text", "number")),
    *(SubjectRef("conversation", value) for value in ("C1", "C2", "C9")),
    SubjectRef("iban", IBAN["value"]),
    SubjectRef("client", "PSDDE-BAFIN-1"),
    *(SubjectRef("account", f"B{number}") for number in range(24)),
]
HOSTILE_VALUES = ["a1", "A1 ", "", "é", "e\u0301", 'x"]', "\uff21\uff11", "\0", "A1\n", "%v", "{}"]
INTEGERS = [42, 0, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)]
FAR = st.builds(
    SubjectRef,
    st.sampled_from(["account", "client", "conversation", "iban", "email", ""]),
    st.sampled_from(HOSTILE_VALUES)
    | st.sampled_from(INTEGERS)
    | st.text(max_size=3)
    | st.integers(-(2**63), 2**63 - 1),
)
SUBJECTS = st.sampled_from(KNOWN) | st.sampled_from(KNOWN[:15]) | FAR
CATEGORIES = st.sampled_from(["", "", "order", "voice", "health", "diary", "Voice", "é", "x"])
FIELDS = st.sampled_from(
    [
        *("id", "ssn", "SSN", " ssn", "customer", "tax id", "partner", "contacts", "größe", "a.b"),
        *("a", "", "*", "$.ssn", "it's", "\0", "\u017fsn", "\uff53sn", "name\n", "ssn\u00a0"),
    ]
)

ISSUERS = ["https://id.example.org", "https://partners.example.org"]
ACTORS = st.builds(
    Actor,
    st.sampled_from(["agent-7", "agent-8", "agent-9", "AGENT-7", ""])
    | st.integers(0, 24).map("agent-{}".format),
    st.sampled_from([None, *ISSUERS, "x"]),
)
CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "consent_id": st.sampled_from(["c-1", "c-2", "c-3", "c-4", None, 1, ["c-1"]]),
        "purpose": st.sampled_from(["breach-inquiry", "marketing", None, True]),
        "case": st.sampled_from(["2026-17", "2026-18", "", None, 17, ["2026-17"], {"a": 1.5}]),
    },
)
ANYBODY = st.fixed_dictionaries(
    {
        "identifiers": st.lists(SUBJECTS, max_size=3),
        "actor": st.none() | ACTORS,
        "roles": st.sampled_from([(), ("dpo",), ("DPO",), ("staff", "dpo")]),
        "scopes": st.sampled_from([(), ("export", "read"), ("read", "export", "x"), ("export",)]),
        "claims": CLAIMS,
        "issuer": st.sampled_from(ISSUERS),
    }
)
STORIES: list[dict[str, Any]] = [
    {"identifiers": [SubjectRef("account", "A1")]},
    {"identifiers": [SubjectRef("account", "A1")], "scopes": ("read", "export")},
    {"identifiers": [SubjectRef("account", "A1")], "actor": Actor("agent-7", ISSUERS[1])},
    {"identifiers": [SubjectRef("account", "A1")], "actor": Actor("agent-9")},
    {"identifiers": [SubjectRef("account", 42)]},
    {"identifiers": [SubjectRef("account", 42)], "actor": Actor("agent-7")},
    {"identifiers": [SubjectRef("account", "42"), SubjectRef("account", "A9")]},
    {
        "identifiers": [SubjectRef("client", "PSDDE-BAFIN-1")],
        "claims": {"consent_id": "c-1"},
    },
    {
        "identifiers": [SubjectRef("account", "dpo")],
        "roles": ("dpo",),
        "claims": {"purpose": "breach-inquiry", "case": "2026-17"},
    },
]
"""Callers whose parts belong together."""
WHO = st.sampled_from(STORIES) | st.sampled_from(STORIES) | ANYBODY
GROUPS = st.builds(
    Group,
    st.lists(SUBJECTS, max_size=2, unique_by=lambda each: each.key).map(tuple),
    st.sampled_from([Attribution.DIRECT, Attribution.MANIFEST]),
    CATEGORIES,
    st.integers(1, 3),
)
OWN = CATEGORIES.map(
    lambda name: Group((SubjectRef("account", "A1"),), Attribution.DIRECT, name, 1)
)
PAYLOAD = st.tuples(
    st.lists(OWN | GROUPS, max_size=3) | st.lists(SUBJECTS, max_size=3),
    st.lists(FIELDS, max_size=3, unique=True).map(sorted).map(tuple),
)
ARRIVAL = st.sampled_from(
    [
        datetime(2026, 6, 1, 12, tzinfo=UTC) + timedelta(microseconds=around)
        for around in (-1, 0, 0, 0, 999_999, 1_000_000, -7_200_000_001, 36_000_000_000)
    ]
    + [
        datetime(2026, 6, 1, 14, tzinfo=timezone(timedelta(hours=2))),
        datetime(2026, 2, 28, 9, 59, 59, tzinfo=UTC),
        datetime(2026, 2, 28, 10, tzinfo=UTC),
    ]
)


def fixed(strategy: st.SearchStrategy[Any], size: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, min_size=size, max_size=size)


@st.composite
def questions(draw: st.DrawFn) -> list[Question]:
    return [
        question(*groups, endpoint=endpoint, fields=fields, received_at=received_at, **who)
        for who, (groups, fields), received_at, endpoint in product(
            draw(fixed(WHO, CALLERS)),
            draw(fixed(PAYLOAD, PAYLOADS)),
            draw(fixed(ARRIVAL, MOMENTS)),
            ENDPOINTS,
        )
    ]


GRID = [
    question(Group((subject,), Attribution.DIRECT, category, 1), fields=fields, **who)
    for who in STORIES
    for subject, category, fields in (
        *((each, "order", ("id",)) for each in KNOWN[:16]),
        (KNOWN[0], "health", ("ssn", "partner")),
        (KNOWN[0], "voice", ("id",)),
    )
] + [question(KNOWN[0], endpoint=endpoint, fields=("partner", "SSN")) for endpoint in ENDPOINTS]
"""What the generated questions may miss: every story with every subject that it may be about."""

Pair = tuple[PolicyDecisions, PolicyDecisions]


@asynccontextmanager
async def both(binary: str, folder: Path, deployment: dict[str, Any]) -> AsyncIterator[Pair]:
    """Both engines on this deployment."""
    bundle = shipped_bundle(folder / "bundle", deployment)
    if deployment not in SOUND:
        # It would be refused; OPA loads its data without a schema.
        (bundle / "schemas" / "deployment.json").unlink()
    async with running_opa(binary, folder, deployment) as server:
        embedded = EmbeddedEngine(PolicySettings(bundle=bundle, deadline=AMPLE))
        opa = OpaEngine(PolicySettings(engine=EngineKind.OPA, opa=server.url, deadline=AMPLE))
        await embedded.start()
        await opa.start()
        try:
            yield PolicyDecisions(embedded), PolicyDecisions(opa)
        finally:
            await embedded.stop()
            await opa.stop()


@dataclass
class Comparison:
    """Asks both engines, and keeps what they answered."""

    pair: Pair
    outcomes: list[Any] = field(default_factory=list)

    async def ask(self, asked: list[Question]) -> None:
        free = asyncio.Semaphore(AT_ONCE)
        embedded, opa = await asyncio.gather(
            *(
                asyncio.gather(*(outcome(engine, each, free) for each in asked))
                for engine in self.pair
            )
        )
        for each, one, other in zip(asked, embedded, opa, strict=True):
            assert one == other, encode_question(each).decode()
        self.outcomes += embedded


async def outcome(decisions: PolicyDecisions, asked: Question, free: asyncio.Semaphore) -> Any:
    """The checked answer in a form that can be compared; None where the question is refused."""
    async with free:
        try:
            decision = await decisions.decide(asked)
        except Refusal:
            return None
    return (
        decision.effect,
        frozenset(each.key for each in decision.permitted),
        decision.release_unattributed,
        decision.withhold,
        frozenset(decision.mask),
        frozenset(decision.reasons),
    )


@pytest_asyncio.fixture(params=DEPLOYMENTS, ids=map(str, range(len(DEPLOYMENTS))))
async def comparison(
    request: pytest.FixtureRequest, opa_binary: str, tmp_path: Path
) -> AsyncIterator[Comparison]:
    deployment = request.param
    async with both(opa_binary, tmp_path, deployment) as pair:
        done = Comparison(pair)
        await done.ask(GRID)
        yield done
        assert len(done.outcomes) >= len(GRID) + EXAMPLES * EACH
        if deployment is FULL:  # or it would prove little
            answered = [each for each in done.outcomes if each]
            assert {each[0] for each in answered} == set(Effect)
            assert {*GROUNDS, *RESTRICTIONS} <= {name for each in answered for name in each[5]}


def test_ten_thousand_questions_are_asked() -> None:
    assert EXAMPLES * EACH * len(DEPLOYMENTS) >= 10_000


@pytest.mark.timeout(300)
@settings(
    deadline=None,
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(asked=questions())
async def test_both_engines_answer_every_question_alike(
    comparison: Comparison, asked: list[Question]
) -> None:
    await comparison.ask(asked)
