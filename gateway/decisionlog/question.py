"""A question as the log keeps it: in the contract's shape, and nothing in it names a person.

What configuration, closed sets and counting put into a question stays as it is: the endpoint, its
labels, the names of parameters and claims, kinds, categories, formats, the time. Everything that a
token, a path or a body put there is a pseudonym: `Pseudonyms.value`, the same for the same typed
value wherever it stands, so that whatever was equal still is. `privacy-gateway replay` asks a
policy such a question again.

What it shows to a reader without the key: which values are equal, within an exchange and from one
to another for as long as the key is the same, how often each occurs, how many members a list has,
and what is true, false or null. So somebody who knows from elsewhere one exchange of a person can
find that person's others, and a value that is rare in the world is rare here. What a value is can
be tried only with the key, be it as short as a year of birth: a new key ends all of it.

A list is cut at `MAX_LISTED`, and the entry then says that its question is not whole.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from gateway.decisionlog.plain import method, whole
from gateway.decisionlog.pseudonyms import Remembered
from gateway.model import Attribution, Caller, Inspection, Phase, SubjectRef
from gateway.policy.contract import SCHEMA, Question

MAX_LISTED = 1_000
"""Members of one list or object: a real question comes nowhere near, except in its subjects."""
_MAX_DEPTH = 32
"""Of a claim's value."""

_T = TypeVar("_T")


class Seen(NamedTuple):
    """One distinct subject of a body; `attribution` and `categories` are sorted."""

    owner: SubjectRef
    records: int
    attribution: list[Attribution]
    categories: list[str]


class Written(NamedTuple):
    """A question for the log. `truncated` where something was left out for its length."""

    question: dict[str, Any]
    truncated: bool


def write(
    question: Question,
    inspection: Inspection | None,
    at: str,
    listed: Sequence[Seen],
    total: int,
    names: Remembered,
) -> Written:
    """The question of the response phase if there is an inspection, else that of the request.

    `at` is the entry's timestamp, `listed` are the subjects that it names, in its order, of `total`
    in all.
    """
    writer = _Writer(names)
    document = {
        "schema": SCHEMA,
        "phase": Phase.REQUEST if inspection is None else Phase.RESPONSE,
        "exchange": {"id": whole(question.exchange_id), "received_at": at},
        "endpoint": {
            "name": whole(question.endpoint),
            "labels": {whole(name): whole(text) for name, text in question.labels.items()},
        },
        "request": writer.request(question),
        "caller": writer.caller(question.caller),
    }
    if inspection is not None:
        document["payload"] = writer.payload(inspection, listed)
    return Written(document, writer.truncated or len(listed) < total)


class _Writer:
    """The parts of one question."""

    __slots__ = ("truncated", "values")

    def __init__(self, names: Remembered) -> None:
        self.values, self.truncated = names.values, False

    def request(self, question: Question) -> dict[str, Any]:
        values = self.values
        return {
            "method": method(question.method),
            "path": self._texts(question.path),
            "params": {whole(name): values[text] for name, text in question.params.items()},
            "query": {
                values[name]: self._texts(question.query[name])
                for name in self._some(question.query)
            },
        }

    def caller(self, caller: Caller) -> dict[str, Any]:
        values, actor = self.values, caller.actor
        acting = None
        if actor:
            issuer = None if actor.issuer is None else values[actor.issuer]
            acting = {"id": values[actor.id], "issuer": issuer}
        return {
            "issuer": values[caller.issuer],
            "id": values[caller.id],
            "identifiers": [
                {
                    "kind": whole(each.kind),
                    "value": values[each.value],
                    "basis": whole(each.basis),
                }
                for each in self._some(caller.identifiers)
            ],
            "actor": acting,
            "scopes": self._texts(caller.scopes),
            "roles": self._texts(caller.roles),
            # Configuration names the claims; only what is inside them is the issuer's.
            "claims": {
                whole(name): self._claim(value, _MAX_DEPTH) for name, value in caller.claims.items()
            },
        }

    def payload(self, inspection: Inspection, listed: Sequence[Seen]) -> dict[str, Any]:
        orphans = [group for group in inspection.groups if not group.owners]
        return {
            "format": inspection.format,
            "records": inspection.records,
            "unattributed": {
                "records": sum(group.records for group in orphans),
                "categories": _categories(sorted({group.category for group in orphans})),
            },
            "subjects": [
                {
                    "kind": whole(owner.kind),
                    "value": self.values[owner.value],
                    "records": records,
                    "attribution": [each for each in attribution if each is not Attribution.NONE],
                    "categories": _categories(categories),
                }
                for owner, records, attribution, categories in listed
            ],
            "fields": self._texts(inspection.fields),
        }

    def _texts(self, texts: Sequence[str]) -> list[str]:
        values = self.values
        return [values[text] for text in self._some(texts)] if texts else []

    def _claim(self, value: Any, depth: int) -> Any:
        match value:
            case None | bool():
                return value
            case str() | int() | float():
                return self.values[value]
            case list() | tuple() if depth:
                return [self._claim(each, depth - 1) for each in self._some(value)]
            case Mapping() if depth:
                values = self.values
                return {
                    values[name]: self._claim(value[name], depth - 1) for name in self._some(value)
                }
        self.truncated = True
        return None

    def _some(self, members: Collection[_T]) -> Collection[_T]:
        """As many as are written."""
        if len(members) <= MAX_LISTED:
            return members
        self.truncated = True
        return list(islice(members, MAX_LISTED))


def _categories(names: Sequence[str]) -> list[str]:
    """The empty name stands for none, and is not in a question."""
    return [whole(name) for name in names if name]
