"""Load and measurement: wrk for throughput, own sockets for latency, /proc for memory."""

import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_UNITS = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}


@dataclass(frozen=True, slots=True)
class Throughput:
    """Requests and bytes (of bodies and heads) a second."""

    requests: float
    bytes: float


def wrk(url: str, token: str, connections: int, seconds: int) -> Throughput:
    """One run of wrk. Exits where anything but 200 came back: a refusal is fast, and no export."""
    path = shutil.which("wrk") or sys.exit("wrk is needed: apt-get install wrk")
    command = [path, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s"]
    header = f"Authorization: Bearer {token}"
    run = subprocess.run(
        [*command, "-H", header, url], capture_output=True, text=True, check=True, timeout=300
    )
    # wrk counts a connection that is cut when the time is up as read errors: those it may have.
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+)", run.stdout)
    broken = errors and (int(errors[1]) or int(errors[2]) > 4 * connections or int(errors[3]))
    if "Non-2xx" in run.stdout or broken:
        sys.exit(f"{url} did not answer 200:\n{run.stdout}")
    requests = re.search(r"Requests/sec:\s+([\d.]+)", run.stdout)
    transfer = re.search(r"Transfer/sec:\s+([\d.]+)([KMG]?B)", run.stdout)
    assert requests and transfer
    return Throughput(float(requests[1]), float(transfer[1]) * _UNITS[transfer[2]])


def fetch(url: str, token: str) -> int:
    """One whole GET; returns the bytes received."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=120) as sock:
        sock.sendall(_head(parts.path, parts.netloc, token, close=True))
        total = 0
        while chunk := sock.recv(2**18):
            if not total and b" 200 " not in chunk[:20]:
                sys.exit(f"{url}: {chunk[:200]!r}")
            total += len(chunk)
        return total


def latencies(url: str, token: str, rate: int, count: int) -> list[float]:
    """`count` small requests at `rate` a second over one connection; each one's seconds.

    Measured from when the request was due, so that a stall counts for all that it delayed.
    """
    parts = urlsplit(url)
    request = _head(parts.path, parts.netloc, token, close=False)
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


def _head(path: str, host: str, token: str, close: bool) -> bytes:
    connection = "close" if close else "keep-alive"
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        f"Connection: {connection}\r\n\r\n"
    ).encode()


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
