"""The self-proof passes where the gateway guards, and says what is wrong where it does not."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import TypeAdapter

from gateway import selfproof
from gateway.decisionlog.entry import Evidence
from gateway.endpoints import Endpoint, Endpoints
from gateway.errors import Code, Unavailable
from gateway.identity.settings import IssuerSettings
from gateway.inspection.dispatch import Dispatch
from gateway.inspection.settings import BodySpec, InspectionSettings, MemberSpec
from gateway.model import Attribution, Decision, Effect, Format, Phase, SubjectRef
from gateway.policy.contract import Question
from gateway.policy.planted import Holdings, Look
from gateway.policy.probes import Plan, Target
from gateway.policy.settings import PolicySettings, ProofSettings
from gateway.rooms import Rooms
from gateway.selfproof import SelfProof, plan, prove
from gateway.spool import Spool, SpoolSettings
from tests.support.said import capture_logs

Rule = Callable[[Question], frozenset[SubjectRef]]


def own(question: Question) -> frozenset[SubjectRef]:
    caller = {(i.kind, i.value) for i in question.caller.identifiers}
    subjects = question.inspection.subjects if question.inspection else ()
    return frozenset(s for s in subjects if (s.kind, s.value) in caller)


def everything(question: Question) -> frozenset[SubjectRef]:
    return frozenset(question.inspection.subjects if question.inspection else ())


def nothing(_question: Question) -> frozenset[SubjectRef]:
    return frozenset()


PLAIN = {"account": Look()}


@dataclass
class Planned:
    """A policy as a rule, and a log that remembers or fails."""

    rule: Rule
    partial: Effect = Effect.BLOCK
    log_fails: bool = False
    entries: list[Evidence] = field(default_factory=list)

    async def decide(self, question: Question) -> Decision:
        permitted = self.rule(question)
        whole = question.phase is Phase.REQUEST or permitted == everything(question)
        effect = Effect.ALLOW if whole else self.partial if permitted else Effect.BLOCK
        return Decision(effect, permitted, False, frozenset(), (), (), "r1")

    def ready(self) -> bool:
        return True

    async def append(self, evidence: Evidence) -> None:
        if self.log_fails:
            raise Unavailable(Code.LOG_UNAVAILABLE)
        self.entries.append(evidence)

    def exchange(self, evidence: Evidence) -> None: ...


@pytest_asyncio.fixture
async def rooms(tmp_path: Path) -> AsyncIterator[Rooms]:
    inspector = Dispatch(
        InspectionSettings(workers=1), Spool(SpoolSettings(directory=tmp_path / "spool"))
    )
    await inspector.start()
    plan = Planned(own)
    yield Rooms(
        admission=None,  # type: ignore[arg-type]  # planted by the proof, as the next two
        endpoints=Endpoints([]),
        identity=None,  # type: ignore[arg-type]
        policy=plan,
        upstream=None,  # type: ignore[arg-type]
        inspector=inspector,
        log=plan,
        observer=plan,
        request_phase=True,
        new_id=lambda: "x",
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )
    await inspector.stop()


async def played(rooms: Rooms, plan: Planned, looks: Mapping[str, Look] = PLAIN) -> str | None:
    quiet = replace(rooms, policy=plan, log=plan, observer=plan)
    return await prove(quiet, Plan((), {"https://id": looks}, holds=Holdings(("export",))))


@pytest.mark.parametrize("partial", [Effect.BLOCK, Effect.REDACT])
async def test_a_guarding_policy_is_proven_and_every_planted_exchange_is_logged_as_a_probe(
    rooms: Rooms, partial: Effect
) -> None:
    plan = Planned(own, partial)
    assert await played(rooms, plan) is None
    assert len(plan.entries) == 6 and all(entry.probe for entry in plan.entries)


async def test_a_policy_that_permits_everybody_everything_is_found_out(rooms: Rooms) -> None:
    assert await played(rooms, Planned(everything)) == "a planted foreign record was released"


async def test_a_policy_that_permits_nothing_is_found_out_too(rooms: Rooms) -> None:
    assert await played(rooms, Planned(nothing)) == "the own record did not pass: blocked_by_policy"


async def test_the_planted_caller_is_written_as_configured_and_holds_what_all_hold(
    rooms: Rooms,
) -> None:
    def strict(question: Question) -> frozenset[SubjectRef]:
        held = question.caller.identifiers
        fits = all(type(each.value) is int for each in held)
        return own(question) if fits and question.caller.scopes == ("export",) else frozenset()

    assert await played(rooms, Planned(strict), {"number": Look(integer=True)}) is None
    assert await played(rooms, Planned(strict)) == "the own record did not pass: blocked_by_policy"


async def test_a_log_that_cannot_be_written_is_found_out(rooms: Rooms) -> None:
    fault = await played(rooms, Planned(own, log_fails=True))
    assert fault == "the own record did not pass: log_unavailable"


def kept(rooms: Rooms, plan: Planned) -> tuple[SelfProof, list[bool]]:
    heard: list[bool] = []

    def hear(*, passed: bool) -> None:
        heard.append(passed)

    played = replace(rooms, policy=plan, log=plan, observer=plan)
    return SelfProof(played, Plan((), {"https://id": PLAIN}), hear), heard


async def test_a_proof_that_fails_is_played_again_until_it_passes(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selfproof, "_RETRY", 0)
    plan = Planned(own, log_fails=True)
    proof, heard = kept(rooms, plan)
    assert (proof.proven, proof.fault) == (False, "not yet played")
    playing = asyncio.create_task(proof.keep_playing(lambda: False))
    while len(heard) < 2:
        await asyncio.sleep(0)
    assert (proof.proven, proof.fault) == (False, "the own record did not pass: log_unavailable")
    plan.log_fails = False
    while not proof.proven:
        await asyncio.sleep(0)
    playing.cancel()
    assert proof.fault == "" and heard[-1] and not any(heard[:-1])


async def test_a_proof_that_goes_on_as_it_did_is_one_line_in_the_log(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selfproof, "_PERIOD", 0)
    proof, heard = kept(rooms, Planned(own))
    with capture_logs() as lines:
        playing = asyncio.create_task(proof.keep_playing(lambda: False))
        while len(heard) < 3:
            await asyncio.sleep(0)
        playing.cancel()
    assert [(line["event"], line["fault"]) for line in lines] == [("self-proof", None)]


async def test_a_proof_that_was_cut_off_while_draining_says_nothing(rooms: Rooms) -> None:
    proof, heard = kept(rooms, Planned(nothing))
    await proof.keep_playing(lambda: True)
    assert (heard, proof.fault) == ([], "not yet played")


async def test_planted_exchanges_are_in_the_log_and_never_in_the_metrics(rooms: Rooms) -> None:
    class Counting(Planned):
        def exchange(self, evidence: Evidence) -> None:
            raise AssertionError("a planted exchange was counted")

    plan = Counting(own)
    proof, heard = kept(rooms, plan)
    playing = asyncio.create_task(proof.keep_playing(lambda: False))
    while not heard:
        await asyncio.sleep(0)
    playing.cancel()
    assert heard == [True] and len(plan.entries) == 6


# --- what a policy by itself is asked -----------------------------------------------------------


def issuer(name: str = "https://id", **identifiers: Any) -> IssuerSettings:
    given = {
        "issuer": name,
        "audience": "export",
        "jwks": "keys.json",
        "algorithms": ["RS256"],
        "identifiers": identifiers,
    }
    return TypeAdapter(IssuerSettings).validate_python(given)


def test_a_plan_holds_every_kind_attribution_and_category_of_the_configuration() -> None:
    members = (
        MemberSpec("manifest.json", Format.JSON, subject=({"account": ("$.id",)},)),
        MemberSpec("voice/*.wav", attribution=Attribution.MANIFEST, category="voice"),
        MemberSpec("{email}/*.txt", attribution=Attribution.PATH, category="mail"),
        MemberSpec("readme.txt"),
    )
    endpoints = [
        Endpoint(
            "archive",
            "/exports/{request_id}/archive",
            BodySpec(Format.ZIP, members=members),
            methods=("POST",),
            labels={"tier": "gold"},
        ),
        Endpoint("orders", "/orders", BodySpec(Format.JSON, subject=({"account": ("$.id",)},))),
        Endpoint("other", "/other", BodySpec(Format.JSON)),
        Endpoint(
            "records", "/records", BodySpec(Format.FHIR, categories={"Practitioner": "doctor"})
        ),
    ]
    one = issuer(
        account="sub",
        email="email",
        fhir="org-{tenant}/Patient/{patient}",
        number={"claim": "no", "type": "integer"},
    )
    proof = ProofSettings(("export",), ("customer",), {"tenant": "t1"})
    policy = PolicySettings(request_phase=True, proof=proof)
    made = plan(endpoints, [one, issuer("https://b", account="sub")], policy)
    assert made.request_phase
    assert made.holds == Holdings(("export",), ("customer",), {"tenant": "t1"})
    assert made.issuers == {
        "https://id": {
            "account": Look(),
            "email": Look(("", "@example.org")),
            "fhir": Look(("org-", "/Patient/", "")),
            "number": Look(integer=True),
        },
        "https://b": {"account": Look()},
    }
    archive, orders, other, records = made.targets
    assert archive == Target(
        "archive",
        ("exports", "{request_id}", "archive"),
        ("account", "email"),
        Format.ZIP,
        (Attribution.DIRECT, Attribution.MANIFEST, Attribution.PATH),
        ("", "voice", "mail"),
        "POST",
        {"tier": "gold"},
    )
    assert orders == Target("orders", ("orders",), ("account",))
    assert other == Target("other", ("other",), ("account", "email", "fhir", "number"))
    assert records.categories == ("", "doctor")
