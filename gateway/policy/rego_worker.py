"""The child's side of the embedded engine. Only this, `rego_program` and `workbench.rego` import
regorus.

regorus holds the GIL for a whole evaluation, has no deadline, panics with a BaseException and
overflows its stack on a rule that calls itself, so that it lives in a process that can be killed.
The texts of its exceptions quote data and whole backtraces: none leaves here, except what it says
about the text of a module.

    job       a question; empty: report on the bundle
    answer    A + JSON of the decision | U undefined | E + place of the rule that failed
    report    R + JSON list of `RegoFault`, empty where the bundle can be used
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import regorus

from gateway.apart import Apart
from gateway.policy.capabilities import capabilities
from gateway.policy.engine import QUERY, EngineKind
from gateway.policy.faults import RegoFault
from gateway.policy.rego_calls import Module, call_faults, parsed, path, rule_names
from gateway.policy.rego_program import LIBRARY, MOST_DATA, Program, digest

ANSWER, UNDEFINED, ERROR, REPORT = b"A", b"U", b"E", b"R"

_PROBE = '{"phase": "request", "caller": {"identifiers": []}, "endpoint": {"name": ""}}'
_MOST_FAULTS = 100
_TAB = 4

_PLACE = re.compile(r"--> ([\w./-]{1,200}):(\d{1,7}):(\d{1,7})")
_MESSAGE = re.compile(r"^error: ([^\n]{1,200})", re.MULTILINE)
_SCOPES = re.compile(r" \(path \[.*")
"""What regorus adds about its own insides."""
_UNSAFE = re.compile(r"var \S+ is unsafe")


class Setup(msgspec.Struct):
    """The bundle, as the parent read it (msgpack). `data` and `schema` are JSON.

    With `engine: opa` the bundle is only reported on, and not evaluated: OPA does that.
    """

    modules: dict[str, str]
    data: bytes
    schema: bytes | None = None
    engine: EngineKind = EngineKind.EMBEDDED


_ASKED_NAME = "gateway/asked.rego"
_ASKED = f"package gateway.asked\n\nanswer := [{QUERY}]\n"
_ANSWER_RULE = "data.gateway.asked.answer"
"""The query as a rule of ours: a query that is text is analysed anew each time, together with all
rules there are, which takes a quarter of a decision's time. In a list, since what is undefined
comes as the text `"<undefined>"`, and a policy may answer that."""
_NOTHING = '"<undefined>"'
_VALUES = msgspec.json.Decoder(tuple[msgspec.Raw])


class _Expression(msgspec.Struct):
    value: list[bool]


class _Row(msgspec.Struct):
    expressions: list[_Expression]


class _Rows(msgspec.Struct):
    result: list[_Row]


_ROWS = msgspec.json.Decoder(_Rows)


_FAULTS = msgspec.json.Decoder(list[RegoFault])
_NO_SCHEMA = RegoFault("schemas/deployment.json", "not a JSON Schema that can be used")


class _Unusable(Exception):
    def __init__(self, *faults: RegoFault) -> None:
        super().__init__(len(faults))
        self.faults = faults


def serve(setup: bytes) -> Any:
    """The entry of the worker: see `gateway.workers.answering`."""
    evaluator = _Evaluator(msgspec.msgpack.decode(setup, type=Setup))
    return evaluator.answer


class _Evaluator:
    """Of the library as a program. The interpreter is loaded when it is first needed then: that is
    seldom, and costs more memory than the program."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._program: Program | None = None
        self._pristine: Any = None
        self._engine: Any = None
        if _is_library(setup):
            self._faults = _apart(lambda: _loaded(setup)[1])
            if not self._faults:
                self._program = _compiled(setup)
        else:
            self._faults = self._interpret()

    def answer(self, job: bytes, _fds: list[int]) -> bytes:
        if not job:
            return REPORT + msgspec.json.encode(self._faults)
        if self._faults:
            return ERROR
        question = job.decode()
        if self._program and (compiled := self._program.evaluate(question)):
            return ANSWER + _value(compiled)
        if self._pristine is None:
            self._interpret_too()
        try:
            value = _evaluate(self._engine, question)
        except RuntimeError as error:
            # What a failed evaluation leaves behind in the engine is nobody's input.
            self._engine = self._pristine.clone()
            return ERROR + _place(error).encode()
        return UNDEFINED if value is None else ANSWER + value

    def _interpret(self) -> list[RegoFault]:
        self._pristine, faults = _loaded(self._setup)
        self._engine = self._pristine.clone()
        return faults

    def _interpret_too(self) -> None:
        """Within the deadline of a question: the bundle was looked through before."""
        engine = regorus.Engine()
        for name, text in _with_query(self._setup).items():
            engine.add_policy(name, text)
        engine.add_data_json(self._setup.data.decode())
        self._pristine, self._engine = engine, engine.clone()  # whole, or not there


def _evaluate(engine: Any, question: str) -> bytes | None:
    """The value as JSON, None where it is undefined. Builtin errors are errors in regorus."""
    engine.set_input_json(question)
    found = engine.eval_rule_as_json(_ANSWER_RULE)
    return None if found == _NOTHING else _value(found)


def _value(answer: str) -> bytes:
    return bytes(_VALUES.decode(answer)[0])


def _is_library(setup: Setup) -> bool:
    """Whether it can be compiled, once it has no faults."""
    small = setup.engine is EngineKind.EMBEDDED and len(setup.data) <= MOST_DATA
    return small and digest(setup.modules, setup.schema) == LIBRARY


def _compiled(setup: Setup) -> Program:
    return Program(_with_query(setup), _ANSWER_RULE, setup.data.decode())


def _with_query(setup: Setup) -> dict[str, str]:
    return {**setup.modules, _ASKED_NAME: _ASKED}


