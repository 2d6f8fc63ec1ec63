"""What a shadow would change is counted and logged; and nothing of an exchange depends on it."""

import asyncio
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from prometheus_client.parser import text_string_to_metric_families

from gateway.decisionlog.entry import Evidence
from gateway.decisionlog.pseudonyms import PREFIX, Pseudonyms
from gateway.enforcement import Denial, Release
from gateway.errors import Code
from gateway.exchange import guard
from gateway.model import Attribution, Decision, Effect, Group, SubjectRef
from gateway.policy.bundle import Bundle, load
from gateway.policy.comparison import compare
from gateway.policy.contract import Question
from gateway.policy.settings import ShadowSettings
from gateway.policy.shadow import Shadow, ShadowFacts, State
from gateway.spool import Spool, SpoolSettings
from gateway.telemetry import catalogue, logs
from gateway.telemetry.metrics import Metrics, Reading
from gateway.telemetry.shadow import ShadowReport, WithShadow, shadow_details, shadow_readings
from tests.policy.support import ECHO, answer, question, write_bundle
from tests.policy.test_shadow import Scripted, Scroll, says
from tests.support.reading import masks
from tests.support.said import restored
from tests.test_exchange import REQUEST, World, decision, seen_groups

ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")
CANARY = SubjectRef("account", "canary-4c1d")
NAMES = Pseudonyms(b"k" * 32)
ALLOW = decision(Effect.ALLOW, ME, CANARY)
BLOCK = structs.replace(decision(Effect.BLOCK), reasons=("no_ground",), revision="r2")

LABELS = ("endpoint", "result", "active", "shadow", "reason", "code")

MINE = Group((ME,), Attribution.DIRECT, "order", 2, (0, 2))
THEIRS = Group((CANARY,), Attribution.DIRECT, "voice", 9, (1, 3, 4))


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with restored():
        logs.configure("debug", stream)
        yield stream


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


class Told:
    """A report, and what it counted."""

    def __init__(self) -> None:
        self.report = ShadowReport(NAMES)
        self.metrics = Metrics(families=[self.report.families])

    def compare(self, asked: Question, active: Decision, shadow: Decision) -> None:
        self.report.compared(asked, active, shadow, compare(active, shadow, asked.inspection))

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families(self.metrics.render().decode())
        return {
            tuple(sample.labels[name] for name in LABELS if name in sample.labels): sample.value
            for family in families
            for sample in family.samples
            if sample.name == f"privacy_gateway_shadow_{name}_total"
        }


def test_agreements_differences_failures_and_drops_are_counted_and_add_up(
    log: io.StringIO,
) -> None:
    told, asked = Told(), question(MINE, THEIRS)
    told.compare(asked, ALLOW, ALLOW)
    told.compare(asked, ALLOW, BLOCK)
    told.compare(asked, ALLOW, BLOCK)
    told.report.failed(asked, Code.POLICY_UNDEFINED)
    told.report.dropped(asked)
    assert told.samples("comparisons") == {
        ("orders", "agreed"): 1,
        ("orders", "differed"): 2,
        ("orders", "failed"): 1,
        ("orders", "dropped"): 1,
    }
    assert told.samples("differences") == {("orders", "allow", "block", "no_ground"): 2}
    assert told.samples("failures") == {("orders", "policy_undefined"): 1}


def test_a_difference_is_counted_once_for_each_reason_that_only_one_gives(
    log: io.StringIO,
) -> None:
    told, asked = Told(), question(MINE)
    told.compare(asked, ALLOW, structs.replace(BLOCK, reasons=("too_late", "no_ground", "test")))
    gone = structs.replace(ALLOW, reasons=("gone", "test"))
    told.compare(asked, gone, structs.replace(BLOCK, reasons=("test",)))
    told.compare(asked, ALLOW, structs.replace(BLOCK, reasons=("test",)))
    pair = ("orders", "allow", "block")
    assert told.samples("differences") == {
        (*pair, "too_late"): 1, (*pair, "no_ground"): 1, (*pair, "gone"): 1, (*pair, "none"): 1,
    }  # fmt: skip


