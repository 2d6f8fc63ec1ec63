"""The policy contract: the question as JSON, and the only answer that is accepted.

    encode_question(question) ─▶ engine ─▶ read_answer(raw, question, revision) ─▶ Decision

Both have a JSON Schema in `policies/schemas/`. The policy grants, it never denies: whatever is
missing, misspelt, unknown or contradictory in an answer permits nothing.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, assert_never

import msgspec
from msgspec.structs import replace

from gateway.errors import BadUpstream, Code, Unavailable
from gateway.model import Attribution, Caller, Decision, Effect, Inspection, Phase, SubjectRef
from gateway.policy import masks

SCHEMA = "privacy-gateway/question/v1"

_INT64 = range(-(2**63), 2**63)
"""What both engines hold exactly; regorus takes 2^64 and 2^64+1 for the same number."""


class Question(msgspec.Struct, frozen=True):
    """What the gateway asks the policy about one exchange.

    `path` are the decoded segments, `query` every value of every name in order. `received_at` has
    a time zone. `inspection` is there in the response phase, and only there.
    """

    phase: Phase
    exchange_id: str
    received_at: datetime
    endpoint: str
    labels: Mapping[str, str]
    method: str
    path: tuple[str, ...]
    params: Mapping[str, str]
    query: Mapping[str, tuple[str, ...]]
    caller: Caller
    inspection: Inspection | None = None

    def __post_init__(self) -> None:
        if (self.phase is Phase.RESPONSE) is (self.inspection is None):
            raise ValueError("an inspection belongs to the response phase, and only to it")
        if self.received_at.tzinfo is None:
            raise ValueError("received_at needs a time zone")

    def about(self, inspection: Inspection) -> "Question":
        """The same exchange's question in the response phase."""
        return replace(self, phase=Phase.RESPONSE, inspection=inspection)

    @property
    def subjects(self) -> frozenset[SubjectRef]:
        """The distinct subjects asked about; none in the request phase."""
        groups = self.inspection.groups if self.inspection else ()
        return frozenset(owner for group in groups for owner in group.owners)

    @property
    def unattributed(self) -> int:
        """The number of records without an owner."""
        groups = self.inspection.groups if self.inspection else ()
        return sum(group.records for group in groups if not group.owners)


# --- the question -------------------------------------------------------------------------------

_ENCODER = msgspec.json.Encoder()


def encode_question(question: Question) -> bytes:
    """The question as JSON (`policies/schemas/question.json`).

    Raises BadUpstream(BODY_AMBIGUOUS) for a subject that the engines can't hold exactly, and
    Unavailable(POLICY_UNAVAILABLE) for anything else that can't be asked.
    """
    caller, claims = question.caller, dict(question.caller.claims)
    if not _is_exact([each.value for each in caller.identifiers]) or not _is_exact(claims):
        raise Unavailable(Code.POLICY_UNAVAILABLE, "the caller has an integer beyond 64 bits")
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "phase": question.phase,
        "exchange": {"id": question.exchange_id, "received_at": question.received_at},
        "endpoint": {"name": question.endpoint, "labels": dict(question.labels)},
        "request": {
            "method": question.method,
            "path": question.path,
            "params": dict(question.params),
            "query": dict(question.query),
        },
        "caller": {
            "issuer": caller.issuer,
            "id": caller.id,
            "identifiers": caller.identifiers,
            "actor": caller.actor,
            "scopes": caller.scopes,
            "roles": caller.roles,
            "claims": claims,
        },
    }
    if question.inspection is not None:
        document["payload"] = _payload(question.inspection)
    try:
        return _ENCODER.encode(document)
    except (TypeError, ValueError, RecursionError):  # a lone surrogate is a UnicodeEncodeError
        raise Unavailable(Code.POLICY_UNAVAILABLE, "the question is not JSON") from None


class _Subject(msgspec.Struct):
    kind: str
    value: str | int
    records: int
    attribution: list[str]
    categories: list[str]


