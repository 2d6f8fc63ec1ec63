"""`python -m bench.policy [--quick]`: what a decision costs, on both engines.

One subject: the whole `decide`, from the question's values to the checked decision, of the policies
that ship. With OPA it is held against what OPA itself says it took (`timer_server_handler_ns`) plus
one round trip on the same loopback connection that evaluates nothing (`GET /health`); the three
take turns, so that whatever else the machine does meets them alike. Medians, throughout; of an
embedded decision that of three series, some seconds apart.
"""

import argparse
import asyncio
import json
import re
import shutil
import socket
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.servers import ROOT, free_port, workspace
from gateway.model import (
    Attribution,
    Caller,
    Format,
    Group,
    Identifier,
    Inspection,
    Phase,
    SubjectRef,
)
from gateway.policy.contract import Question, encode_question
from gateway.policy.decisions import PolicyDecisions
from gateway.policy.embedded import EmbeddedEngine
from gateway.policy.engine import EngineKind
from gateway.policy.opa import OpaEngine
from gateway.policy.settings import PolicySettings

RESULTS = Path(__file__).with_name("results.json")
GATES: dict[str, float] = {
    "one subject, embedded, µs": 250,
    "one subject, OPA, x its own time and a round trip": 1.5,
    "10,000 subjects, embedded, ms": 150,
    "100,000 delegations, embedded, MiB": 80,
    "100,000 delegations, embedded, s to load": 2,
}
"""All are upper bounds."""

_AMPLE = 30.0
_ME = SubjectRef("account", "A1")


def question(subjects: Iterable[SubjectRef], endpoint: str = "orders") -> Question:
    """About one record of each subject, asked by `account:A1`."""
    groups = tuple(Group((each,), Attribution.DIRECT, "", 1) for each in subjects)
    return Question(
        phase=Phase.RESPONSE,
        exchange_id="0123456789abcdef",
        received_at=datetime.now(UTC),
        endpoint=endpoint,
        labels={},
        method="GET",
        path=("exports", endpoint),
        params={},
        query={},
        caller=Caller("https://id.example.org", "A1", (Identifier("account", "A1"),)),
        inspection=Inspection(Format.JSON, groups, ("id", "total", "customer"), 2048, 2048, 2048),
    )


async def seconds(work: Callable[[], Awaitable[Any]]) -> float:
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


def embedded(data: Path | None = None, bundle: Path | None = None) -> EmbeddedEngine:
    return EmbeddedEngine(PolicySettings(data=data, bundle=bundle, deadline=_AMPLE))


def own_policy(folder: Path) -> Path:
    """The library with one module more, so that it is not the text that is compiled."""
    bundle = folder / "own"
    shutil.copytree(ROOT / "policies", bundle, ignore=shutil.ignore_patterns("*_test.rego"))
    (bundle / "privacy" / "own.rego").write_text(
        "package privacy.own\n\nowner := input.caller.id\n"
    )
    return bundle


async def one_subject(count: int, bundle: Path | None = None) -> float:
    """Seconds for a decision about the caller's own export, by the embedded engine."""
    engine = embedded(bundle=bundle)
    await engine.start()
    try:
        decisions, asked = PolicyDecisions(engine), question([_ME])
        taken = [await seconds(lambda: decisions.decide(asked)) for _ in range(count + 200)]
        return statistics.median(taken[200:])
    finally:
        await engine.stop()


async def many_subjects(folder: Path, count: int) -> float:
    """Seconds for a decision about 10,000 subjects, one of them the caller."""
    data = folder / "partial.json"
    data.write_text(json.dumps({"grounds": {"self_access": True}, "partial": {"all": "redact"}}))
    engine = embedded(data)
    await engine.start()
    try:
        decisions = PolicyDecisions(engine)
        others = (SubjectRef("account", f"B{number:06}") for number in range(9_999))
        asked = question([_ME, *others], "all")
        taken = [await seconds(lambda: decisions.decide(asked)) for _ in range(count + 1)]
        return statistics.median(taken[1:])
    finally:
        await engine.stop()


async def delegations(folder: Path) -> tuple[float, float]:
    """MiB that 100,000 delegations cost in the worker, each from another subject to another actor,
    and the seconds in which an engine with them starts, schema check and processes included."""
    granted = {
        f"C-{number:08}": {f"agent-{number:07}": "2031-01-01T00:00:00Z"}
        for number in range(100_000)
    }
    register = {"https://partners.example.org": {"account": {"string": granted}}}
    grounds = {"self_access": True, "representative": {"delegations": register}}
    data = folder / "delegations.json"
    data.write_text(json.dumps({"grounds": grounds}))
    without, _ = await _started(None)
    resident, taken = await _started(data)
    return (resident - without) / 2**20, taken


