"""Planted questions that a policy must answer rightly before it goes live; pure.

    targets × callers ─▶ probes() ─▶ (asked of the candidate) ─▶ flaw() ─▶ None, or what is wrong

Every endpoint is asked about strangers in every identifier kind, attribution and category that its
configuration can produce: alone, beside the caller's own records, sharing a record with them,
looking almost like the caller, through an actor, before a caller who is nobody. None of their
records may be released, and every answer must hold to the contract. One question must pass, the
self-proof's own. An endpoint's own records needn't, since a policy may ask for scopes, roles or a
purpose that nobody can guess here.

The identifiers hold a random salt: no data names them, and what is said about a probe is nobody's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.model import (
    Actor,
    Attribution,
    Caller,
    Decision,
    Effect,
    Format,
    Group,
    Identifier,
    Inspection,
    Phase,
    SubjectRef,
)
from gateway.policy.contract import Question

PROOF = "self-proof"
"""The endpoint of the question that must pass; no configured one has to have this name."""


@dataclass(frozen=True, slots=True)
class Target:
    """What one endpoint's configuration can ask about. `kinds` are identifier kinds, `categories`
    those that records can have, the empty one included."""

    endpoint: str
    path: tuple[str, ...]
    kinds: tuple[str, ...]
    format: Format = Format.JSON
    attributions: tuple[Attribution, ...] = (Attribution.DIRECT,)
    categories: tuple[str, ...] = ("",)
    method: str = "GET"
    params: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom a policy is asked about: every endpoint, and the callers of every issuer (issuer →
    identifier kinds; the first kind of the first issuer is the self-proof's)."""

    targets: tuple[Target, ...]
    issuers: Mapping[str, tuple[str, ...]]
    request_phase: bool = False


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


def flaw(probe: Probe, decision: Decision) -> str | None:
    """What is wrong with the answer to a probe, in one sentence without data; None if nothing."""
    answered = decision.effect.value
    if decision.reasons:
        answered += f" ({', '.join(decision.reasons[:8])})"
    if probe.must_pass and decision.effect is not Effect.ALLOW:
        return f"{probe}: must pass, but the answer is {answered}"
    if any(decision.releases(group) for group in probe.strangers):
        return f"{probe}: must stay behind, but the answer is {answered}"
    return None


def probes(plan: Plan, salt: str, now: datetime) -> Iterator[Probe]:
    """Every probe of a plan. `salt` is random hex, new each time; `now` has a time zone."""
    for number, (issuer, kinds) in enumerate(plan.issuers.items()):
        cast = _Cast(issuer, kinds, salt, now)
        if number == 0:
            yield from _proof(cast, kinds[0])
        for target in plan.targets:
            yield from _Stage(cast, target).probes(plan.request_phase)


@dataclass(frozen=True, slots=True)
class _Cast:
    """The planted persons of one issuer."""

    issuer: str
    kinds: tuple[str, ...]
    salt: str
    now: datetime

    def own(self, kind: str) -> SubjectRef:
        return SubjectRef(kind, f"probe-{self.salt}-own")

    def foreign(self, kind: str) -> SubjectRef:
        return SubjectRef(kind, f"probe-{self.salt}-foreign")

    def caller(self, *held: SubjectRef, actor: str | None = None) -> Caller:
        """A caller with these identifiers, and nothing else that could be a reason to permit."""
        return Caller(
            issuer=self.issuer,
            id=f"probe-{self.salt}-own",
            identifiers=tuple(Identifier(each.kind, each.value) for each in held),
            actor=Actor(actor, self.issuer) if actor else None,
        )

    @property
    def everything(self) -> Caller:
        """The caller with an identifier of every kind that the issuer vouches for."""
        return self.caller(*map(self.own, self.kinds))


def _proof(cast: _Cast, kind: str) -> Iterator[Probe]:
    """What the self-proof will play through the whole gateway."""
    stage = _Stage(cast, Target(PROOF, (PROOF,), (kind,)))
    caller = cast.caller(cast.own(kind))
    own = _records(cast.own(kind))
    yield stage.probe("the caller's own record", caller, own, must_pass=True)
    yield stage.probe("a stranger's record", caller, strangers=(_records(cast.foreign(kind)),))


