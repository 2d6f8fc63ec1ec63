"""Decision → Release: the last place where something can be held back."""

import pytest

from gateway.enforcement import ENFORCEMENT, Denial, InForce, Release, enforce, put_in_force
from gateway.errors import BadUpstream, Code, Forbidden, InternalError, Refusal, Unauthenticated
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import (
    Attribution,
    Counts,
    Decision,
    Effect,
    Format,
    Group,
    Inspection,
    SubjectRef,
)
from gateway.response import Payload, Response
from gateway.spool import Spooled
from gateway.stored import InMemory
from tests.support.reading import masks

ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")
RESPONSE = Response((("Content-Type", "application/json"),), Payload(), Spooled(InMemory(b"whole")))
REDACTED = Spooled(InMemory(b"part"))


class Rewriter:
    async def rewrite(self, *_: object) -> tuple[Spooled, Counts]:
        return REDACTED, Counts(seen=2, released=1, redacted=1)


async def enforced(
    effect: Effect,
    *owners: SubjectRef,
    mask: tuple[str, ...] = (),
    observing: bool = False,
    sealed: bool = True,
) -> Release:
    decision = Decision(effect, frozenset({ME}), False, frozenset(), masks(*mask), (), "r1")
    groups = tuple(Group((owner,), Attribution.DIRECT, "", 1) for owner in owners)
    inspection = Inspection(Format.JSON, groups, (), 5, 5, 5, sealed=sealed)
    spec = BodySpec(Format.JSON)
    return await enforce(
        decision, inspection, RESPONSE, spec, Limits(), Rewriter(), observing=observing
    )


async def test_allow_releases_the_very_body_that_was_inspected() -> None:
    release = await enforced(Effect.ALLOW, ME, ME)
    assert release.body is RESPONSE.body and release.headers == RESPONSE.headers
    assert release.counts == Counts(seen=2, released=2)


@pytest.mark.parametrize(("sealed", "body"), [(False, REDACTED), (True, RESPONSE.body)])
@pytest.mark.parametrize(
    ("effect", "observing"), [(Effect.ALLOW, False), (Effect.ALLOW, True), (Effect.BLOCK, True)]
)
async def test_what_has_unread_bytes_is_released_only_as_written_anew(
    effect: Effect, observing: bool, sealed: bool, body: Spooled
) -> None:
    """RFC 7932 section 9.2: a metadata block of br decodes to nothing. Nobody has read it, also
    where an endpoint is only observed."""
    assert (await enforced(effect, ME, sealed=sealed, observing=observing)).body is body


async def test_redact_releases_the_rewritten_body() -> None:
    release = await enforced(Effect.REDACT, ME, FOREIGN)
    assert release.body is REDACTED
    assert release.counts == Counts(seen=2, released=1, redacted=1)


async def test_block_releases_nothing() -> None:
    with pytest.raises(Forbidden) as blocked:
        await enforced(Effect.BLOCK, ME)
    assert blocked.value.code is Code.BLOCKED_BY_POLICY


@pytest.mark.parametrize(
    ("owners", "mask"), [((ME, FOREIGN), ()), ((ME,), ("$.phone",))], ids=["foreign", "mask"]
)
async def test_an_allow_that_must_leave_something_behind_is_a_bug_of_ours(
    owners: tuple[SubjectRef, ...], mask: tuple[str, ...]
) -> None:
    with pytest.raises(InternalError):
        await enforced(Effect.ALLOW, *owners, mask=mask)


@pytest.mark.parametrize("effect", [Effect.BLOCK, Effect.REDACT])
async def test_what_is_only_observed_is_released_whole_and_says_what_would_have_been(
    effect: Effect,
) -> None:
    release = await enforced(effect, ME, FOREIGN, observing=True)
    assert release.body is RESPONSE.body
    assert release.counts == Counts(seen=2, released=2)
    assert release.observed and release.effect is effect
    assert release.headers == (*RESPONSE.headers, (ENFORCEMENT, f"observe; would={effect.value}"))


