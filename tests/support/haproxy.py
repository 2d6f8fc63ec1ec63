"""A real load balancer, as it stands before gateways on bare machines: HAProxy, with a health check
on /readyz and no retries, since an export that is asked for twice is made twice. A busy machine's
gateway isn't down: a check may take seconds, but its answer counts at once."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.conftest import missing

_CONFIGURATION = """\
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout check 10s
  retries 0

frontend exports
  bind 127.0.0.1:{port}
  default_backend gateways

backend gateways
  balance roundrobin
  option httpchk GET /readyz
  http-check expect status 200
  default-server check inter 100ms fall 1 rise 1
{servers}
"""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, for processes that start again at the same address."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@asynccontextmanager
async def balancing(folder: Path, servers: Mapping[str, tuple[int, int]]) -> AsyncIterator[str]:
    """HAProxy before servers (data port, admin port); yields its URL."""
    found = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if found is None:
        missing("there is no haproxy")
    (port,) = free_ports(1)
    lines = [
        f"  server {name} 127.0.0.1:{data} port {admin}" for name, (data, admin) in servers.items()
    ]
    path = folder / "haproxy.cfg"
    path.write_text(_CONFIGURATION.format(port=port, servers="\n".join(lines)))
    with (folder / "haproxy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            found, "-db", "-f", str(path), stdout=log, stderr=log
        )
    try:
        await _until_open(port, process, folder / "haproxy.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _until_open(port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    while not await accepts(port):
        assert process.returncode is None, log.read_text()
        await asyncio.sleep(0.02)  # a bounded poll (pytest-timeout) of another process


async def accepts(port: int) -> bool:
    """Whether somebody takes connections at a port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
