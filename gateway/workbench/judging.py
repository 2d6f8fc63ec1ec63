"""Cases, played: what was expected against what would be."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from gateway.model import Format, Group, SubjectRef
from gateway.spool import InMemory, Stored
from gateway.workbench.cases import Case, Cases, Expect, Listed
from gateway.workbench.desk import Desk, Trial, Verdict
from gateway.workbench.explain import member_names
from gateway.workbench.samples import opened, sample
from gateway.workbench.unusable import Unusable


class Difference(msgspec.Struct, frozen=True):
    """One expectation that does not hold, in words."""

    key: str
    expected: str
    actual: str


class Judged(msgspec.Struct, frozen=True):
    """One case, played. Where there are no differences it holds."""

    name: str
    file: str
    line: int | None
    outcome: str
    differences: list[Difference]

    @property
    def holds(self) -> bool:
        return not self.differences


async def judge(desk: Desk, cases: Cases) -> list[Judged]:
    """Play every case of a file. Raises Unusable for one that can't be played."""
    return [
        await _judged(desk, cases, index, case) for index, case in enumerate(cases.content.cases)
    ]


async def _judged(desk: Desk, cases: Cases, index: int, case: Case) -> Judged:
    content = cases.content
    endpoint = desk.endpoint(case.endpoint or content.endpoint or "")
    claims = case.caller if case.caller is not None else content.caller
    try:
        with _body(cases, case, endpoint.body.format) as body:
            given = sample(
                body, endpoint.body.format, content_type=case.content_type, coding=case.coding
            )
            trial = Trial(
                endpoint=endpoint.name,
                claims=claims or {},
                sample=given,
                method=case.method,
                params=case.params,
                query=case.query,
                at=case.at or content.at,
            )
            verdict = await desk.judge(trial)
            differences = list(_differences(case.expect, verdict))
    except Unusable as error:
        raise Unusable(f"{case.name}: {error}", cases.place(index)) from None
    line = cases.place(index).line
    return Judged(case.name, str(cases.file), line, ended(verdict), differences)


@contextmanager
def _body(cases: Cases, case: Case, expected: Format) -> Iterator[Stored]:
    if case.body is not None:
        with opened(cases.file.parent / case.body) as stored:
            yield stored
        return
    if case.text is not None:
        text = case.text
    elif expected is Format.NDJSON and isinstance(case.json, list):
        text = "".join(f"{json.dumps(each)}\n" for each in case.json)
    else:
        text = json.dumps(case.json)
    yield InMemory(text.encode(errors="surrogatepass"))


def ended(verdict: Verdict) -> str:
    """How a trial ended, in a few words."""
    refusal, decision = verdict.refusal, verdict.decision
    if refusal is None:
        return decision.effect.value if decision else "released"
    note = f" ({refusal.note})" if refusal.note else ""
    return f"{refusal.code}{note}"


def _differences(expect: Expect, verdict: Verdict) -> Iterator[Difference]:
    decision = verdict.decision
    if expect.effect is not None:
        effect = decision.effect.value if decision else f"none: {ended(verdict)}"
        yield from _unless("effect", expect.effect.value, effect)
    if expect.refused is not None:
        code = verdict.refusal.code.value if verdict.refusal else f"not refused: {ended(verdict)}"
        yield from _unless("refused", expect.refused.value, code)
    groups = verdict.inspection.groups if verdict.inspection else ()
    left = [group for group in groups if _leaves(verdict, group)]
    stayed = [group for group in groups if not _leaves(verdict, group)]
    counts = verdict.counts
    yield from _records("kept", expect.kept, left, counts.released)
    yield from _records("dropped", expect.dropped, stayed, counts.redacted + counts.blocked)
    if expect.members is not None:
        names = _members(verdict)
        yield from _unless("members", _set(expect.members), _set(names))
    if expect.masked is not None:
        yield from _unless("masked", _set(expect.masked), _set(decision.mask if decision else ()))
    if expect.reasons is not None:
        reasons = decision.reasons if decision else ()
        yield from _unless("reasons", _set(expect.reasons), _set(reasons))


def _records(
    key: str, expected: Listed | None, groups: Sequence[Group], total: int
) -> Iterator[Difference]:
    match expected:
        case None:
            return
        case int():
            yield from _unless(key, str(expected), str(total))
        case tuple() if any(isinstance(each, int) for each in expected):
            if any(len(group.first) < group.records for group in groups):
                raise Unusable(
                    f"{key}: so many records of one owner are told by number only; say how many,"
                    " or whose"
                )
            places = sorted(place for group in groups for place in group.first)
            yield from _unless(key, _set(map(str, expected)), _set(map(str, places)))
        case tuple():
            subjects = {owner for group in groups for owner in group.owners}
            names = [spell(each) for each in expected if isinstance(each, SubjectRef)]
            if any(not group.owners for group in groups):
                yield from _unless(key, _set(names), _set([*map(spell, subjects), "unattributed"]))
            else:
                yield from _unless(key, _set(names), _set(map(spell, subjects)))


def spell(subject: SubjectRef) -> str:
    """`account:A1`; a number is another value than its digits, and is marked."""
    number = " (a number)" if isinstance(subject.value, int) else ""
    return f"{subject.kind}:{subject.value}{number}"


def _members(verdict: Verdict) -> list[str]:
    if verdict.endpoint.body.format is not Format.ZIP:
        raise Unusable("members: only an archive has them")
    return member_names(verdict.release.body.stored) if verdict.release else []


def _leaves(verdict: Verdict, group: Group) -> bool:
    decision = verdict.decision
    return verdict.release is not None and decision is not None and decision.releases(group)


def _set(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names))) or "nothing"


def _unless(key: str, expected: str, actual: str) -> Iterator[Difference]:
    if expected != actual:
        yield Difference(key, expected, actual)
