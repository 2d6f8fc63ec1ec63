"""Why a trial ends as it does: each subject, its grounds, and the rules that acted.

The verdict is the desk's, which is what would happen. The reasons for it come from a second
reading of the same question by the same modules in `rego`; where the two don't agree, the
explanation says so instead of choosing.
"""

import io
import zipfile
from collections.abc import Iterable

import msgspec

from gateway.errors import BadUpstream, Refusal
from gateway.inspection import multipartdirectory
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.source import Body
from gateway.inspection.tardirectory import read_directory
from gateway.model import Format, SubjectRef
from gateway.policy.contract import encode_question
from gateway.policy.engine import EngineKind
from gateway.proxy.framing import read_head
from gateway.stored import InMemory, Stored
from gateway.workbench import bodyfault, modules
from gateway.workbench.account import Account, Ask, Broken, Part
from gateway.workbench.bench import RegoBench
from gateway.workbench.desk import Desk, Trial, Verdict
from gateway.workbench.explanation import (
    Effective,
    Explanation,
    Fault,
    Ground,
    GroundOf,
    Members,
    Reason,
    Records,
    Restriction,
    Subject,
    Unattributed,
    WhyNot,
)
from gateway.workbench.modules import Modules
from gateway.workbench.opamodules import of_opa

PLACES, MEMBERS = 20, 200
"""How many places of records, and how many names of members, are listed."""

_USABLE = "usable"
"""The rule by which a restriction says that it has the data it needs."""

ARCHIVES = (Format.ZIP, Format.TAR, Format.MULTIPART)

_MOST_ARCHIVE = 256 * 2**20


async def explain(desk: Desk, trial: Trial, source: str, limit: int = 20) -> Explanation:
    """Play a trial and account for its end.

    `source` names the body where a fault in it is shown; `limit` is the number of subjects that
    are listed, those that no ground permits first. Raises Unusable.
    """
    verdict = await desk.judge(trial)
    loaded = await _modules(desk)
    account, doubt = await _account(loaded, verdict, limit)
    subjects = _subjects(verdict, account, limit)
    evidence, decision = verdict.evidence, verdict.decision
    question = verdict.question
    if account is not None and not doubt:
        doubt = _disagreement(verdict, account)
    return Explanation(
        endpoint=verdict.endpoint.name,
        method=evidence.method or "",
        path=list(question.path) if question else [],
        at=evidence.received_at.isoformat(),
        engine=desk.policy.engine.value,
        revision=decision.revision if decision else None,
        caller=msgspec.to_builtins(verdict.caller) if verdict.caller else None,
        outcome=evidence.outcome.value,
        effect=decision.effect.value if decision else None,
        effect_rule=account.effect if account else None,
        code=evidence.code.value if evidence.code else None,
        status=evidence.http_status,
        note=evidence.note,
        fault=_fault(verdict, source),
        reasons=_reasons(decision.reasons if decision else (), account),
        subjects=subjects,
        subjects_total=len(verdict.inspection.subjects) if verdict.inspection else 0,
        unattributed=_unattributed(verdict),
        withhold=sorted(decision.withhold) if decision else [],
        mask=list(map(str, decision.mask)) if decision else [],
        grounds=_grounds(account),
        restrictions=_restrictions(account),
        records=_records(verdict),
        members=_members(verdict),
        rules_of=loaded.origin,
        doubt=doubt,
    )


async def _modules(desk: Desk) -> Modules:
    if desk.policy.engine is EngineKind.OPA:
        return await of_opa(desk.policy.opa or "")
    return modules.of_bundle(desk.policy)


async def _account(loaded: Modules, verdict: Verdict, limit: int) -> tuple[Account | None, str]:
    """How the question was answered, or why that can't be told."""
    if verdict.question is None or verdict.inspection is None:
        return None, ""
    try:
        question = encode_question(verdict.question)
    except Refusal:  # the verdict's own: there is no question to account for
        return None, ""
    async with RegoBench(loaded) as bench:
        first = await bench.ask(Ask(question, []))
        if isinstance(first, Account):
            permitted = _permitted(first)
            asked = _asked(question)
            stranger = [at for at, subject in enumerate(asked) if subject not in permitted]
            first = await bench.ask(Ask(question, stranger[:limit]))
    match first:
        case Account():
            return first, ""
        case Broken(message, spot):
            return None, f"{spot.file}:{spot.line}: {message}" if spot else message
        case other:
            raise AssertionError(other)


def _asked(question: bytes) -> list[SubjectRef]:
    """The subjects of a question, in its order."""
    subjects = msgspec.json.decode(question).get("payload", {}).get("subjects", [])
    return [SubjectRef(each["kind"], each["value"]) for each in subjects]


def permitted_by(part: Part) -> frozenset[SubjectRef]:
    """Whom a ground permits."""
    value = msgspec.json.decode(part.values.get("permits", "[]"))
    return frozenset(
        SubjectRef(each["kind"], each["value"])
        for each in value
        if isinstance(each, dict) and {"kind", "value"} <= each.keys()
    )


def _permitted(account: Account) -> frozenset[SubjectRef]:
    return frozenset().union(*map(permitted_by, account.grounds))


def _disagreement(verdict: Verdict, account: Account) -> str:
    """What the decision permits and the grounds don't, or the other way round."""
    decision, question = verdict.decision, verdict.question
    if not account.grounds:
        return "the bundle has no packages privacy.grounds.*: only its decision can be shown"
    if decision is None or question is None or decision.effect.value == "block":
        return ""
    if decision.permitted != _permitted(account) & question.subjects:
        return "the decision permits other subjects than the packages privacy.grounds.* do"
    return ""


