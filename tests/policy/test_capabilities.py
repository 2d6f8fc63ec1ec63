"""The capabilities files: written from the real OPA and the real regorus, and what they refuse."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.policy.capabilities import WITHHELD, capabilities, path
from gateway.policy.engine import EngineKind
from tests.conftest import REPOSITORY
from tests.policy.support import POLICIES


@pytest.mark.opa
def test_the_files_are_what_the_pinned_opa_and_regorus_offer(opa_binary: str) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(opa_binary).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
    }
    run = subprocess.run(
        [sys.executable, REPOSITORY / "tools" / "capabilities", "--check"],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")


def test_what_reaches_outside_or_answers_differently_next_time_is_in_no_file() -> None:
    for kind in EngineKind:
        file = json.loads(path(kind).read_text())
        names = {builtin["name"] for builtin in file["builtins"]}
        assert not names & WITHHELD.keys()
        assert not [name for name in names if name.startswith(("net.", "rand.", "http.", "opa."))]
        assert file["allow_net"] == []
        nondeterministic = {b["name"] for b in file["builtins"] if b.get("nondeterministic")}
        assert nondeterministic == set()


def test_an_engine_says_why_a_builtin_cannot_be_called() -> None:
    embedded, opa = capabilities(EngineKind.EMBEDDED), capabilities(EngineKind.OPA)
    assert "count" in embedded.callable
    assert embedded.refusal("count") is None
    assert embedded.refusal("http.send") == (
        "http.send is not allowed: a policy must not reach outside"
    )
    assert opa.refusal("http.send") == embedded.refusal("http.send")
    assert embedded.refusal("io.jwt.decode") == "io.jwt.decode is not known to the embedded engine"
    assert opa.refusal("io.jwt.decode") is None
    assert embedded.refusal("nothing") is None
    assert embedded.callable < opa.callable


@pytest.mark.opa
@pytest.mark.parametrize("kind", list(EngineKind))
@pytest.mark.parametrize(
    ("expression", "passes"),
    [
        ("count(input)", True),
        ('http.send({"method": "get", "url": "http://127.0.0.1"})', False),
        ("opa.runtime()", False),
        ('rand.intn("x", 2)', False),
        ("time.now_ns()", False),
        ('net.lookup_ip_addr("localhost")', False),
        ('crypto.x509.parse_and_verify_certificates("x")', False),
        ('json.match_schema({}, {"$ref": "http://127.0.0.1"})', False),
    ],
)
def test_opa_check_refuses_by_the_same_file(
    opa_binary: str, tmp_path: Path, kind: EngineKind, expression: str, passes: bool
) -> None:
    (tmp_path / "p.rego").write_text(f"package privacy\n\nx := {expression}\n")
    run = subprocess.run(
        [opa_binary, "check", "--strict", "--capabilities", path(kind), tmp_path / "p.rego"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert (run.returncode == 0) is passes, run.stderr


@pytest.mark.opa
@pytest.mark.parametrize("kind", list(EngineKind))
def test_the_policies_that_ship_run_on_either_engine(opa_binary: str, kind: EngineKind) -> None:
    command = [opa_binary, "check", "--strict", "--capabilities", path(kind), "--bundle", POLICIES]
    assert subprocess.run(command, capture_output=True).returncode == 0