def _payload(inspection: Inspection) -> dict[str, Any]:
    """Groups become one entry for each distinct subject, whatever it shares records with."""
    subjects: dict[SubjectRef, _Subject] = {}
    unattributed, unattributed_categories = 0, set[str]()
    for group in inspection.groups:
        if not group.owners:
            unattributed += group.records
            unattributed_categories.add(group.category)
        for owner in group.owners:
            entry = subjects.get(owner)
            if entry is None:
                if type(owner.value) is bool or not _is_exact(owner.value):
                    raise BadUpstream(Code.BODY_AMBIGUOUS, "an identifier beyond 64 bits")
                entry = subjects[owner] = _Subject(owner.kind, owner.value, 0, [], [])
            entry.records += group.records
            entry.attribution.append(group.attribution)
            entry.categories.append(group.category)
    for entry in subjects.values():
        entry.attribution = _distinct(entry.attribution)
        entry.categories = _distinct(entry.categories)
    return {
        "format": inspection.format,
        "records": inspection.records,
        "unattributed": {
            "records": unattributed,
            "categories": _distinct(unattributed_categories),
        },
        "subjects": list(subjects.values()),
        "fields": inspection.fields,
    }


def _distinct(names: Iterable[str]) -> list[str]:
    """Sorted, each once; the empty name stands for none (no category, no attribution)."""
    distinct = {*names}
    distinct.discard("")
    distinct.discard(Attribution.NONE)
    return sorted(distinct)


def _is_exact(value: Any) -> bool:
    """Whether every integer in a JSON value fits 64 bits."""
    kind = type(value)
    if kind is str or kind is bool:
        return True
    if isinstance(value, int):
        return value in _INT64
    if isinstance(value, dict):
        return all(map(_is_exact, value.values()))
    return not isinstance(value, list | tuple) or all(map(_is_exact, value))


# --- the answer ---------------------------------------------------------------------------------


class _Ref(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    value: str | int


_Category = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]

_Reason = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}\Z")]
"""Reasons are logged and counted: a name has no room for data from a body or a token."""


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    effect: Effect
    permitted: list[_Ref]
    unattributed: Literal["withhold", "release"]
    withhold: list[_Category]
    mask: list[masks.Given]
    reasons: Annotated[list[_Reason], msgspec.Meta(max_length=64)]


_ANSWER = msgspec.json.Decoder(_Answer, strict=True)
_WHERE = re.compile(r"`(?:key in )?(\$[a-z0-9.\[\]]*)`\Z")


def read_answer(raw: bytes | None, question: Question, revision: str) -> Decision:
    """Hold an answer against the contract. `raw` is its JSON, None where it is undefined.

    Raises Unavailable with POLICY_UNDEFINED, or DECISION_INVALID for an answer that is ill-typed,
    contradicts itself, or permits somebody nobody asked about.
    """
    if raw is None:
        raise Unavailable(Code.POLICY_UNDEFINED, "data.privacy.decision is undefined")
    try:
        answer = _ANSWER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # The library's text quotes the answer; only the place in it may be noted.
        where = _WHERE.search(str(error))
        raise _invalid(f"ill-typed at {where[1]}" if where else "ill-typed") from None
    try:
        mask = tuple(map(masks.read, answer.mask))
    except ValueError as error:
        raise _invalid(str(error)) from None
    permitted = frozenset(SubjectRef(ref.kind, ref.value) for ref in answer.permitted)
    if len(permitted) != len(answer.permitted):
        raise _invalid("a subject is permitted twice")
    subjects = question.subjects
    if not permitted <= subjects:
        raise _invalid("a subject is permitted that nobody asked about")
    match answer.effect:
        case Effect.ALLOW:
            _check_allow(answer, permitted, question, subjects)
        case Effect.REDACT:
            if question.phase is Phase.REQUEST:
                raise _invalid("redact in the request phase, where there is nothing to redact")
        case Effect.BLOCK:
            # A block releases nothing, so it can't contradict itself; what it lists as permitted
            # is dropped, so that no later step can mistake it for a grant.
            return Decision(
                effect=Effect.BLOCK,
                permitted=frozenset(),
                release_unattributed=False,
                withhold=frozenset(),
                mask=(),
                reasons=tuple(answer.reasons),
                revision=revision,
            )
        case _:
            assert_never(answer.effect)
    return Decision(
        effect=answer.effect,
        permitted=permitted,
        release_unattributed=answer.unattributed == "release",
        withhold=frozenset(answer.withhold),
        mask=mask,
        reasons=tuple(answer.reasons),
        revision=revision,
    )


def _check_allow(
    answer: _Answer,
    permitted: frozenset[SubjectRef],
    question: Question,
    subjects: frozenset[SubjectRef],
) -> None:
    if permitted != subjects:
        raise _invalid("allow, but not every subject is permitted")
    if answer.withhold or answer.mask:
        raise _invalid("allow, but something is withheld or masked")
    if question.unattributed and answer.unattributed != "release":
        raise _invalid("allow, but unattributed records are not released")


def _invalid(note: str) -> Unavailable:
    return Unavailable(Code.DECISION_INVALID, note)
