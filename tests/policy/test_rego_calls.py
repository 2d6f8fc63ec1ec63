"""Calls that lead somewhere, and calls that don't; the trees are regorus' own."""

import json
from typing import Any

import pytest
import regorus

from gateway.policy.capabilities import WITHHELD, capabilities
from gateway.policy.engine import EngineKind
from gateway.policy.rego_calls import call_faults, parsed, path, rule_names

LIBRARY = "package privacy.lib\n\nf(x) := x\n\ng.h(x) := x\n\nvalue := 1\n"


def trees(*texts: str) -> list[Any]:
    engine = regorus.Engine()
    for number, text in enumerate(texts):
        engine.add_policy(f"{number}.rego", text)
    loaded: list[Any] = json.loads(engine.get_ast_as_json())
    return loaded


def said(
    expression: str, imports: str = "", kind: EngineKind = EngineKind.EMBEDDED
) -> list[tuple[int, int, str]]:
    rego = f"package privacy.p\n{imports}\nx := {expression}\n\nown(y) := y\n\nown.deep(y) := y\n"
    faults = call_faults(parsed(trees(rego, LIBRARY)), capabilities(kind))
    return [(each.line, each.column, each.message) for each in faults]


@pytest.mark.parametrize(
    ("expression", "imports"),
    [
        ("count(input.a)", ""),
        ("time.parse_rfc3339_ns(input.a)", ""),
        ("own(1)", ""),
        ("own.deep(1)", ""),
        ("data.privacy.p.own(1)", ""),
        ("data.privacy.lib.f(1)", ""),
        ('data["privacy"].lib["f"](1)', ""),
        ("data.privacy.lib.g.h(1)", ""),
        ("lib.f(1)", "import data.privacy.lib"),
        ("l.g.h(1)", "import data.privacy.lib as l"),
        ("h(1)", "import data.privacy.lib.f as h"),
        ("l.f(1)", "# ä\nimport data.privacy.lib as l"),
        ("1 + 2 * 3", ""),
        ("[1 | some a in input; not a == 2; walk(a)]", ""),
        ("1 if { x := {1} | {2}; 1 in x }", ""),
        ("input.http.send", ""),
        ('"http.send"', ""),
    ],
)
def test_a_call_of_what_is_there_is_no_fault(expression: str, imports: str) -> None:
    assert said(expression, imports) == []


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("cuont(input)", "cuont"),
        ("data.privacy.lib.nothing(1)", "data.privacy.lib.nothing"),
        ("data.privacy.lib.value.f(1)", "data.privacy.lib.value.f"),
        ("f(1)", "f"),
        ("time.parse_rfc3339(1)", "time.parse_rfc3339"),
    ],
)
def test_a_function_that_nobody_defines_is_named_with_its_place(expression: str, name: str) -> None:
    assert said(expression) == [(3, 6, f"no function is called {name}")]


def test_a_name_that_is_not_constant_is_a_fault() -> None:
    # regorus' parser refuses it already; a tree that holds one is made here.
    (tree,) = trees("package p\n\nx := data.a.f(1)\n")
    call = tree["ast"]["rules"][0]["Spec"]["head"]["Compr"]["assign"]["value"]["Call"]
    call["fcn"] = {"RefBrack": {"refr": call["fcn"], "index": {"Var": {"value": "y"}}}}
    (fault,) = call_faults(parsed([tree]), capabilities(EngineKind.EMBEDDED))
    assert (fault.line, fault.message) == (3, "the name of a function must be constant")


def test_a_builtin_that_only_opa_has_is_a_fault_for_the_embedded_engine_only() -> None:
    expression = "1 if { some t in input.tokens; io.jwt.decode(t) }"
    assert said(expression) == [(3, 37, "io.jwt.decode is not known to the embedded engine")]
    assert said(expression, kind=EngineKind.OPA) == []


def test_operators_are_called_by_name_on_opa_only() -> None:
    assert said("plus(1, 2)") == [(3, 6, "plus is not known to the embedded engine")]
    assert said("plus(1, 2)", kind=EngineKind.OPA) == []


@pytest.mark.parametrize("name", sorted(WITHHELD.keys() - {"internal.print"}))
@pytest.mark.parametrize("kind", list(EngineKind))
def test_what_no_policy_may_call_is_a_fault_for_every_engine(name: str, kind: EngineKind) -> None:
    ((line, column, message),) = said(f"{name}(1)", kind=kind)
    assert (line, column) == (3, 6)
    assert message == f"{name} is not allowed: {WITHHELD[name]}"


@pytest.mark.parametrize(
    "expression",
    ['opa["runtime"]()', "1 if { own(1) with http.send as 2 }", "1 if { http.send(1).body }"],
)
def test_a_mention_is_enough(expression: str) -> None:
    ((_, _, message),) = said(expression)
    assert "is not allowed" in message


def test_a_rule_that_takes_the_name_of_such_a_builtin_helps_nobody() -> None:
    rego = "package privacy\n\nhttp.send(_) := 1\n\nx := http.send(1)\n"
    faults = list(call_faults(parsed(trees(rego)), capabilities(EngineKind.EMBEDDED)))
    assert {"is not allowed" in each.message for each in faults} == {True}


def test_a_deep_module_is_walked_without_recursion() -> None:
    (tree,) = trees("package p\n\nx := opa.runtime()\n")
    tree["ast"]["rules"][0]["Spec"]["bodies"] = tree["ast"]["rules"][0]["Spec"]["head"]["Compr"][
        "assign"
    ]
    for _ in range(10_000):
        body = tree["ast"]["rules"][0]["Spec"]["bodies"]
        tree["ast"]["rules"][0]["Spec"]["bodies"] = [body]
    faults = call_faults(parsed([tree]), capabilities(EngineKind.EMBEDDED))
    assert [each.message for each in faults] == [
        "opa.runtime is not allowed: a policy must not reach outside"
    ]


def test_rule_names_are_constant_as_far_as_they_go() -> None:
    rego = 'package p\n\na := 1\n\nb["c"] := 2\n\nd[e] := 3 if some e in [1]\n\ndefault f := 1\n'
    (module,) = parsed(trees(rego))
    assert list(rule_names(module.tree)) == [("a",), ("b", "c"), ("d", "*"), ("f",)]
    assert path({"Array": []}) == ("*",)
