"""Everything that can be changed in who asks.

What is asked for stays the same, so that only the question changes. What must then stay behind
follows from a control: a wrong identifier is worth no more than one that means nothing, a wrong
role no more than none, a claim that has expired no more than one that isn't there. Where the
control loses nothing, the thing isn't what the release rests on, and there is nothing to test.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from gateway.model import Actor, Caller, Identifier
from gateway.policy.contract import Question
from gateway.workbench.mutate.grants import past
from gateway.workbench.mutate.mutants import Change, Kind, Where
from gateway.workbench.mutate.values import foreign, lookalikes, types

_STRANGER = "mutant"
_NOBODY = Identifier("mutant", "mutant")
"""An identifier that means nothing: without any, a caller may not even ask."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A changed question. `control` is one that is worth at least as much; None: nothing is.

    With `reasons` what leaves may leave, but not for the same reasons as before.
    """

    change: Change
    question: Question
    control: Question | None = None
    reasons: bool = False


def asked(question: Question, file: str) -> Iterator[Asked]:
    """Changes of the caller: of each identifier, role, scope and claim, of claims that expire, and
    of the actor."""
    caller = question.caller
    asked_about = frozenset(owner.value for owner in question.subjects)
    for part in _parts(caller):
        control = replace(question, caller=part.having(None))
        end = past(part.locator, part.value, question.received_at)
        if end is not None and part.kind is Kind.CLAIM:
            variants = [(Kind.EXPIRY, "in the past", end)]
        else:
            variants = [
                (part.kind, each.how, each.value)
                for each in (
                    foreign(part.value, known=asked_about),
                    *types(part.value),
                    *lookalikes(part.value),
                )
                if each.value is not None and (part.typed or type(each.value) is str)
            ]
        for kind, how, new in variants:
            where = Where(file, part.locator)
            change = Change(kind, where, how, json.dumps(part.value), json.dumps(new))
            yield Asked(change, replace(question, caller=part.having(new)), control)
    yield from _of_actor(question, file)


@dataclass(frozen=True, slots=True)
class _Part:
    """One thing that is known of a caller. `having` makes a caller with another value in its place,
    or, for None, with none. `typed` where its type is part of the value."""

    kind: Kind
    locator: str
    value: str | int
    having: Callable[[str | int | None], Caller]
    typed: bool = True


def _parts(caller: Caller) -> Iterator[_Part]:
    for index, identifier in enumerate(caller.identifiers):
        yield _identifier(caller, index, identifier)
    for role in caller.roles:
        yield _role(caller, role)
    for scope in caller.scopes:
        yield _scope(caller, scope)
    for name, value in caller.claims.items():
        if type(value) in (str, int):
            yield _claim(caller, name, value)


def _identifier(caller: Caller, index: int, identifier: Identifier) -> _Part:
    known = caller.identifiers

    def having(new: str | int | None) -> Caller:
        other = _NOBODY if new is None else replace(identifier, value=new)
        return replace(caller, identifiers=(*known[:index], other, *known[index + 1 :]))

    return _Part(Kind.CALLER, f"caller.identifiers.{identifier.kind}", identifier.value, having)


def _role(caller: Caller, role: str) -> _Part:
    def having(new: str | int | None) -> Caller:
        return replace(caller, roles=_exchanged(caller.roles, role, new))

    return _Part(Kind.CLAIM, f"caller.roles.{role}", role, having, typed=False)


def _scope(caller: Caller, scope: str) -> _Part:
    def having(new: str | int | None) -> Caller:
        return replace(caller, scopes=_exchanged(caller.scopes, scope, new))

    return _Part(Kind.CLAIM, f"caller.scopes.{scope}", scope, having, typed=False)


def _exchanged(words: tuple[str, ...], old: str, new: str | int | None) -> tuple[str, ...]:
    rest = tuple(each for each in words if each != old)
    return rest if new is None else (*rest, str(new))


def _claim(caller: Caller, name: str, value: str | int) -> _Part:
    less = {key: each for key, each in caller.claims.items() if key != name}

    def having(new: str | int | None) -> Caller:
        return replace(caller, claims=less if new is None else {**less, name: new})

    return _Part(Kind.CLAIM, f"caller.claims.{name}", value, having)


def _of_actor(question: Question, file: str) -> Iterator[Asked]:
    caller, where = question.caller, Where(file, "caller.actor")

    def changed(how: str, actor: Actor | None, reasons: bool = False) -> Asked:
        old = caller.actor.id if caller.actor else "none"
        change = Change(Kind.ACTOR, where, how, old, actor.id if actor else "none")
        asked = replace(question, caller=replace(caller, actor=actor))
        return Asked(change, asked, None, reasons)

    if caller.actor is None:
        yield changed("somebody acts for the caller", Actor(_STRANGER, caller.issuer))
        yield changed("somebody of no issuer acts for the caller", Actor(_STRANGER))
        return
    actor = caller.actor
    yield changed("another actor", replace(actor, id=_STRANGER))
    for variant in lookalikes(actor.id):
        yield changed(f"another actor: {variant.how}", replace(actor, id=str(variant.value)))
    yield changed("an actor of another issuer", replace(actor, issuer="https://mutant.invalid"))
    yield changed("no actor", None, reasons=True)
