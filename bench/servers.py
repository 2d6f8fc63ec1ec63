"""Starting and ending the servers of a measurement. Everything listens on loopback."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.bodies import OWNER

ROOT = Path(__file__).resolve().parent.parent
_TOOLS = Path(os.environ.get("TOOLS", Path.home() / ".cache/privacy-gateway/tools/bin"))
_PLACES = os.pathsep.join(
    map(str, (_TOOLS, _TOOLS.parent / "contest" / "bin", ROOT / ".tools/bin"))
)
NGINX = """
{modules}daemon off; worker_processes 1; pid {folder}/nginx-{port}.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  client_body_temp_path {folder}/{port}-a; proxy_temp_path {folder}/{port}-b;
  fastcgi_temp_path {folder}/{port}-c; uwsgi_temp_path {folder}/{port}-d;
  scgi_temp_path {folder}/{port}-e; proxy_max_temp_file_size 0;
  types {{ application/json json; application/x-ndjson ndjson; application/zip zip; text/csv csv; }}
  upstream origin {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000; }}
  server {{ listen 127.0.0.1:{port} reuseport; {location} }}
}}
"""
STATIC = (
    "root {bodies}; location / {{ }}"
    " location = /stream-200m.ndjson {{ alias {bodies}/200m.ndjson; }}"
    " location ~ -(gzip|br|zstd)[.]json$ {{ add_header Content-Encoding $1; }}"
)


class NotHereError(Exception):
    """A peer can't be had here, and why."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(command: list[str], url: str) -> Iterator[int]:
    """Run a server until the block ends; yields its pid once `url` answers at all."""
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as server:
        try:
            _await(url, server)
            yield server.pid
        finally:
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()


def _await(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if server.poll() is not None:
            assert server.stderr
            said = server.stderr.read().decode()[-2000:]
            raise NotHereError(f"{Path(str(server.args[0])).name} ended: {said}")  # type: ignore[index]
        try:
            asked = urllib.request.Request(url, headers={"X-Account": OWNER})
            with urllib.request.urlopen(asked, timeout=5):
                return
        except urllib.error.HTTPError as error:
            if error.code != 503:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise NotHereError(f"{url} does not answer")


def nginx_binary() -> str:
    """Exits where there is none: it is the upstream, too."""
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(nginx).exists():
        sys.exit("nginx is needed: apt-get install nginx-light wrk")
    return nginx


def tool(name: str) -> str:
    """A program that the contest needs. Raises NotHereError."""
    found = shutil.which(name) or shutil.which(name, path=_PLACES)
    if found is None:
        raise NotHereError(f"there is no {name}: make bench installs it")
    return found


@contextmanager
def workspace() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="privacy-gateway-bench-") as name:
        yield Path(name)