async def _started(data: Path | None) -> tuple[int, float]:
    engine = embedded(data)
    try:
        taken = await seconds(engine.start)
        await PolicyDecisions(engine).decide(question([_ME]))
        pages = Path(f"/proc/{engine.pids()[0]}/statm").read_text().split()[1]
        return int(pages) * 4096, taken
    finally:
        await engine.stop()


async def opa(folder: Path, count: int) -> dict[str, float]:
    """Seconds: our whole decision, OPA's own time for it, a round trip that evaluates nothing."""
    asked = question([_ME])
    body = b'{"input":' + encode_question(asked) + b"}"
    path = "/v1/data/privacy/decision?metrics=true&strict-builtin-errors=true&provenance=true"
    evaluate = (
        f"POST {path} HTTP/1.1\r\nHost: opa\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    ours: list[float] = []
    own: list[float] = []
    trips: list[float] = []
    with _opa_server(folder) as address, socket.create_connection(address) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        url = f"http://{address[0]}:{address[1]}"
        engine = OpaEngine(PolicySettings(engine=EngineKind.OPA, opa=url, deadline=_AMPLE))
        await engine.start()
        try:
            decisions = PolicyDecisions(engine)
            for _ in range(count + 200):
                ours.append(await seconds(lambda: decisions.decide(asked)))
                answer = json.loads(_exchange(sock, evaluate))
                own.append(answer["metrics"]["timer_server_handler_ns"] / 1e9)
                start = time.perf_counter()
                _exchange(sock, b"GET /health HTTP/1.1\r\nHost: opa\r\n\r\n")
                trips.append(time.perf_counter() - start)
        finally:
            await engine.stop()
    names = ("decision", "handler", "round trip")
    return {
        name: statistics.median(values[200:])
        for name, values in zip(names, (ours, own, trips), strict=True)
    }


@contextmanager
def _opa_server(folder: Path) -> Iterator[tuple[str, int]]:
    """A real OPA with the policies that ship."""
    binary = shutil.which("opa") or shutil.which("opa", path=str(ROOT / ".tools" / "bin"))
    if binary is None:
        sys.exit("opa is needed: make tools")
    bundle = folder / "policies"
    shutil.copytree(ROOT / "policies", bundle, ignore=shutil.ignore_patterns("*_test.rego"))
    address = ("127.0.0.1", free_port())
    server = Popen(
        [binary, "run", "--server", "--addr", f"{address[0]}:{address[1]}", "--bundle", str(bundle),
         "--disable-telemetry"],
        stdout=DEVNULL, stderr=DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(400):
            if server.poll() is not None:
                sys.exit("opa did not start")
            try:
                with socket.create_connection(address) as sock:
                    if (
                        _exchange(sock, b"GET /health?bundles HTTP/1.1\r\nHost: opa\r\n\r\n")
                        == b"{}\n"
                    ):
                        break
            except OSError:
                pass
            time.sleep(0.05)
        yield address
    finally:
        server.kill()
        server.wait()


def _exchange(sock: socket.socket, request: bytes) -> bytes:
    """One request and the body of its answer."""
    sock.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    if not length:
        sys.exit(f"opa: {head[:200]!r}")
    while len(body) < int(length[1]):
        body += sock.recv(65_536)
    return body


async def _measure(quick: bool) -> dict[str, Any]:
    count = 500 if quick else 3_000
    with workspace() as folder:
        bundle = own_policy(folder)
        one, own = [await one_subject(count)], [await one_subject(count, bundle)]
        many = await many_subjects(folder, 5 if quick else 15)
        one, own = [*one, await one_subject(count)], [*own, await one_subject(count, bundle)]
        memory, load = await delegations(folder)
        beside = await opa(folder, count // 2)
        one, own = [*one, await one_subject(count)], [*own, await one_subject(count, bundle)]
    values = (
        statistics.median(one) * 1e6,
        beside["decision"] / (beside["handler"] + beside["round trip"]),
        many * 1e3,
        memory,
        load,
    )
    gates = dict(zip(GATES, values, strict=True))
    return {
        "measured": {
            "one subject, embedded, a policy of one's own, µs": round(statistics.median(own) * 1e6)
        }
        | {f"OPA, {name}, µs": round(each * 1e6) for name, each in beside.items()},
        "gates": {
            name: {
                "value": round(value, 3),
                "gate": f"<= {GATES[name]}",
                "met": value <= GATES[name],
            }
            for name, value in gates.items()
        },
    }


def run(console: Console, quick: bool = False) -> dict[str, Any]:
    """Measure, print, and return what `results.json` holds under `policy`."""
    console.print("policy")
    results = asyncio.run(_measure(quick))
    table = Table("policy", "value", "gate", "met")
    for name, row in results["gates"].items():
        table.add_row(name, str(row["value"]), row["gate"], "yes" if row["met"] else "NO")
    console.print(table)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.policy", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    policy = run(Console(), parser.parse_args().quick)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(
        json.dumps(results | {"policy": policy}, indent=2, ensure_ascii=False) + "\n"
    )
    return 0 if all(row["met"] for row in policy["gates"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
