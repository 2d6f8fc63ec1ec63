"""`python -m bench.big [--size 5GB] [--page]`: do bodies of 5 GB pass in bounded memory, and do 200
exports of 50 MB at once?

A real gateway on real sockets. The upstream makes each body while it sends it; the gateway's spool
holds it on disk (up to 10 GB, in the folder for temporary files). What comes out is compared with
what should: byte by byte, and a redacted archive by another reader. Ends with 1 where something is
lost, wrong, or over a bound. Writes `bench/big.json`, and from it a part of `docs/formats.md`; with
another size than 5 GB it only tries.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

from rich.console import Console

from bench import bigbodies, load
from bench.bigbodies import BigBody
from bench.bodies import OWNER
from bench.guarded import gateway_config, token_and_keys
from bench.machine import machine
from bench.servers import ROOT, free_port, started, workspace
from bench.watching import processor, watched
from gateway.quantities import parse_size

RESULTS, PAGE = Path(__file__).with_name("big.json"), ROOT / "docs" / "formats.md"
BEGIN, END = "<!-- big: written by python -m bench.big; do not edit -->", "<!-- /big -->"
SIZE, EACH, TOGETHER = 5 * 10**9, 5 * 10**7, 200
ABOVE_IDLE, ALTOGETHER = 64 * 2**20, 512 * 2**20
"""What the gateway's processes may take: for one big body above what they hold idle, and in all for
the many at once."""
MEBI = 2**20
SPECS: dict[str, dict[str, object]] = {
    "ndjson": {"format": "ndjson", "subject": {"account": "$.customer.id"}},
    "zip": {"format": "zip", "members": [{"match": "{account}/*.bin", "attribution": "path"}]},
}
console = Console()


@dataclass(frozen=True, slots=True)
class Case:
    """What one body, or many at once, cost. Bytes, and seconds of processor time."""

    name: str
    exports: int
    size: int
    released: int
    processor: float
    idle: int
    memory_peak: int
    spool_peak: int
    faults: tuple[str, ...] = ()


class Digest:
    """Of what passes by, and how much it was."""

    def __init__(self) -> None:
        self._hash, self.size = hashlib.blake2b(), 0

    def __call__(self, data: bytes) -> None:
        self._hash.update(data)
        self.size += len(data)

    @property
    def value(self) -> "Sent":
        return self.size, self._hash.hexdigest()


Sent = tuple[int, str]
"""How many bytes, and their digest."""


@contextmanager
def upstream(bodies: Mapping[str, BigBody]) -> Iterator[tuple[int, dict[str, Sent]]]:
    """Sends each body while it is made, a ZIP in chunks; yields the port, and what it sent last."""
    sent: dict[str, Sent] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = bodies[self.path[1:]]
            self.send_response(200)
            self.send_header("Content-Type", body.media_type)
            chunked = body.length is None
            if chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(body.length))
            self.end_headers()
            digest = Digest()

            def send(data: bytes) -> None:
                digest(data)
                sent[body.name] = digest.value  # before whoever asked can have all of it
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)

            body.send(send)
            if chunked:
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        request_queue_size = TOGETHER
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield server.server_port, sent
        finally:
            server.shutdown()
            serving.join()


def ask(port: int, path: str, token: str, take: Callable[[bytes], object]) -> str:
    """One GET, its body piece by piece; returns what it was refused with, or an empty text."""
    connection = HTTPConnection("127.0.0.1", port, timeout=3600)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    if answer.status != 200:
        return f"{answer.status} {json.load(answer).get('code')}"
    while chunk := answer.read(2**20):
        take(chunk)
    connection.close()
    return ""


def configuration(
    folder: Path, port: int, admin: int, upstream_port: int, bodies: Mapping[str, BigBody]
) -> dict[str, object]:
    """Limits raised to the bodies, and patience: the machine may be busy."""
    config = gateway_config(folder, port, admin, upstream_port)
    partial = {body.name: "redact" for body in bodies.values() if body.thirds}
    data = {"grounds": {"self_access": True}, "partial": partial}
    (folder / "deployment.json").write_text(json.dumps(data))
    config["upstream"] = {"url": config["upstream"], "read": "10m", "total": "1h"}
    config["client"] = {"send": "10m"}
    config["inspection"] = {"deadline": "1h"}
    config["policy"]["deadline"] = "60s"  # type: ignore[index]
    config["spool"] |= {"limit": "16GiB", "wait": "1h"}  # type: ignore[operator]
    config["endpoints"] = [
        {"name": body.name, "path": body.path, "body": SPECS[body.format],
         "limits": {"body": "8GiB"}}
        for body in bodies.values()
    ]  # fmt: skip
    return config


def one(pid: int, port: int, token: str, body: BigBody, sent: Mapping[str, Sent]) -> Case:
    """One big body, whole or less its strangers' third."""
    idle, before = load.resident(pid), processor(pid)
    with tempfile.TemporaryFile() as file, watched(pid) as peaks:
        digest = Digest()
        keep = body.format == "zip" and body.thirds
        refused = ask(port, body.path, token, _both(digest, file) if keep else digest)
        if refused:
            faults = [refused]
        elif keep:
            faults = wrong_archive(file, body)
        else:
            wanted = owners_lines(body) if body.thirds else sent[body.name]
            faults = [] if digest.value == wanted else ["other bytes than expected"]
    if peaks.memory - idle > ABOVE_IDLE:
        faults.append(f"more than {ABOVE_IDLE // MEBI} MiB above idle")
    spent, size = processor(pid) - before, sent[body.name][0]
    return Case(
        body.name, 1, size, digest.size, spent, idle, peaks.memory, peaks.spool, tuple(faults)
    )