def test_no_more_time_series_come_than_the_bound_however_many_reasons_a_policy_makes(
    log: io.StringIO,
) -> None:
    told, asked = Told(), question(MINE)
    for number in range(1_000):
        told.compare(asked, ALLOW, structs.replace(BLOCK, reasons=(f"reason_{number}",)))
    counted = told.samples("differences")
    assert len(counted) == 65
    assert sum(counted.values()) == 1_000
    assert counted["orders", "allow", "block", "other"] == 936


def test_a_line_names_the_records_that_would_change_by_place_and_pseudonym(
    log: io.StringIO,
) -> None:
    told, asked = Told(), question(MINE, THEIRS)
    redact = structs.replace(
        decision(Effect.REDACT, ME), reasons=("no_ground",), mask=masks("$.phone")
    )
    told.compare(asked, ALLOW, redact)
    (line,) = lines(log)
    assert line["event"] == "the shadow differs" and line["level"] == "info"
    assert (line["exchange_id"], line["endpoint"], line["phase"]) == (
        asked.exchange_id, "orders", "response",
    )  # fmt: skip
    assert (line["active"], line["shadow"]) == ("allow", "redact")
    assert (line["gained"], line["lost"]) == (["no_ground"], ["test"])
    assert (line["leaving"], line["staying"], line["masked"], line["unmasked"]) == (0, 9, 1, 0)
    assert line["changes"] == [
        {
            "leave": False,
            "records": 9,
            "first": [1, 3, 4],
            "owners": [NAMES.subject(CANARY)],
            "category": "voice",
        }
    ]
    assert "phone" not in log.getvalue()


def test_what_would_newly_leave_is_a_warning(log: io.StringIO) -> None:
    told = Told()
    told.compare(question(MINE, THEIRS), BLOCK, ALLOW)
    (line,) = lines(log)
    assert (line["level"], line["leaving"]) == ("warning", 11)


def test_a_line_is_bounded(log: io.StringIO) -> None:
    crowd = [SubjectRef("account", number) for number in range(500)]
    groups = [
        Group((each, *crowd), Attribution.DIRECT, "", 1, (n,)) for n, each in enumerate(crowd)
    ]
    Told().compare(question(*groups), decision(Effect.ALLOW, *crowd), BLOCK)
    (line,) = lines(log)
    assert (len(line["changes"]), line["more_changes"], line["staying"]) == (16, 484, 500)
    assert all(len(change["owners"]) == 4 for change in line["changes"])


def test_no_identifier_is_in_a_label_or_a_line_whatever_the_policy_says(log: io.StringIO) -> None:
    told, asked = Told(), question(MINE, THEIRS)
    said = ("owner_canary_4c1d", "no_ground")
    told.compare(asked, ALLOW, structs.replace(BLOCK, reasons=said))
    told.compare(asked, structs.replace(ALLOW, reasons=said), BLOCK)
    assert "canary" not in told.metrics.render().decode()
    assert "canary" not in log.getvalue()
    assert told.samples("differences")["orders", "allow", "block", "other"] == 2
    assert lines(log)[0]["gained"][1].startswith(PREFIX)


def test_the_comparisons_of_every_endpoint_begin_at_0() -> None:
    report = ShadowReport(NAMES, ["orders"])
    begun = {family.metric.name: dict(family.series) for family in report.families()}
    assert begun["privacy_gateway_shadow_comparisons_total"] == {
        ("orders", result): 0 for result in ("agreed", "differed", "failed", "dropped")
    }


def test_a_failure_is_logged_once_in_a_while_and_counted_always(log: io.StringIO) -> None:
    told, asked = Told(), question(MINE)
    for code in (Code.POLICY_TIMEOUT, Code.POLICY_TIMEOUT, Code.DECISION_INVALID):
        told.report.failed(asked, code)
    assert [line["code"] for line in lines(log)] == ["policy_timeout", "decision_invalid"]
    assert sum(told.samples("failures").values()) == 3


