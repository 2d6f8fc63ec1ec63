"""Planted questions that a policy must answer rightly before it goes live; pure.

    targets × callers ─▶ probes() ─▶ (asked of the candidate) ─▶ flaw() ─▶ None, or what is wrong

Every endpoint is asked about strangers in every identifier kind, attribution and category that its
configuration can produce: alone, beside the caller's own records, sharing a record with them, at a
path that names the one or the other, looking almost like the caller, through an actor, before a
caller who is nobody. None of their records may be released, and every answer must hold to the
contract. One question must pass, the self-proof's own. An endpoint's own records needn't, since a
policy may ask for scopes, roles or a purpose that nobody can guess here.

A large configuration has more variants than anybody wants to wait for at a start: then the same
ones are taken each time, spread over the endpoints.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import pairwise
from random import Random

from gateway.model import (
    Attribution,
    Caller,
    Decision,
    Effect,
    Format,
    Group,
    Inspection,
    Phase,
    SubjectRef,
)
from gateway.policy.contract import Question
from gateway.policy.planted import FORMS, Cast, Holdings, Look

PROOF = "self-proof"
"""The endpoint of the question that must pass; no configured one may have this name."""

MOST = 1_000
"""Probes of one proof, unless what is asked in any case is more already: at most a second of the
embedded engine, at a start and at each change."""


@dataclass(frozen=True, slots=True)
class Target:
    """What one endpoint's configuration can ask about. `path` are the segments of its template,
    `{…}` those that are parameters; `kinds` are identifier kinds, `categories` those that records
    can have, the empty one included."""

    endpoint: str
    path: tuple[str, ...]
    kinds: tuple[str, ...]
    format: Format = Format.JSON
    attributions: tuple[Attribution, ...] = (Attribution.DIRECT,)
    categories: tuple[str, ...] = ("",)
    method: str = "GET"
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom a policy is asked about: every endpoint, and the callers of every issuer (issuer →
    identifier kind → how it is written; the first kind of the first issuer is the self-proof's),
    who hold what every caller holds."""

    targets: tuple[Target, ...]
    issuers: Mapping[str, Mapping[str, Look]]
    request_phase: bool = False
    holds: Holdings = field(default_factory=Holdings)


@dataclass(frozen=True, slots=True)
class Probe:
    """One planted question. None of `strangers` may be released; `must_pass` is for the whole."""

    endpoint: str
    about: str
    question: Question
    strangers: tuple[Group, ...] = ()
    must_pass: bool = False

    def __str__(self) -> str:
        return f"endpoint {self.endpoint}: {self.about}"


Make = Callable[[], Probe]
"""A probe that is made when its turn comes."""


def flaw(probe: Probe, decision: Decision) -> str | None:
    """What is wrong with the answer to a probe, in one sentence without data; None if nothing."""
    answered = decision.effect.value
    if decision.reasons:
        answered += f" ({', '.join(decision.reasons[:8])})"
    if probe.must_pass and decision.effect is not Effect.ALLOW:
        return (
            f"{probe}: must pass, but the answer is {answered}; what the policy asks of every"
            " caller can be named in policy.proof"
        )
    if any(decision.releases(group) for group in probe.strangers):
        return f"{probe}: must stay behind, but the answer is {answered}"
    return None


def probes(plan: Plan, salt: str, now: datetime) -> Iterator[Probe]:
    """The probes of a plan. `salt` are 32 random hex digits, as an exchange id has, new each
    time; `now` has a time zone."""
    casts = [Cast(issuer, looks, salt, plan.holds) for issuer, looks in plan.issuers.items()]
    yield from _proof(casts[0], now, plan.request_phase)
    stages = [
        _Stage(replace(cast, form=number % FORMS), target, now)
        for cast in casts
        for number, target in enumerate(plan.targets)
    ]
    chosen = [make for stage in stages for make in stage.basics(plan.request_phase)]
    variants = [make for stage in stages for make in stage.variants()]
    room = max(0, MOST - len(chosen))
    if len(variants) > room:
        variants = Random(0).sample(variants, room)  # noqa: S311 - no secret: the same each time
    for make in (*chosen, *variants):
        yield make()