def _subjects(verdict: Verdict, account: Account | None, limit: int) -> list[Subject]:
    inspection = verdict.inspection
    if inspection is None:
        return []
    grounds = [(part, permitted_by(part)) for part in account.grounds] if account else []
    permitted = frozenset().union(*(refs for _, refs in grounds))
    order = sorted(inspection.subjects, key=lambda each: each in permitted)
    asked = _asked(encode_question(verdict.question)) if account and verdict.question else []
    stops = {
        (asked[stop.subject], stop.ground): stop.spot for stop in (account.stops if account else ())
    }
    return [
        Subject(
            kind=subject.kind,
            value=subject.value,
            records=sum(group.records for group in groups),
            released=sum(group.records for group in groups if verdict.leaves(group)),
            attribution=sorted({group.attribution for group in groups}),
            categories=sorted({group.category for group in groups} - {""}),
            permitted=subject in permitted,
            grounds=[
                GroundOf(part.name, part.spots.get("permits"))
                for part, refs in grounds
                if subject in refs
            ],
            why_not=[
                WhyNot(part.name, part.ran, stops.get((subject, part.name)))
                for part, _ in grounds
                if subject not in permitted
            ],
        )
        for subject in order[:limit]
        for groups in [[each for each in inspection.groups if subject in each.owners]]
    ]


def _unattributed(verdict: Verdict) -> Unattributed:
    inspection = verdict.inspection
    groups = [each for each in (inspection.groups if inspection else ()) if not each.owners]
    return Unattributed(
        records=sum(group.records for group in groups),
        released=sum(group.records for group in groups if verdict.leaves(group)),
        categories=sorted({group.category for group in groups} - {""}),
    )


def _reasons(names: Iterable[str], account: Account | None) -> list[Reason]:
    """A ground's name leads to its rule, any other to where a rule adds it."""
    spots = dict(account.names) if account else {}
    for part in account.grounds if account else ():
        if "permits" in part.spots:
            spots.setdefault(part.name, part.spots["permits"])
    for part in account.restrictions if account else ():
        for rule in _acting(part):
            spots.setdefault(part.name, rule.rule)
    return [Reason(name, spots.get(name)) for name in names]


def _grounds(account: Account | None) -> list[Ground]:
    return [
        Ground(
            name=part.name,
            title=part.title,
            legal_basis=part.legal_basis,
            enabled=part.ran,
            permits=len(permitted_by(part)),
            rule=part.spots.get("permits"),
        )
        for part in (account.grounds if account else ())
    ]


def _restrictions(account: Account | None) -> list[Restriction]:
    return [
        Restriction(
            name=part.name,
            title=part.title,
            legal_basis=part.legal_basis,
            enabled=part.ran,
            usable=_usable(part),
            rules=_acting(part),
        )
        for part in (account.restrictions if account else ())
    ]


def _usable(part: Part) -> bool | None:
    if not part.ran or _USABLE not in part.spots:
        return None
    return part.values.get(_USABLE) == "true"


def _acting(part: Part) -> list[Effective]:
    """The rules of a restriction that take something away."""
    return [
        Effective(name, msgspec.Raw(value.encode()), part.spots[name])
        for name, value in part.values.items()
        if name != _USABLE and msgspec.json.decode(value) not in ([], {}, False, None, "")
    ]


def _records(verdict: Verdict) -> Records:
    counts = verdict.counts
    groups = verdict.inspection.groups if verdict.inspection else ()
    left = [place for each in groups if verdict.leaves(each) for place in each.first]
    stayed = [place for each in groups if not verdict.leaves(each) for place in each.first]
    return Records(
        seen=counts.seen,
        released=counts.released,
        redacted=counts.redacted,
        blocked=counts.blocked,
        released_places=sorted(left)[:PLACES],
        withheld_places=sorted(stayed)[:PLACES],
    )


def _members(verdict: Verdict) -> Members | None:
    """The archive's members, by comparing what came with what would leave."""
    spec = verdict.endpoint.body
    if spec.format not in ARCHIVES or verdict.inspection is None:
        return None
    came = member_names(verdict.trial.sample.stored, spec)
    left = set(member_names(verdict.release.body.stored, spec)) if verdict.release else set()
    return Members(
        released=[name for name in came if name in left][:MEMBERS],
        withheld=[name for name in came if name not in left][:MEMBERS],
    )


def member_names(stored: Stored, spec: BodySpec) -> list[str]:
    """The names in an archive that was inspected; none where it is too big to look at twice, or
    under a content coding."""
    if stored.size > _MOST_ARCHIVE:
        return []
    if spec.format is Format.TAR:
        limits = Limits(decoded=_MOST_ARCHIVE)
        try:
            plain = b"".join(Body(stored, (), limits, compression=spec.compression).chunks())
            entries = read_directory(InMemory(plain), limits).entries
        except BadUpstream:
            return []
        return [entry.name for entry in entries]
    if spec.format is Format.MULTIPART:
        return [part.name for part in multipartdirectory.read_directory(stored, Limits()).entries]
    with zipfile.ZipFile(io.BytesIO(stored.pread(stored.size, 0))) as archive:
        return archive.namelist()


def _fault(verdict: Verdict, source: str) -> Fault | None:
    refusal, endpoint, sample = verdict.refusal, verdict.endpoint, verdict.trial.sample
    if refusal is None or refusal.status != 502 or verdict.inspection is not None:
        return None
    try:
        codings = read_head((1, 1), 200, "OK", sample.headers).payload.codings
    except Refusal:
        return None
    found = bodyfault.place(
        sample.stored,
        codings,
        endpoint.body,
        endpoint.limits,
        refusal.code,
        refusal.note,
        source,
    )
    if found is None:
        return None
    where, said = found
    return Fault(where.source, where.line, where.column, said, where.excerpt)
