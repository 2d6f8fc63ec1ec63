"""The child's side of the tools: regorus with coverage, in a process that can be killed.

What `policy.rego_worker` must never say is said here: why a rule held or not, and the engine's own
words. The bundle and the question are the engineer's.

    setup   Setup (msgpack)
    job     Ask | Try | Find (msgpack)
    answer  Account | Tried | Found | Broken (msgpack)

The account of a question comes from coverage, not from the shape of a policy: a rule whose head
was reached has held, a package of which nothing was reached was not run, and the statement that a
rule stopped at is the last one that was reached.
"""

import re
from collections.abc import Iterator
from typing import Any, assert_never

import msgspec
import regorus

from gateway.workbench.account import (
    GROUNDS,
    RESTRICTIONS,
    Account,
    Answer,
    Ask,
    Broken,
    Find,
    Found,
    Job,
    Part,
    Setup,
    Spot,
    Stop,
    Tried,
    Try,
    decode_job,
    encode_answer,
)
from gateway.workbench.hoisting import hoisted
from gateway.workbench.syntax import TESTS, Rule, metadata, rules

_DECISION = ("privacy", "decision")


def serve(setup: bytes) -> Any:
    """The entry of the worker: see `gateway.workers.answering`."""
    bench = _Bench(msgspec.msgpack.decode(setup, type=Setup))
    return bench.answer


_Lines = dict[str, frozenset[int]]
"""File → the lines that an evaluation reached."""


class _Bench:
    def __init__(self, setup: Setup) -> None:
        self._modules = {name: text.split("\n") for name, text in setup.modules.items()}
        self._broken: Broken | None = None
        self._rules: list[Rule] = []
        self._engine = regorus.Engine()
        self._engine.set_gather_prints(True)
        try:
            for name, text in setup.modules.items():
                ast = _parsed(name, text)
                self._rules += rules(ast)
                self._engine.add_policy(name, _runnable(name, text, ast))
            self._engine.add_data_json(setup.data.decode())
        except RuntimeError as error:
            self._broken = self._said(error)

    def answer(self, raw: bytes, _fds: list[int]) -> bytes:
        if self._broken:
            return encode_answer(self._broken)
        job: Job = decode_job(raw)
        engine = self._engine.clone()
        engine.set_gather_prints(True)
        try:
            return encode_answer(self._answer(engine, job))
        except RuntimeError as error:
            return encode_answer(self._said(error))

    def _answer(self, engine: Any, job: Job) -> Answer:
        match job:
            case Ask():
                return self._account(engine, job)
            case Try():
                return _tried(engine, job)
            case Find():
                return self._found()
            case _:
                assert_never(job)

    def _found(self) -> Found:
        tests: dict[str, Spot] = {}
        repeated: dict[str, None] = {}
        for rule in self._rules:
            if rule.name.startswith(("test_", "todo_test_")) and not rule.is_function:
                query = _query((*rule.package, rule.name))
                if query in tests:
                    repeated[query] = None
                tests.setdefault(query, self._spot(rule))
        return Found(tests, list(repeated))

    def _account(self, engine: Any, job: Ask) -> Answer:
        engine.set_enable_coverage(True)
        engine.set_input_json(job.question.decode())
        effect = _value(engine, _query((*_DECISION, "effect")))
        # Everything a decision holds, so that what its other fields rest on counts as run.
        _value(engine, _query(_DECISION))
        reached = _reached(engine)
        grounds = [self._part(engine, package, reached) for package in self._packages(GROUNDS)]
        restrictions = [
            self._part(engine, package, reached) for package in self._packages(RESTRICTIONS)
        ]
        return Account(
            grounds=grounds,
            restrictions=restrictions,
            stops=list(self._stops(engine, job, [each.name for each in grounds if each.ran])),
            effect=self._effect(effect, reached),
            names={
                rule.key: self._spot(rule)
                for rule in reversed(self._rules)
                if rule.name == "reasons" and rule.key is not None and not rule.is_test
            },
        )

    def _packages(self, prefix: tuple[str, ...]) -> list[tuple[str, ...]]:
        length = len(prefix)
        packages = {rule.package for rule in self._rules if not rule.is_test}
        return sorted(
            each for each in packages if each[:length] == prefix and len(each) == length + 1
        )

    def _part(self, engine: Any, package: tuple[str, ...], reached: _Lines) -> Part:
        rules = [rule for rule in self._rules if rule.package == package]
        ran = any(rule.lines & reached.get(rule.file, frozenset()) for rule in rules)
        values: dict[str, str] = {}
        spots: dict[str, Spot] = {}
        for rule in rules:
            if rule.is_function or rule.name.startswith("_"):
                continue
            held = rule.line in reached.get(rule.file, frozenset())
            if rule.name not in spots or held:
                spots[rule.name] = self._spot(rule)
            if ran and rule.name not in values:
                value = _value(engine, _query((*package, rule.name)))
                if value is not None:
                    values[rule.name] = value.decode()
        about = metadata(self._modules[rules[0].file])
        return Part(package[-1], ran, values, spots, *about)

    def _stops(self, engine: Any, job: Ask, grounds: list[str]) -> Iterator[Stop]:
        question = msgspec.json.decode(job.question)
        subjects = question.get("payload", {}).get("subjects", [])
        for index in job.subjects:
            question["payload"]["subjects"] = [subjects[index]]
            engine.set_input_json(msgspec.json.encode(question).decode())
            for ground in grounds:
                package = (*GROUNDS, ground)
                engine.clear_coverage_data()
                value = _value(engine, _query((*package, "permits")))
                alone = value is not None and msgspec.json.decode(value)
                yield Stop(index, ground, None if alone else self._stopped(package, engine))

    def _stopped(self, package: tuple[str, ...], engine: Any) -> Spot | None:
        """The statement that was reached last, of the body that came furthest."""
        reached, best = _reached(engine), (-1, 0)
        spot: Spot | None = None
        for rule in self._rules:
            if rule.package != package or rule.name != "permits":
                continue
            spot = spot or self._spot(rule)
            for body in rule.statements:
                done = [each for each in body if each in reached.get(rule.file, frozenset())]
                if done and (len(done), -len(body)) > best:
                    best = (len(done), -len(body))
                    spot = self._spot(rule, done[-1])
        return spot

    def _effect(self, effect: bytes | None, reached: _Lines) -> Spot | None:
        """The rule that gave the effect: of those that assign it, one that held."""
        said = msgspec.json.decode(effect) if effect is not None else None
        spots = [
            (rule.line in reached.get(rule.file, frozenset()), self._spot(rule))
            for rule in self._rules
            if rule.package == _DECISION and rule.name == "effect" and rule.value == said
        ]
        return max(spots, key=lambda each: each[0])[1] if spots else None

    def _spot(self, rule: Rule, line: int | None = None) -> Spot:
        return self._at(rule.file, line or rule.line)

    def _at(self, file: str, line: int) -> Spot:
        lines = self._modules.get(file, [])
        return Spot(file, line, lines[line - 1].strip() if 0 < line <= len(lines) else "")

    def _said(self, error: RuntimeError) -> Broken:
        """The first line of what regorus says, without its picture of the place and its stack."""
        text = str(error)[:8_000]
        place, message = _PLACE.search(text), _MESSAGE.search(text)
        said = message[1] if message else text.strip().split("\n")[0][:300]
        if place is None or (place[1].endswith(TESTS) and self._rules):
            return Broken(said)  # a line of a test that was rewritten is no line of its file
        return Broken(said, self._at(place[1], int(place[2])))