def _proof(cast: Cast, now: datetime, request_phase: bool) -> Iterator[Probe]:
    """What the self-proof will play through the whole gateway."""
    kind = next(iter(cast.looks))
    stage = _Stage(cast, Target(PROOF, (PROOF,), (kind,)), now)
    caller = cast.caller(cast.own(kind))
    own, theirs = _records(cast.own(kind)), _records(cast.foreign(kind))
    if request_phase:
        yield stage.request("the request for it", caller, must_pass=True)
    yield stage.probe("the caller's own record", caller, own, must_pass=True)
    yield stage.probe("a stranger's record", caller, strangers=(theirs,))


@dataclass(frozen=True, slots=True)
class _Stage:
    """One issuer's callers before one endpoint."""

    cast: Cast
    target: Target
    now: datetime

    def basics(self, request_phase: bool) -> Iterator[Make]:
        """What is asked in any case."""
        caller = self.cast.everything
        if request_phase:
            yield partial(self.request, "the request itself", caller)
        nobodys = _records(attribution=Attribution.NONE)
        yield partial(self.probe, "a record without an owner", caller, strangers=(nobodys,))
        for kind in self.target.kinds:
            for attribution, category in self._ways():
                yield partial(self._alone, kind, attribution, category, caller)
                if kind in self.cast.looks:
                    yield partial(self._beside, kind, attribution, category, caller)
            if any(map(_is_parameter, self.target.path)):
                yield partial(self._at_their_path, kind, caller)

    def variants(self) -> Iterator[Make]:
        """What shows one mistake more, each."""
        for kind in self.target.kinds:
            for attribution, category in self._ways():
                yield partial(self._before_nobody, kind, attribution, category)
                if kind in self.cast.looks:
                    yield partial(self._own, kind, attribution, category)
                    yield partial(self._shared, kind, attribution, category)
            yield from self._delegated(kind)
            yield from self._beside_ownerless(kind)
            if kind in self.cast.looks:
                yield from self._in_other_company(kind)
                yield from self._in_other_forms(kind)
                yield from self._lookalikes(kind)

    def _ways(self) -> Iterator[tuple[Attribution, str]]:
        for attribution in self.target.attributions:
            for category in self.target.categories:
                yield attribution, category

    # --- strangers ------------------------------------------------------------------------------

    def _alone(self, kind: str, attribution: Attribution, category: str, caller: Caller) -> Probe:
        about = f"a stranger's record ({_how(kind, attribution, category)})"
        theirs = _records(self.cast.foreign(kind), attribution=attribution, category=category)
        return self.probe(about, caller, strangers=(theirs,))

    def _beside(self, kind: str, attribution: Attribution, category: str, caller: Caller) -> Probe:
        about = f"a stranger's record beside an own one ({_how(kind, attribution, category)})"
        mine = _records(self.cast.own(kind), attribution=attribution, category=category)
        theirs = _records(self.cast.foreign(kind), attribution=attribution, category=category)
        return self.probe(about, caller, mine, strangers=(theirs,))

    def _before_nobody(self, kind: str, attribution: Attribution, category: str) -> Probe:
        how = _how(kind, attribution, category)
        about = f"a stranger's record, a caller without identifiers ({how})"
        theirs = _records(self.cast.foreign(kind), attribution=attribution, category=category)
        return self.probe(about, self.cast.caller(), strangers=(theirs,))

    def _own(self, kind: str, attribution: Attribution, category: str) -> Probe:
        """Whatever the policy says of it, it must be an answer."""
        about = f"the caller's own record ({_how(kind, attribution, category)})"
        mine = _records(self.cast.own(kind), attribution=attribution, category=category)
        return self.probe(about, self.cast.everything, mine)

    def _shared(self, kind: str, attribution: Attribution, category: str) -> Probe:
        about = f"a record shared with a stranger ({_how(kind, attribution, category)})"
        owners = self.cast.own(kind), self.cast.foreign(kind)
        shared = _records(*owners, attribution=attribution, category=category)
        return self.probe(about, self.cast.everything, strangers=(shared,))

    def _at_their_path(self, kind: str, caller: Caller) -> Probe:
        foreign = self.cast.foreign(kind)
        about = f"a stranger's record, at a path that names the stranger ({kind})"
        return self.probe(about, caller, strangers=(_records(foreign),), named=str(foreign.value))

    def _in_other_company(self, kind: str) -> Iterator[Make]:
        """A look at the first subject, or at the last, or at some category is none at all."""
        caller, foreign, own = self.cast.everything, self.cast.foreign(kind), self.cast.own(kind)
        theirs, mine = _records(foreign), _records(own)
        about = f"a stranger's record before an own one ({kind})"
        yield partial(self.probe, about, caller, strangers=(theirs,), after=(mine,))
        for (attribution, category), (others, another) in pairwise(self._ways()):
            about = f"a stranger's record ({_how(kind, others, another)}) beside an own one"
            mine = _records(own, attribution=attribution, category=category)
            theirs = _records(foreign, attribution=others, category=another)
            yield partial(self.probe, about, caller, mine, strangers=(theirs,))

    def _in_other_forms(self, kind: str) -> Iterator[Make]:
        for form in range(FORMS):
            if form != self.cast.form:
                stage = replace(self, cast=replace(self.cast, form=form))
                caller, way = stage.cast.everything, next(self._ways())
                yield partial(stage._alone, kind, *way, caller)
                yield partial(stage._beside, kind, *way, caller)

    def _beside_ownerless(self, kind: str) -> Iterator[Make]:
        """Nobody's records stay behind unless they have a category: then a policy may know what
        they are, and only the stranger beside them must stay."""
        caller, theirs = self.cast.everything, _records(self.cast.foreign(kind))
        for category in self.target.categories:
            ownerless = _records(attribution=Attribution.NONE, category=category)
            about = f"a stranger's record beside one without an owner ({kind})"
            yield partial(self.probe, about, caller, ownerless, strangers=(theirs,))
        if kind in self.cast.looks:
            nobodys = _records(attribution=Attribution.NONE)
            mine = _records(self.cast.own(kind))
            about = f"a record without an owner beside an own one ({kind})"
            yield partial(self.probe, about, caller, mine, strangers=(nobodys,))

    def _delegated(self, kind: str) -> Iterator[Make]:
        """An actor that nobody appointed opens nothing, not even its own."""
        actor = self.cast.person(kind, "actor")
        held = map(self.cast.own, self.cast.looks)
        caller = self.cast.caller(*held, actor=str(actor.value))
        for about, subject in (
            ("a stranger's", self.cast.foreign(kind)),
            ("the actor's own", actor),
        ):
            about = f"{about} record, through an actor ({kind})"
            yield partial(self.probe, about, caller, strangers=(_records(subject),))

    def _lookalikes(self, kind: str) -> Iterator[Make]:
        for about, mine, theirs in self.cast.lookalikes(kind):
            caller = self.cast.caller(mine)
            yield partial(self.probe, f"{about} ({kind})", caller, strangers=(_records(theirs),))

    # --- questions ------------------------------------------------------------------------------

    def probe(
        self,
        about: str,
        caller: Caller,
        *others: Group,
        strangers: tuple[Group, ...] = (),
        after: tuple[Group, ...] = (),
        must_pass: bool = False,
        named: str = "",
    ) -> Probe:
        """`named` is whom the path's parameters name: the caller, if nobody else."""
        groups = (*others, *strangers, *after)
        seen = Inspection(self.target.format, groups, ("id",), 100, 100, 100)
        question = self._question(Phase.RESPONSE, caller, named, seen)
        return Probe(self.target.endpoint, about, question, strangers, must_pass)

    def request(self, about: str, caller: Caller, *, must_pass: bool = False) -> Probe:
        question = self._question(Phase.REQUEST, caller, "", None)
        return Probe(self.target.endpoint, about, question, must_pass=must_pass)

    def _question(
        self, phase: Phase, caller: Caller, named: str, inspection: Inspection | None
    ) -> Question:
        target, named = self.target, named or caller.id
        return Question(
            phase=phase,
            exchange_id=self.cast.salt,
            received_at=self.now,
            endpoint=target.endpoint,
            labels=target.labels,
            method=target.method,
            path=tuple(named if _is_parameter(part) else part for part in target.path),
            params={part[1:-1]: named for part in target.path if _is_parameter(part)},
            query={},
            caller=caller,
            inspection=inspection,
        )


def _is_parameter(segment: str) -> bool:
    return segment.startswith("{")


def _how(kind: str, attribution: Attribution, category: str) -> str:
    return f"{kind}, {attribution}{', ' + category if category else ''}"


def _records(
    *owners: SubjectRef, attribution: Attribution = Attribution.DIRECT, category: str = ""
) -> Group:
    return Group(owners, attribution, category, 1)
