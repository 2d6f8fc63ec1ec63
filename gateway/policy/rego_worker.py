"""The child's side of the embedded engine: the only place that imports regorus.

regorus holds the GIL for a whole evaluation, has no deadline, panics with a BaseException and
overflows its stack on a rule that calls itself, so that it lives in a process that can be killed.
The texts of its exceptions quote data and whole backtraces: none leaves here, except what it says
about the text of a module.

    job       a question; empty: report on the bundle
    answer    A + JSON of the decision | U undefined | E + place of the rule that failed
    report    R + JSON of a `Fault` or null
"""

import os
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import regorus

from gateway.policy.engine import QUERY

ANSWER, UNDEFINED, ERROR, REPORT = b"A", b"U", b"E", b"R"

NONDETERMINISTIC = frozenset(
    {"http.send", "net.lookup_ip_addr", "opa.runtime", "rand.intn", "time.now_ns", "uuid.rfc4122"}
)
"""Builtins that reach outside, or answer differently next time: a decision must be replayable."""

_PROBE = '{"phase": "request", "caller": {"identifiers": []}, "endpoint": {"name": ""}}'

_PLACE = re.compile(r"--> ([\w./-]{1,200}):(\d{1,7}):(\d{1,7})")
_MESSAGE = re.compile(r"^error: ([^\n]{1,200})", re.MULTILINE)


class Setup(msgspec.Struct):
    """The bundle, as the parent read it (msgpack). `data` and `schema` are JSON."""

    modules: dict[str, str]
    data: bytes
    schema: bytes | None = None


class Fault(msgspec.Struct):
    """Why the bundle can't be used: a path inside it (empty: the deployment's data), one line."""

    path: str
    message: str


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


class _Unusable(Exception):
    def __init__(self, path: str, message: str) -> None:
        super().__init__(path)
        self.fault = Fault(path, message)


def serve(setup: bytes) -> Any:
    """The entry of the worker: see `gateway.workers`."""
    evaluator = _Evaluator(msgspec.msgpack.decode(setup, type=Setup))
    return evaluator.answer


class _Evaluator:
    def __init__(self, setup: Setup) -> None:
        self._fault: Fault | None = None
        self._pristine = regorus.Engine()
        try:
            self._pristine = _load(setup)
        except _Unusable as unusable:
            self._fault = unusable.fault
        self._engine = self._pristine.clone()

    def answer(self, job: bytes, _fds: list[int]) -> bytes:
        if not job:
            return REPORT + msgspec.json.encode(self._fault)
        if self._fault:
            return ERROR
        try:
            value = _evaluate(self._engine, job.decode())
        except RuntimeError as error:
            # What a failed evaluation leaves behind in the engine is nobody's input.
            self._engine = self._pristine.clone()
            return ERROR + _place(error).encode()
        return UNDEFINED if value is None else ANSWER + value


def _evaluate(engine: Any, question: str) -> bytes | None:
    """The value as JSON, None where it is undefined. Builtin errors are errors in regorus."""
    engine.set_input_json(question)
    found = engine.eval_rule_as_json(_ANSWER_RULE)
    return None if found == _NOTHING else bytes(_VALUES.decode(found)[0])


def _load(setup: Setup) -> Any:
    engine = regorus.Engine()
    for name, text in setup.modules.items():
        try:
            engine.add_policy(name, text)
        except RuntimeError as error:
            raise _Unusable(name, _message(error)) from None
    data = msgspec.json.decode(setup.data)
    for module in msgspec.json.decode(engine.get_ast_as_json()):
        _check_module(module["source"]["file"], module["ast"], data)
    engine.add_policy("gateway/asked.rego", _ASKED)
    try:
        # Rules are analysed on the first evaluation. Without data, so that the text of a failure
        # can quote only the modules.
        _evaluate(engine.clone(), _PROBE)
    except RuntimeError as error:
        raise _Unusable(_place(error) or "privacy", _message(error)) from None
    try:
        engine.add_data_json(setup.data.decode())
        _evaluate(engine.clone(), _PROBE)
    except RuntimeError as error:
        raise _Unusable(_place(error) or "privacy", "does not work with the data") from None
    if setup.schema is not None:
        _check_deployment(engine, setup.schema.decode())
    return engine


def _check_module(name: str, tree: Any, data: Any) -> None:
    for builtin in sorted(NONDETERMINISTIC.intersection(_references(tree))):
        raise _Unusable(name, f"{builtin} is not allowed: a decision must be replayable")
    # Where data and a rule have the same path, OPA refuses the bundle; regorus lets the data win.
    for part in _path(tree["package"]["refr"]):
        if not isinstance(data, dict):
            raise _Unusable(name, "data stands in the place of this package")
        data = data.get(part, {})
    for rule in tree["rules"]:
        (body,) = rule.values()
        (head,) = body["head"].values() if "head" in body else (body,)
        rule_name = _path(head["refr"])[0]
        if not isinstance(data, dict) or rule_name in data:
            raise _Unusable(name, f"data stands in the place of the rule {rule_name}")


def _path(ref: Any) -> list[str]:
    """`a.b["c"][d]` → a, b, c and `*`, which is no name, for what is not constant."""
    match ref:
        case {"Var": {"value": str(name)}}:
            return [name]
        case {"RefDot": {"refr": inner, "field": [_, str(name)]}}:
            return [*_path(inner), name]
        case {"RefBrack": {"refr": inner, "index": {"String": {"value": str(name)}}}}:
            return [*_path(inner), name]
        case {"RefBrack": {"refr": inner}}:
            return [*_path(inner), "*"]
    return ["*"]


def _check_deployment(engine: Any, schema: str) -> None:
    """In a process of its own: the check needs more memory than the data itself (54 MiB more for
    100,000 delegations), and what regorus' allocator once took from the system it keeps."""
    child = os.fork()
    if child == 0:
        os._exit(_matches(engine, schema))
    match os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        case 0:
            return
        case 1:
            raise _Unusable("", "data.privacy.deployment does not match schemas/deployment.json")
        case _:
            raise _Unusable("schemas/deployment.json", "not a JSON Schema that can be used")


def _matches(engine: Any, schema: str) -> int:
    """0, 1 where the data does not match, 2 where that can't be found out."""
    try:
        engine.set_input_json(schema)
        query = "[matches | [matches, _] := json.match_schema(data.privacy.deployment, input)]"
        found = _ROWS.decode(engine.eval_query_as_json(query)).result[0].expressions[0].value
    except BaseException:  # noqa: BLE001 - a panic is a BaseException; the parent refuses the bundle
        return 2
    return 1 if found == [False] else 0 if found in ([True], []) else 2


def _references(node: Any) -> Iterator[str]:
    """Every dotted name in a syntax tree, `a.b` and `a["b"]` alike."""
    match node:
        case {"RefDot": _} | {"RefBrack": _}:
            yield ".".join(_path(node)[:2])
    match node:
        case dict():
            for child in node.values():
                yield from _references(child)
        case list():
            for child in node:
                yield from _references(child)


def _place(error: RuntimeError) -> str:
    match = _PLACE.search(str(error)[:2_000])
    return ":".join(match.groups()) if match else ""


def _message(error: RuntimeError) -> str:
    text = str(error)[:4_000]
    place, message = _PLACE.search(text), _MESSAGE.search(text)
    where = f"line {place[2]} column {place[3]}: " if place else ""
    return where + (message[1] if message else text.strip().split("\n")[0][:200])