def test_a_shadow_that_can_not_be_used_is_an_error_in_the_log(log: io.StringIO) -> None:
    told = Told()
    told.report.changed(ShadowFacts(State.BROKEN, fault="next/x.rego: line 1"))
    told.report.changed(ShadowFacts(State.READY, "r2"))
    broken, ready = lines(log)
    assert (broken["level"], broken["reason"]) == ("error", "next/x.rego: line 1")
    assert (ready["level"], ready["revision"]) == ("info", "r2")


def test_the_gauges_and_the_details_say_whether_there_is_a_shadow() -> None:
    ready = ShadowFacts(State.READY, "r2", waiting=3, restarts=1)
    assert list(shadow_readings(ready)) == [
        Reading(catalogue.SHADOW_READY, True),
        Reading(catalogue.SHADOW_WAITING, 3),
        Reading(catalogue.SHADOW_RESTARTS, 1),
        Reading(catalogue.SHADOW_INFO, 1, ("r2",)),
    ]
    assert shadow_details(ready) == {"state": "ready", "revision": "r2"}
    broken = ShadowFacts(State.BROKEN, fault="x: no")
    assert shadow_details(broken) == {"state": "broken", "fault": "x: no"}
    assert next(iter(shadow_readings(broken))).value is False


# --- an exchange does not notice ----------------------------------------------------------------


async def _hang(_: bytes) -> bytes:
    await asyncio.Event().wait()
    raise AssertionError


async def _raise(_: bytes) -> bytes:
    raise MemoryError


async def _die(_: bytes) -> bytes:
    raise ConnectionResetError