@dataclass(frozen=True, slots=True)
class _Stage:
    """One issuer's callers before one endpoint."""

    cast: _Cast
    target: Target

    def probe(
        self,
        about: str,
        caller: Caller,
        *others: Group,
        strangers: tuple[Group, ...] = (),
        must_pass: bool = False,
    ) -> Probe:
        groups = (*others, *strangers)
        question = self._question(caller, Phase.RESPONSE, groups)
        return Probe(self.target.endpoint, about, question, strangers, must_pass)

    def probes(self, request_phase: bool) -> Iterator[Probe]:
        if request_phase:
            question = self._question(self.cast.everything, Phase.REQUEST, None)
            yield Probe(self.target.endpoint, "the request itself", question)
        yield from self._unattributed()
        for kind in self.target.kinds:
            yield from self._strangers(kind)
            yield from self._delegated(kind)
            if kind in self.cast.kinds:
                yield from self._lookalikes(kind)

    def _strangers(self, kind: str) -> Iterator[Probe]:
        caller, foreign = self.cast.everything, self.cast.foreign(kind)
        nobody = self.cast.caller()
        for attribution in self.target.attributions:
            for category in self.target.categories:
                how = f"{kind}, {attribution}{', ' + category if category else ''}"
                theirs = _records(foreign, attribution=attribution, category=category)
                yield self.probe(f"a stranger's record ({how})", caller, strangers=(theirs,))
                yield self.probe(
                    f"a stranger's record, a caller without identifiers ({how})",
                    nobody,
                    strangers=(theirs,),
                )
                if kind not in self.cast.kinds:
                    continue
                own = self.cast.own(kind)
                mine = _records(own, attribution=attribution, category=category)
                shared = _records(own, foreign, attribution=attribution, category=category)
                yield self.probe(f"the caller's own record ({how})", caller, mine)
                yield self.probe(
                    f"a stranger's record beside an own one ({how})",
                    caller,
                    mine,
                    strangers=(theirs,),
                )
                yield self.probe(
                    f"a record shared with a stranger ({how})", caller, strangers=(shared,)
                )

    def _unattributed(self) -> Iterator[Probe]:
        """Nobody's records stay behind unless they have a category: then a policy may know what
        they are, and only the stranger beside them must stay."""
        caller = self.cast.everything
        nobodys = _records(attribution=Attribution.NONE)
        yield self.probe("a record without an owner", caller, strangers=(nobodys,))
        for kind in self.target.kinds:
            theirs = _records(self.cast.foreign(kind))
            for category in self.target.categories:
                ownerless = _records(attribution=Attribution.NONE, category=category)
                about = f"a stranger's record beside one without an owner ({kind})"
                yield self.probe(about, caller, ownerless, strangers=(theirs,))
            if kind in self.cast.kinds:
                mine = _records(self.cast.own(kind))
                about = f"a record without an owner beside an own one ({kind})"
                yield self.probe(about, caller, mine, strangers=(nobodys,))

    def _delegated(self, kind: str) -> Iterator[Probe]:
        """An actor that nobody appointed opens nothing, not even its own."""
        actor = SubjectRef(kind, f"probe-{self.cast.salt}-actor")
        held = map(self.cast.own, self.cast.kinds)
        caller = self.cast.caller(*held, actor=str(actor.value))
        for about, subject in (
            ("a stranger's", self.cast.foreign(kind)),
            ("the actor's own", actor),
        ):
            yield self.probe(
                f"{about} record, through an actor ({kind})", caller, strangers=(_records(subject),)
            )

    def _lookalikes(self, kind: str) -> Iterator[Probe]:
        """Values that lax comparisons take for one: types, letters, spaces, Unicode, kinds."""
        number, name = 10**15 + int(self.cast.salt, 16) % 10**15, f"Probe-{self.cast.salt}-\u00e9"
        for about, mine, theirs in (
            ("a number as text", number, str(number)),
            ("text as a number", str(number), number),
            ("a number one larger", number, number + 1),
            ("other letters", name, name.upper()),
            ("a space more", name, f"{name} "),
            ("a text that begins alike", name, f"{name}0"),
            ("a part of the text", f"{name}0", name),
            ("another spelling in Unicode", name, name.replace("\u00e9", "e\u0301")),
            ("a pattern", name, "*"),
            ("no text", name, ""),
        ):
            caller = self.cast.caller(SubjectRef(kind, mine))
            lookalike = _records(SubjectRef(kind, theirs))
            yield self.probe(f"{about} ({kind})", caller, strangers=(lookalike,))
        namesake = _records(SubjectRef("probe", name))
        caller = self.cast.caller(SubjectRef(kind, name))
        yield self.probe(f"the same text of another kind ({kind})", caller, strangers=(namesake,))

    def _question(self, caller: Caller, phase: Phase, groups: tuple[Group, ...] | None) -> Question:
        target = self.target
        inspection = None
        if groups is not None:
            inspection = Inspection(target.format, groups, ("owner",), 100, 100, 100)
        return Question(
            phase=phase,
            exchange_id=f"{PROOF}-{self.cast.salt}",
            received_at=self.cast.now,
            endpoint=target.endpoint,
            labels=target.labels,
            method=target.method,
            path=target.path,
            params=target.params,
            query={},
            caller=caller,
            inspection=inspection,
        )


def _records(
    *owners: SubjectRef, attribution: Attribution = Attribution.DIRECT, category: str = ""
) -> Group:
    return Group(owners, attribution, category, 1)
