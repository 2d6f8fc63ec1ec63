"""Everything that can be changed in who asks, and until when they may.

What is asked for stays the same, so that only the question changes. What must then stay behind
follows from a control: a wrong identifier is worth no more than none, and a grant that has expired
no more than one that was never given. Where the control loses nothing, the thing isn't what the
release rests on, and there is nothing to test.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.model import Actor, Caller
from gateway.policy.contract import Question
from gateway.workbench.mutate.mutants import Change, Kind, Where
from gateway.workbench.mutate.values import foreign, lookalikes, types

_STRANGER = "mutant"
_WORDS = ("expir", "until", "valid_to", "validto", "not_after", "notafter", "end_at", "revoked")
_BEFORE = timedelta(days=1)


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
    """Changes of the caller: of each identifier, of the actor, of claims that expire."""
    yield from _of_identifiers(question, file)
    yield from _of_actor(question, file)
    yield from _of_claims(question, file)


def _with(question: Question, caller: Caller) -> Question:
    return replace(question, caller=caller)


def _of_identifiers(question: Question, file: str) -> Iterator[Asked]:
    caller = question.caller
    known = caller.identifiers
    for index, identifier in enumerate(known):
        rest = (*known[:index], *known[index + 1 :])
        control = _with(question, replace(caller, identifiers=rest))
        where = Where(file, f"caller.identifiers.{identifier.kind}")
        asked_about = frozenset(owner.value for owner in question.subjects)
        variants = (
            foreign(identifier.value, known=asked_about),
            *types(identifier.value),
            *lookalikes(identifier.value),
        )
        for variant in variants:
            if variant.value is None:
                continue
            changed = replace(identifier, value=variant.value)
            identifiers = (*known[:index], changed, *known[index + 1 :])
            change = Change(
                Kind.CALLER, where, variant.how, json.dumps(identifier.value), variant.text
            )
            yield Asked(change, _with(question, replace(caller, identifiers=identifiers)), control)


def _of_actor(question: Question, file: str) -> Iterator[Asked]:
    caller, where = question.caller, Where(file, "caller.actor")

    def changed(how: str, actor: Actor | None, reasons: bool = False) -> Asked:
        old = caller.actor.id if caller.actor else "none"
        change = Change(Kind.ACTOR, where, how, old, actor.id if actor else "none")
        return Asked(change, _with(question, replace(caller, actor=actor)), None, reasons)

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


def _of_claims(question: Question, file: str) -> Iterator[Asked]:
    caller, at = question.caller, question.received_at
    for name, value in caller.claims.items():
        past = _past(name, value, at)
        if past is not None:
            less = {key: each for key, each in caller.claims.items() if key != name}
            change = Change(
                Kind.EXPIRY,
                Where(file, f"caller.claims.{name}"),
                "in the past",
                json.dumps(value),
                json.dumps(past),
            )
            yield Asked(
                change,
                _with(question, replace(caller, claims={**less, name: past})),
                _with(question, replace(caller, claims=less)),
            )


# --- the deployment's data ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expired:
    """The deployment's data with one grant that has expired; in `control` it was never given."""

    change: Change
    data: Mapping[str, Any]
    control: Mapping[str, Any]


def expired(data: Mapping[str, Any], at: datetime) -> Iterator[Expired]:
    """Each moment to come in the data, made one that is past; each end that is open, made one."""
    for path, value in _leaves(data, ()):
        past = _past(str(path[-1]), value, at)
        if past is not None:
            named = _is_end(str(path[-1]))
            change = Change(
                Kind.EXPIRY,
                Where("", "data." + ".".join(map(str, path))),
                "in the past",
                json.dumps(value),
                json.dumps(past),
            )
            # `{"subject": …, "expires_at": …}` is the grant; in `{"actor": "2030-…"}` the key is.
            grant = path[:-1] if named else path
            yield Expired(change, _set(data, path, past), _removed(data, grant))


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    match value:
        case dict():
            for key, each in value.items():
                yield from _leaves(each, (*path, key))
        case list():
            for index, each in enumerate(value):
                yield from _leaves(each, (*path, index))
        case _ if path:
            yield path, value
        case _:
            return


def _is_end(name: str) -> bool:
    return any(word in name.lower() for word in _WORDS)


def _past(name: str, value: Any, at: datetime) -> str | int | None:
    """The value as one that is past, where it is a moment to come (RFC 3339, or seconds), or an
    end that is open."""
    if value is None and _is_end(name):
        return (at - _BEFORE).astimezone(UTC).isoformat().replace("+00:00", "Z")
    if type(value) is int and _is_end(name) and value > at.timestamp():
        return int((at - _BEFORE).timestamp())
    if not isinstance(value, str) or len(value) < len("2026-01-01T00:00:00Z"):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None or moment <= at:
        return None
    return (at - _BEFORE).astimezone(UTC).isoformat().replace("+00:00", "Z")


def _set(data: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy of the data with another value at the path."""
    if not path:
        return value
    step, *rest = path
    if isinstance(data, list):
        return [
            _set(each, tuple(rest), value) if index == step else each
            for index, each in enumerate(data)
        ]
    return {
        key: _set(each, tuple(rest), value) if key == step else each for key, each in data.items()
    }


def _removed(data: Any, path: tuple[str | int, ...]) -> Any:
    """A copy of the data without what stands at the path."""
    step, *rest = path
    items = enumerate(data) if isinstance(data, list) else data.items()
    left = [
        (key, _removed(each, tuple(rest)) if key == step else each)
        for key, each in items
        if rest or key != step
    ]
    return [each for _, each in left] if isinstance(data, list) else dict(left)
