"""Cases, played: what was expected against what would be."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from gateway.config.faults import Place
from gateway.inspection.settings import BodySpec
from gateway.model import Format, Group, SubjectRef
from gateway.stored import InMemory, Stored
from gateway.workbench.cases import UNATTRIBUTED, Case, Cases, Expect, Listed
from gateway.workbench.desk import Desk, Trial, Verdict
from gateway.workbench.explain import ARCHIVES, member_names
from gateway.workbench.samples import declared, opened, sample
from gateway.workbench.unusable import Unusable

_Thing = TypeVar("_Thing", bound=SubjectRef | str | int | None)


class Difference(msgspec.Struct, frozen=True):
    """One expectation that does not hold, in words; `line` is its line of the file, `excerpt` that
    line with a caret."""

    key: str
    expected: str
    actual: str
    line: int | None = None
    excerpt: str = ""


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
    content_type = declared(endpoint.body) if case.content_type is None else case.content_type
    claims = case.caller if case.caller is not None else content.caller
    try:
        with _body(cases, case, endpoint.body) as body:
            given = sample(body, endpoint.body, content_type=content_type, coding=case.coding)
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
            differences = [
                _located(each, cases.place(index, "expect", each.key))
                for each in _differences(case.expect, verdict)
            ]
    except Unusable as error:
        raise Unusable(f"{case.name}: {error}", cases.place(index)) from None
    line = cases.place(index).line
    return Judged(case.name, str(cases.file), line, ended(verdict), differences)


_FRAMES = {Format.NDJSON: "{}\n", Format.JSON_SEQ: "\x1e{}\n", Format.SSE: "data: {}\n\n"}


@contextmanager
def _body(cases: Cases, case: Case, expected: BodySpec) -> Iterator[Stored]:
    if case.body is not None:
        with opened(cases.file.parent / case.body) as stored:
            yield stored
        return
    text = case.text if case.text is not None else _written(case.json, expected)
    yield InMemory(text.encode(errors="surrogatepass"))


def _written(value: Any, expected: BodySpec) -> str:
    """A list as records in the endpoint's format, where that has one record a frame."""
    frame = _FRAMES.get(Format.NDJSON if expected.lines else expected.format)
    if frame and isinstance(value, list):
        return "".join(frame.format(json.dumps(each)) for each in value)
    text = json.dumps(value)
    return f"data = {text};\n" if expected.format is Format.JAVASCRIPT else text


def ended(verdict: Verdict) -> str:
    """How a trial ended, in a few words."""
    refusal, decision = verdict.refusal, verdict.decision
    if refusal is None:
        return decision.effect.value if decision else "released"
    note = f" ({refusal.note})" if refusal.note else ""
    return f"{refusal.code}{note}"


def _located(difference: Difference, place: Place) -> Difference:
    return msgspec.structs.replace(difference, line=place.line, excerpt=place.excerpt)


def _differences(expect: Expect, verdict: Verdict) -> Iterator[Difference]:
    decision = verdict.decision
    if expect.effect is not None:
        effect = decision.effect.value if decision else f"none: {ended(verdict)}"
        yield from _unless("effect", expect.effect.value, effect)
    if expect.refused is not None:
        code = verdict.refusal.code.value if verdict.refusal else f"not refused: {ended(verdict)}"
        yield from _unless("refused", expect.refused.value, code)
    groups = verdict.inspection.groups if verdict.inspection else ()
    left = [group for group in groups if verdict.leaves(group)]
    stayed = [group for group in groups if not verdict.leaves(group)]
    counts = verdict.counts
    yield from _records("kept", expect.kept, left, counts.released)
    yield from _records("dropped", expect.dropped, stayed, counts.redacted + counts.blocked)
    if expect.members is not None:
        yield from _unless_same("members", expect.members, _members(verdict))
    if expect.masked is not None:
        yield from _unless_same(
            "masked", expect.masked, map(str, decision.mask) if decision else ()
        )
    if expect.reasons is not None:
        yield from _unless_same("reasons", expect.reasons, decision.reasons if decision else ())


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
            yield from _unless_same(key, expected, [at for group in groups for at in group.first])
        case tuple():
            owners = [owner for group in groups for owner in group.owners or (None,)]
            yield from _unless_same(key, expected, owners)


def spell(value: SubjectRef | str | int | None) -> str:
    """`account:A1`; a number is another value than its digits, and is marked."""
    match value:
        case None:
            return UNATTRIBUTED
        case SubjectRef(kind, int(number)):
            return f"{kind}:{number} (a number)"
        case SubjectRef(kind, text):
            return f"{kind}:{text}"
        case _:
            return str(value)


def _members(verdict: Verdict) -> list[str]:
    spec = verdict.endpoint.body
    if spec.format not in ARCHIVES:
        raise Unusable("members: only an archive has them")
    return member_names(verdict.release.body.stored, spec) if verdict.release else []


def _unless_same(
    key: str, expected: Iterable[_Thing], actual: Iterable[_Thing]
) -> Iterator[Difference]:
    """Compares the things, and not how they are spelled."""
    wanted, found = set(expected), set(actual)
    if wanted != found:
        yield Difference(key, _listed(wanted), _listed(found))


def _listed(things: set[_Thing]) -> str:
    numbers = sorted(each for each in things if isinstance(each, int))
    others = sorted(spell(each) for each in things if not isinstance(each, int))
    return ", ".join((*map(str, numbers), *others)) or "nothing"


def _unless(key: str, expected: str, actual: str) -> Iterator[Difference]:
    if expected != actual:
        yield Difference(key, expected, actual)