async def test_what_the_policy_allows_is_released_as_such_where_it_is_only_observed() -> None:
    release = await enforced(Effect.ALLOW, ME, observing=True)
    assert not release.observed and release.effect is Effect.ALLOW
    assert release.headers == (*RESPONSE.headers, (ENFORCEMENT, "observe"))


async def test_observing_is_no_way_around_an_allow_that_contradicts_itself() -> None:
    with pytest.raises(InternalError):
        await enforced(Effect.ALLOW, ME, FOREIGN, observing=True)


@pytest.mark.parametrize("effect", [Effect.ALLOW, Effect.REDACT])
async def test_an_enforced_answer_says_nothing_of_enforcement(effect: Effect) -> None:
    release = await enforced(effect, ME)
    assert ENFORCEMENT not in dict(release.headers) and not release.observed


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (Forbidden(Code.BLOCKED_BY_POLICY, "note"), 403, Code.BLOCKED_BY_POLICY),
        (Unauthenticated(Code.TOKEN_EXPIRED, "note"), 401, Code.TOKEN_REJECTED),
        (Unauthenticated(Code.TOKEN_UNTRUSTED, "note"), 401, Code.TOKEN_REJECTED),
    ],
)
def test_a_denial_has_room_for_status_code_and_id_only(
    refusal: Refusal, status: int, code: Code
) -> None:
    denial = Denial(refusal, "x1")
    assert (denial.status, denial.code, denial.exchange_id) == (status, code, "x1")
    assert set(Denial.__slots__) == {"status", "code", "exchange_id", "observing"}
    assert not denial.observing


# --- as it comes --------------------------------------------------------------------------------


def in_force(
    effect: Effect, *owners: SubjectRef, observing: bool = False, mask: tuple[str, ...] = ()
) -> InForce:
    decision = Decision(effect, frozenset({ME}), False, frozenset(), masks(*mask), (), "r1")
    groups = tuple(Group((owner,), Attribution.DIRECT, "", 1) for owner in owners)
    inspection = Inspection(Format.NDJSON, groups, (), 5, 5, 5)
    spec = BodySpec(Format.NDJSON, subject=({"account": ("$.owner.id",)},))
    return put_in_force(decision, inspection, spec, observing=observing)


def test_a_stream_goes_on_under_what_the_policy_said() -> None:
    for effect, owners in ((Effect.ALLOW, (ME,)), (Effect.REDACT, (ME, FOREIGN))):
        found = in_force(effect, *owners)
        assert (found.effect, found.observed) == (effect, False)
        assert found.decision.permitted == {ME}


def test_a_mask_on_what_names_the_owners_puts_nothing_in_force() -> None:
    for path in ("$.owner.id", "$.owner", "$"):
        with pytest.raises(BadUpstream) as refused:
            in_force(Effect.REDACT, ME, mask=("$.iban", path))
        assert refused.value.code is Code.REDACTION_UNSUPPORTED
    assert in_force(Effect.REDACT, ME, mask=("$.iban",)).decision.mask
    # Where the policy is only observed, nothing is masked.
    assert not in_force(Effect.REDACT, ME, mask=("$.owner",), observing=True).decision.mask


def test_a_block_ends_a_stream_and_an_allow_must_be_one() -> None:
    with pytest.raises(Forbidden):
        in_force(Effect.BLOCK, ME)
    with pytest.raises(InternalError):
        in_force(Effect.ALLOW, ME, FOREIGN)


@pytest.mark.parametrize("effect", [Effect.REDACT, Effect.BLOCK])
def test_an_observed_stream_goes_on_whole_and_its_effect_is_the_true_one(effect: Effect) -> None:
    found = in_force(effect, ME, FOREIGN, observing=True)
    assert (found.effect, found.observed) == (effect, True)
    assert found.decision.permitted == {ME, FOREIGN} and found.decision.release_unattributed


def test_nobody_else_puts_a_decision_in_force() -> None:
    with pytest.raises(TypeError):
        InForce(object(), decision=in_force(Effect.ALLOW, ME).decision, effect=Effect.ALLOW)
