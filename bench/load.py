"""Load and measurement: wrk for throughput, own connections for the rest, /proc for memory."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from bench.bodies import OWNER

SCRIPT = Path(__file__).with_name("peers") / "report.lua"


class RefusedError(Exception):
    """Something else than whole answers with 200 came: a refusal is fast, and no export."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run got: whole answers, seconds, latencies in ms."""

    requests: int
    seconds: float
    p50: float
    p99: float
    p999: float


def wrk(url: str, token: str, connections: int, seconds: float) -> Load:
    """One run of wrk; a longer one where the time is too short for a single answer.

    Raises RefusedError.
    """
    path = shutil.which("wrk") or sys.exit("wrk is needed: apt-get install wrk")
    headers = ["-H", f"Authorization: Bearer {token}", "-H", f"X-Account: {OWNER}"]
    for lasting in (seconds, 10 * seconds):
        command = [path, "-t1", f"-c{connections}", f"-d{max(1, round(lasting))}s"]
        run = subprocess.run(
            [*command, "--timeout", "60s", "-s", str(SCRIPT), *headers, url],
            capture_output=True, text=True, check=True, timeout=300,
        )  # fmt: skip
        said = json.loads(run.stdout.splitlines()[-1])
        if said["requests"] or said["refused"] or said["broken"]:
            break
    # A connection that is cut when the time is up counts as a read error: those it may have.
    if said["refused"] or said["broken"] or said["cut"] > 4 * connections or not said["requests"]:
        raise RefusedError(f"{url} did not answer whole, with 200: {said}")
    p50, p99, p999 = (said[name] / 1e3 for name in ("p50", "p99", "p999"))
    return Load(said["requests"], said["microseconds"] / 1e6, p50, p99, p999)


def fetch(url: str, token: str) -> Load:
    """One whole GET. Raises RefusedError."""
    start = time.perf_counter()
    got, size = _get(url, token)
    if got != size:
        raise RefusedError(f"{url}: {got} bytes of {size}")
    taken = time.perf_counter() - start
    return Load(1, taken, taken * 1e3, taken * 1e3, taken * 1e3)


def first_byte(url: str, token: str) -> float:
    """Seconds from the question to the first byte of the body; the rest is left."""
    start = time.perf_counter()
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    connection.request("GET", parts.path, headers=_headers(token))
    answer = connection.getresponse()
    if answer.status != 200 or not answer.read(1):
        raise RefusedError(f"{url}: {answer.status}")
    taken = time.perf_counter() - start
    connection.close()
    return taken


def fate(url: str, token: str) -> str:
    """What becomes of a body with one foreign record: `blocked`, `cut`, or `released` whole."""
    try:
        got, size = _get(url, token)
    except RefusedError:
        return "blocked"
    except (OSError, HTTPException):
        return "cut"
    return "released" if got == size else "cut"


def _get(url: str, token: str) -> tuple[int, int]:
    """Bytes received and announced, of an answer with 200. Raises RefusedError."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    try:
        connection.request("GET", parts.path, headers=_headers(token))
        answer = connection.getresponse()
        if answer.status != 200:
            raise RefusedError(f"{url}: {answer.status} {answer.read(200)!r}")
        got = 0
        while chunk := answer.read(2**18):
            got += len(chunk)
        return got, int(answer.headers.get("Content-Length", got))
    finally:
        connection.close()


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "X-Account": OWNER}


def latencies(url: str, token: str, rate: int, count: int) -> list[float]:
    """`count` small requests at `rate` a second over one connection; each one's seconds.

    Measured from when the request was due, so that a stall counts for all that it delayed.
    """
    parts = urlsplit(url)
    request = _head(parts.path, parts.netloc, token)
    taken: list[float] = []
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = time.perf_counter()
        for number in range(count):
            due = start + number / rate
            while (wait := due - time.perf_counter()) > 0:
                time.sleep(wait)
            sock.sendall(request)
            _read_answer(sock)
            taken.append(time.perf_counter() - due)
    return taken


def _read_answer(sock: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    if not head.startswith(b"HTTP/1.1 200") or not length:
        sys.exit(f"latency probe: {head[:200]!r}")
    missing = int(length[1]) - len(body)
    while missing > 0:
        missing -= len(sock.recv(65_536))


def _head(path: str, host: str, token: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def resident(pid: int) -> int:
    """Resident bytes of a process and all its descendants, shared pages counted once each."""
    total = 0
    for each in (pid, *descendants(pid)):
        try:
            smaps = Path(f"/proc/{each}/smaps_rollup").read_text()
        except OSError:  # gone meanwhile, or (our workers) not dumpable: take its RSS
            try:
                status = Path(f"/proc/{each}/statm").read_text().split()
                total += int(status[1]) * 4096
            except OSError:
                continue
        else:
            total += int(re.search(r"Pss:\s+(\d+)", smaps)[1]) * 1024  # type: ignore[index]
    return total


def descendants(pid: int) -> list[int]:
    """Process ids of its children, their children, and so on."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            found += [child, *descendants(child)]
    return found