BEHAVIOURS: dict[str, Scripted | None] = {
    "agrees": says(answer(permitted=[{"kind": "account", "value": "me"}])),
    "differs": says(answer(effect="block", permitted=[], reasons=[])),
    "says nothing": says(None),
    "says garbage": says(b"\xff\x00[[[["),
    "hangs": Scripted(_hang),
    "raises": Scripted(_raise),
    "dies": Scripted(_die),
    "does not load": None,
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("next") / "bundle"
    return load(write_bundle(folder, {"privacy/echo.rego": ECHO}))


Ending = tuple[Any, ...]


async def ending(world: World, bundle: Bundle | None, engine: Scripted | None) -> Ending:
    """Everything that an exchange does and leaves behind, but the time that its steps took."""
    rooms, shadow = world.rooms(), None
    if bundle is not None:
        scroll = Scroll()
        scroll.coming.put_nowait(bundle if engine else OSError("no such bundle"))
        report = ShadowReport(NAMES)
        shadow = Shadow(
            ShadowSettings(deadline=0.01, queue=1), scroll, lambda _: engine or says(None), report
        )
        shadow.start()
        while shadow.facts().state is State.LOADING:
            await asyncio.sleep(0)
        rooms = replace(rooms, observer=WithShadow(world, shadow))
    outcome = await guard(REQUEST, rooms)
    left = [_plain(evidence) for evidence in (*world.entries, *world.observed)]
    if shadow:
        await asyncio.sleep(0)  # the shadow has begun by now
        await shadow.stop()
    if isinstance(outcome, Release):
        body = outcome.body.stored.pread(1_000, 0)
        outcome.body.close()
        return (outcome.headers, body, outcome.counts, outcome.effect, left, world.events)
    assert isinstance(outcome, Denial)
    return (outcome.status, outcome.code, outcome.exchange_id, left, world.events)


def _plain(evidence: Evidence) -> Any:
    return structs.replace(evidence, durations=dict.fromkeys(evidence.durations))


def world_of(folder: Path, effect: Effect) -> World:
    world = World(Spool(SpoolSettings(directory=folder, memory=0)))
    world.response_decision = decision(effect, ME)
    world.inspection = seen_groups(ME) if effect is Effect.ALLOW else seen_groups(ME, FOREIGN)
    return world


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
async def test_an_exchange_ends_as_it_would_without_a_shadow(
    tmp_path: Path, bundle: Bundle, effect: Effect, behaviour: str, log: io.StringIO
) -> None:
    alone = await ending(world_of(tmp_path, effect), None, None)
    shadowed = await ending(world_of(tmp_path, effect), bundle, BEHAVIOURS[behaviour])
    assert shadowed == alone


RAW = st.one_of(
    st.none(),
    st.binary(max_size=64),
    st.builds(
        answer,
        effect=st.sampled_from(["allow", "redact", "block", "alow"]),
        permitted=st.lists(
            st.sampled_from([{"kind": "account", "value": v} for v in ("me", "foreign", "x")]),
            max_size=3,
        ),
        unattributed=st.sampled_from(["withhold", "release", None]),
        mask=st.lists(st.sampled_from(["$.a", "$", "x"]), max_size=2),
        reasons=st.lists(st.text(max_size=8), max_size=3),
    ),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=RAW, effect=st.sampled_from(Effect))
def test_whatever_a_shadow_answers_the_outcome_is_the_one_without_it(
    tmp_path: Path, bundle: Bundle, raw: bytes | None, effect: Effect
) -> None:
    async def both() -> tuple[Ending, Ending]:
        alone = await ending(world_of(tmp_path, effect), None, None)
        return alone, await ending(world_of(tmp_path, effect), bundle, says(raw))

    alone, shadowed = asyncio.run(both())
    assert shadowed == alone


async def test_an_exchange_does_not_wait_for_a_shadow(world_rooms: World, bundle: Bundle) -> None:
    """The shadow is asked only when `guard` has returned, and its queue holds nobody up."""
    asked: list[bytes] = []

    async def act(raw: bytes) -> bytes:
        asked.append(raw)
        return await _hang(raw)

    scroll = Scroll()
    scroll.coming.put_nowait(bundle)
    report = ShadowReport(NAMES)
    shadow = Shadow(ShadowSettings(queue=1), scroll, lambda _: Scripted(act), report)
    shadow.start()
    while shadow.facts().state is State.LOADING:
        await asyncio.sleep(0)
    rooms = replace(world_rooms.rooms(), observer=WithShadow(world_rooms, shadow))
    for _ in range(20):
        outcome = await guard(REQUEST, rooms)
        assert isinstance(outcome, Release)
        outcome.body.close()
    assert len(world_rooms.observed) == 20
    assert len(asked) <= 1
    await shadow.stop()


@pytest.fixture
def world_rooms(tmp_path: Path) -> World:
    return world_of(tmp_path, Effect.ALLOW)


class Offered(Shadow):
    """Keeps what it is offered."""

    def __init__(self) -> None:
        self.offers: list[tuple[Question, Decision]] = []

    def offer(self, question: Question, active: Decision) -> None:
        self.offers.append((question, active))


async def test_the_shadow_is_asked_what_the_decision_answered(world_rooms: World) -> None:
    shadow = Offered()
    rooms = replace(world_rooms.rooms(), observer=WithShadow(world_rooms, shadow))
    outcome = await guard(REQUEST, rooms)
    assert isinstance(outcome, Release)
    outcome.body.close()
    world_rooms.request_effect = Effect.BLOCK
    await guard(REQUEST, rooms)
    (whole, _), (early, blocked) = shadow.offers
    assert whole.inspection is world_rooms.inspection
    assert early.inspection is None and blocked.effect is Effect.BLOCK


async def test_an_exchange_without_a_decision_is_not_compared(world_rooms: World) -> None:
    shadow = Offered()
    world_rooms.failures["policy"] = KeyError()
    await guard(REQUEST, replace(world_rooms.rooms(), observer=WithShadow(world_rooms, shadow)))
    assert shadow.offers == []
    assert len(world_rooms.observed) == 1