def _loaded(setup: Setup) -> tuple[Any, list[RegoFault]]:
    """An interpreter of the bundle, and what is wrong with it."""
    try:
        return _load(setup), []
    except _Unusable as unusable:
        faults = unusable.faults[:_MOST_FAULTS]
        return regorus.Engine(), [_in_characters(each, setup.modules) for each in faults]


def _load(setup: Setup) -> Any:
    """Raises _Unusable with every fault that can be found at once."""
    engine = regorus.Engine()
    faults: list[RegoFault] = []
    for name, text in setup.modules.items():
        try:
            engine.add_policy(name, text)
        except RuntimeError as error:
            faults.append(_fault(error, name))
    broken = any(fault.line for fault in faults)
    if faults := [*faults, *_apart(lambda: _faults_of_trees(engine, setup, broken))]:
        order = list(setup.modules)
        raise _Unusable(*sorted(faults, key=lambda each: (order.index(each.path), each.line)))
    if setup.engine is EngineKind.EMBEDDED:
        engine = _analysed(engine, setup)
    else:
        engine = regorus.Engine()
        engine.add_data_json(setup.data.decode())
    if setup.schema is not None:
        _check_deployment(engine, setup.schema.decode())
    return engine


def _faults_of_trees(engine: Any, setup: Setup, broken: bool) -> list[RegoFault]:
    """What the modules' syntax trees show."""
    modules = parsed(msgspec.json.decode(engine.get_ast_as_json()))
    data = msgspec.json.decode(setup.data)
    faults = [fault for module in modules for fault in _displaced(module, data)]
    if not broken:  # or what a broken module defines would be missed
        faults += call_faults(modules, capabilities(setup.engine))
    return faults


def _apart(find: Callable[[], list[RegoFault]]) -> list[RegoFault]:
    """What is found in a process of its own: syntax trees are big, and regorus' allocator keeps
    what it once took. Raises EOFError, or msgspec.DecodeError, where it doesn't come to an end."""
    return _FAULTS.decode(Apart(lambda: msgspec.json.encode(find())).answer())


def _analysed(engine: Any, setup: Setup) -> Any:
    """The engine with its data. Rules are analysed when they are evaluated first."""
    engine.add_policy(_ASKED_NAME, _ASKED)
    try:
        # Without data, so that the text of a failure can quote only the modules.
        _evaluate(engine.clone(), _PROBE)
    except RuntimeError as error:
        raise _Unusable(_fault(error, "privacy")) from None
    try:
        everything = engine.clone()
        everything.set_input_json(_PROBE)
        everything.eval_query_as_json("data.privacy")
    except RuntimeError as error:
        # A rule that no decision asks for may fail for this question, but it must be a rule.
        fault = _fault(error, "privacy")
        if _UNSAFE.fullmatch(fault.message):
            raise _Unusable(fault) from None
    try:
        engine.add_data_json(setup.data.decode())
        _evaluate(engine.clone(), _PROBE)
    except RuntimeError as error:
        fault = _fault(error, "privacy")
        message = "does not work with the data"
        raise _Unusable(msgspec.structs.replace(fault, message=message)) from None
    return engine


def _displaced(module: Module, data: Any) -> Iterator[RegoFault]:
    """Data in the place of a rule: OPA refuses the bundle; regorus would let the data win."""
    for part in path(module.tree["package"]["refr"]):
        if not isinstance(data, dict):
            yield RegoFault(module.name, "data stands in the place of this package")
            return
        data = data.get(part, {})
    for name, *_ in rule_names(module.tree):
        if not isinstance(data, dict) or name in data:
            yield RegoFault(module.name, f"data stands in the place of the rule {name}")
            return


def _check_deployment(engine: Any, schema: str) -> None:
    """Apart: the check needs more memory than the data itself (54 MiB more for 100,000
    delegations)."""
    try:
        faults = _apart(lambda: _mismatches(engine, schema))
    except EOFError:  # a schema that regorus doesn't survive
        faults = [_NO_SCHEMA]
    if faults:
        raise _Unusable(*faults)


def _mismatches(engine: Any, schema: str) -> list[RegoFault]:
    query = "[matches | [matches, _] := json.match_schema(data.privacy.deployment, input)]"
    try:
        engine.set_input_json(schema)
        found = _ROWS.decode(engine.eval_query_as_json(query)).result[0].expressions[0].value
    except BaseException:  # noqa: BLE001 - a panic is a BaseException; the bundle is refused
        return [_NO_SCHEMA]
    if found == [False]:
        message = "data.privacy.deployment does not match schemas/deployment.json"
        return [RegoFault("", message)]
    return [] if found in ([True], []) else [_NO_SCHEMA]


def _in_characters(fault: RegoFault, modules: Mapping[str, str]) -> RegoFault:
    """With its column in characters: regorus counts a tab as four."""
    lines = modules.get(fault.path, "").split("\n")
    line = lines[fault.line - 1] if 0 < fault.line <= len(lines) else ""
    column, counted = 1, 1
    for character in line:
        if counted >= fault.column:
            break
        counted += _TAB if character == "\t" else 1
        column += 1
    return msgspec.structs.replace(fault, column=column) if line else fault


def _place(error: RuntimeError) -> str:
    match = _PLACE.search(str(error)[:2_000])
    return ":".join(match.groups()) if match else ""


def _fault(error: RuntimeError, name: str) -> RegoFault:
    text = str(error)[:4_000]
    place, message = _PLACE.search(text), _MESSAGE.search(text)
    said = message[1] if message else text.strip().split("\n")[0][:200]
    said = _SCOPES.sub("", said)
    return (
        RegoFault(place[1], said, int(place[2]), int(place[3])) if place else RegoFault(name, said)
    )