def _both(digest: Digest, file: IO[bytes]) -> Callable[[bytes], object]:
    def both(data: bytes) -> None:
        digest(data)
        file.write(data)

    return both


def owners_lines(body: BigBody) -> Sent:
    """What may leave of an NDJSON: the lines that are the owner's, as they were."""
    digest = Digest()
    bigbodies.lines(digest, body.size, body.thirds, keep=OWNER.__eq__)
    return digest.value


def wrong_archive(file: IO[bytes], body: BigBody, member: int = bigbodies.MEMBER) -> list[str]:
    """What is wrong with a redacted archive: the owner's members, each whole, and no other."""
    with zipfile.ZipFile(file) as archive:
        mine = [
            name
            for name in bigbodies.names(body.size, body.thirds, member)
            if name.startswith(OWNER)
        ]
        if archive.namelist() != mine:
            return ["other members than expected"]
        crcs = {info.CRC for info in archive.infolist()}
        sizes = {info.file_size for info in archive.infolist()}
        if len(crcs) != 1 or sizes != {member} or archive.testzip() is not None:
            return ["members changed"]
    return []


def many(pid: int, port: int, token: str, body: BigBody, together: int) -> Case:
    """The same body for many callers at once, each of whom must get it whole."""
    wanted, idle, before = owners_lines(body), load.resident(pid), processor(pid)

    def whole(_: int) -> bool:
        digest = Digest()
        return not ask(port, body.path, token, digest) and digest.value == wanted

    with watched(pid) as peaks, ThreadPoolExecutor(together) as callers:
        got = sum(callers.map(whole, range(together)))
    faults = [] if got == together else [f"{together - got} of {together} were lost"]
    if peaks.memory > ALTOGETHER:
        faults.append(f"more than {ALTOGETHER // MEBI} MiB")
    spent, size = processor(pid) - before, wanted[0]
    return Case(
        body.name, together, size, got * size, spent, idle, peaks.memory, peaks.spool, tuple(faults)
    )


def run(size: int, each: int, together: int, only: str = "") -> list[Case]:
    """All cases, one after another, through one gateway."""
    bodies, cases = bigbodies.bodies(size, each), []
    bodies = {name: body for name, body in bodies.items() if name.startswith(only)}
    with workspace() as folder, upstream(bodies) as (upstream_port, sent):
        token, port, admin = token_and_keys(folder), free_port(), free_port()
        config = folder / "gateway.yaml"
        config.write_text(json.dumps(configuration(folder, port, admin, upstream_port, bodies)))
        gateway = [sys.executable, "-m", "gateway", "run", "--config", str(config)]
        with started(gateway, f"http://127.0.0.1:{admin}/readyz") as pid:
            for body in bodies.values():
                start = time.monotonic()
                if body.name == "crowd":
                    case = many(pid, port, token, body, together)
                else:
                    case = one(pid, port, token, body, sent)
                cases.append(case)
                console.print(case, f"{time.monotonic() - start:.0f} s")
    return cases


def merged(cases: list[Case]) -> dict[str, Any]:
    """The results, with these cases in the place of their former ones."""
    rows = {case["name"]: case for case in json.loads(RESULTS.read_text())["cases"]}
    rows |= {case.name: asdict(case) for case in cases}
    order = [name for name in bigbodies.bodies(SIZE, EACH) if name in rows]
    return {"machine": machine(), "cases": [rows[name] for name in order]}


def part(text: str, results: Mapping[str, Any]) -> str:
    """The page with its part on big bodies written anew. Raises ValueError without a place."""
    before, after = text.index(BEGIN), text.index(END)
    rows = [
        "| body | sent | released | processor time, s | memory, idle | peak | spool, peak |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {_what(case)} | {case['exports'] * case['size'] / 1e9:.1f} GB |"
            f" {case['released'] / 1e9:.1f} GB | {case['processor']:.0f} |"
            f" {case['idle'] / MEBI:.0f} MiB | {case['memory_peak'] / MEBI:.0f} MiB |"
            f" {case['spool_peak'] / 1e9:.1f} GB |"
            for case in results["cases"]
        ),
    ]
    return "\n\n".join((text[:before] + BEGIN, "\n".join(rows), text[after:]))


def _what(case: Mapping[str, Any]) -> str:
    kind = case["name"].partition("-")[0]
    if case["exports"] > 1:
        return f"{case['exports']} NDJSON of {case['size'] / 1e6:.0f} MB at once"
    return f"{kind.upper()}, a third redacted" if "thirds" in case["name"] else kind.upper()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.big", description=__doc__)
    parser.add_argument("--size", type=parse_size, default=SIZE, help="of the big bodies: 5GB")
    parser.add_argument("--only", default="", help="the cases whose names begin so: zip")
    parser.add_argument("--page", action="store_true", help="write only the page, anew")
    asked = parser.parse_args()
    faults: list[str] = []
    if not asked.page:
        share = min(1, asked.size / SIZE)
        cases = run(asked.size, max(1, round(EACH * share)), TOGETHER, asked.only)
        faults = [f"{case.name}: {fault}" for case in cases for fault in case.faults]
        if faults or asked.size != SIZE:
            console.print(*faults or ["all as it should be"], sep="\n")
            return int(bool(faults))
        RESULTS.write_text(json.dumps(merged(cases), indent=2) + "\n")
    PAGE.write_text(part(PAGE.read_text(), json.loads(RESULTS.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