def _parsed(name: str, text: str) -> str:
    """The syntax tree of one module. Raises RuntimeError."""
    engine = regorus.Engine()
    engine.add_policy(name, text)
    return str(engine.get_ast_as_json())


def _runnable(name: str, text: str, ast: str) -> str:
    """A module as regorus can run it: tests are rewritten, where the result can be parsed."""
    if not name.endswith(TESTS):
        return text
    rewritten = hoisted(text, ast)
    try:
        _parsed(name, rewritten)
    except RuntimeError:
        return text
    return rewritten


_PLACE = re.compile(r"--> (.{1,300}):(\d{1,7}):\d{1,7}$", re.MULTILINE)
_MESSAGE = re.compile(r"^error: ([^\n]{1,300})", re.MULTILINE)


def _tried(engine: Any, job: Try) -> Tried:
    value = _value(engine, job.rule)
    return Tried(value.decode() if value is not None else None, engine.take_prints()[:100])


def _query(path: tuple[str, ...]) -> str:
    return ".".join(("data", *path))


def _value(engine: Any, query: str) -> bytes | None:
    """The value of a constant query as JSON, None where it is undefined."""
    rows = msgspec.json.decode(engine.eval_query_as_json(query), type=_Rows).result
    return bytes(rows[0].expressions[0].value) if rows else None


class _Expression(msgspec.Struct):
    value: msgspec.Raw


class _Row(msgspec.Struct):
    expressions: list[_Expression]


class _Rows(msgspec.Struct):
    result: list[_Row] = []


class _Covered(msgspec.Struct):
    path: str
    covered: list[int] = []


class _Report(msgspec.Struct):
    files: list[_Covered]


def _reached(engine: Any) -> _Lines:
    report = msgspec.json.decode(engine.get_coverage_report_as_json(), type=_Report)
    return {file.path: frozenset(file.covered) for file in report.files}
