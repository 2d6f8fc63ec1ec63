"""`python -m bench.steps`: what the gateway's own code costs in an exchange of 2 KB, step by step.

Each step is called by itself, with what the exchange before it made: microseconds, the least of
many short series, so that what else the machine does counts for little. What they are together can
be held against the CPU of the event loop (`bench.flames`): the rest is asyncio, aiohttp's parser
and the system's calls, and stays whatever is done to these.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.bodies import BODIES, OWNER, orders
from bench.guarded import SPECS
from bench.policy import question
from gateway.decisionlog import chain, messages
from gateway.decisionlog.entry import Evidence, Outcome, Renderer
from gateway.decisionlog.pseudonyms import Pseudonyms
from gateway.endpoints import Endpoint, Endpoints
from gateway.inspection import work
from gateway.inspection.settings import BodySpec, Limits
from gateway.living import HEADER
from gateway.model import Caller, Counts, Format, Identifier, Request, SubjectRef
from gateway.policy.contract import encode_question, read_answer
from gateway.proxy import fields
from gateway.proxy.admission import Admission
from gateway.proxy.framing import client_headers, read_head
from gateway.response import Payload
from gateway.stored import InMemory
from gateway.telemetry.metrics import Metrics

SERIES, CALLS = 200, 20
_LOOP, _LOG = "event loop", "decision log"
_ANSWER = {
    "effect": "allow", "mask": [], "permitted": [{"kind": "account", "value": OWNER}],
    "reasons": ["self_access"], "unattributed": "withhold", "withhold": [],
}  # fmt: skip
_UPSTREAM = (
    (b"Server", b"nginx"), (b"Date", b"Sat, 28 Nov 2026 12:00:00 GMT"),
    (b"Content-Type", b"application/json"), (b"Content-Length", b"2000"),
    (b"Last-Modified", b"Sat, 28 Nov 2026 12:00:00 GMT"), (b"Connection", b"keep-alive"),
    (b"ETag", b'"abc"'), (b"Accept-Ranges", b"bytes"),
)  # fmt: skip


def steps() -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """Process, name, and the step itself."""
    spec = BodySpec(Format.JSON, "$.orders[*]", ({"account": ("$.customer.id",)},))
    assert SPECS["json"]["records"] == spec.records
    endpoint = Endpoint("orders", "/2k.json", spec)
    body = InMemory(orders(BODIES[0].size))
    task = work.Task(Payload("application/json", None, (), (), None), spec, Limits())
    inspection = work.inspect(body, task)
    sent = (
        (b"Host", b"127.0.0.1:12345"), (b"Authorization", b"Bearer " + b"a" * 600),
        (b"X-Account", OWNER.encode()),
    )  # fmt: skip
    request = Request(method="GET", target="/2k.json", headers=sent)
    admit = Admission()
    admitted, table = admit(request), Endpoints([endpoint])
    asked = question([SubjectRef("account", OWNER)]).about(inspection)
    raw = json.dumps(_ANSWER).encode()
    decision = read_answer(raw, asked, "revision")
    headers = dict(client_headers(task.payload, endpoint, "0" * 32))
    now = datetime.now(UTC)
    evidence = Evidence(
        "0" * 32, now, endpoint="orders", method="GET",
        caller=Caller("https://id.example.org", OWNER, (Identifier("account", OWNER),)),
        question=asked, inspection=inspection, decision=decision,
        durations={"identity": 1e-4, "upstream": 1e-3, "inspection": 1e-4, "policy": 1e-3},
        probe=False, observing=False, outcome=Outcome.RELEASED, code=None, note="",
        http_status=200, counts=Counts(inspection.records, inspection.records, 0, 0),
        bytes_released=body.size, stage=None, part=0,
    )  # fmt: skip
    frame = messages.entry_frame(evidence)
    renderer = Renderer(Pseudonyms(b"x" * 32), "key", {"id": "bench", "version": "1"})
    line, metrics = renderer.render(evidence), Metrics([], [endpoint])
    onward = {"Host": "127.0.0.1", **dict(admitted.headers)}
    yield _LOOP, "admit the request", lambda: admit(request)
    yield _LOOP, "find the endpoint", lambda: table.match("GET", admitted.path)
    yield _LOOP, "write the request", lambda: fields.spell("GET /2k.json HTTP/1.1", onward)
    yield _LOOP, "read the answer's head", lambda: read_head((1, 1), 200, "OK", _UPSTREAM, {})
    yield _LOOP, "inspect the body", lambda: work.inspect(body, task)
    yield _LOOP, "write the question", lambda: encode_question(asked)
    yield _LOOP, "read the decision", lambda: read_answer(raw, asked, "revision")
    yield _LOOP, "hand on the log's entry", lambda: messages.entry_frame(evidence)
    yield _LOOP, "count it", lambda: metrics.exchange(evidence)
    yield (
        _LOOP,
        "choose the answer's fields",
        lambda: client_headers(task.payload, endpoint, "0" * 32),
    )
    yield _LOOP, "write the answer's head", lambda: fields.spell("HTTP/1.1 200 OK", headers)
    yield (
        _LOG,
        "read the entry",
        lambda: messages.read_entry(messages.Kind.ENTRY, frame[HEADER.size :]),
    )
    yield _LOG, "render it", lambda: renderer.render(evidence)
    yield _LOG, "chain it", lambda: chain.link(chain.GENESIS, line)


def measure() -> dict[str, dict[str, float]]:
    """Microseconds of each step, by process."""
    found: dict[str, dict[str, float]] = {}
    for process, name, step in steps():
        series = [_once(step) for _ in range(SERIES + 10)]
        found.setdefault(process, {})[name] = round(min(series[10:]), 1)
    return found


def _once(step: Callable[[], Any]) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        step()
    return (time.perf_counter() - began) / CALLS * 1e6


def show(console: Console, found: dict[str, dict[str, float]]) -> None:
    """Print the table."""
    table = Table("process", "step", "µs")
    for process, costs in found.items():
        for name, cost in costs.items():
            table.add_row(process, name, f"{cost:.1f}")
        table.add_row(process, "together", f"{sum(costs.values()):.0f}", style="bold")
    console.print(table)


if __name__ == "__main__":
    show(Console(), measure())
    sys.exit(0)
