"""Who takes part, and how each is started and ended. Everything listens on loopback."""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

ROOT = Path(__file__).resolve().parent.parent
ISSUER, AUDIENCE = "https://id.example.org", "data-export"

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx-{port}.pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  client_body_temp_path {folder}/{port}-a; proxy_temp_path {folder}/{port}-b;
  fastcgi_temp_path {folder}/{port}-c; uwsgi_temp_path {folder}/{port}-d;
  scgi_temp_path {folder}/{port}-e;
  types {{ application/json json; application/x-ndjson ndjson; application/zip zip; }}
  upstream origin {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000; }}
  server {{ listen 127.0.0.1:{port} reuseport; {location} }}
}}
"""
STATIC = "location / {{ root {bodies}; }}"
PROXY = (
    "location / { proxy_pass http://origin; proxy_http_version 1.1;"
    ' proxy_set_header Connection ""; }'
)


@dataclass(frozen=True, slots=True)
class Contestant:
    """A running proxy: where it listens and its process ids (for memory)."""

    name: str
    url: str
    pid: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def token_and_keys(folder: Path) -> str:
    """Write `jwks.json` and `pseudonym-key`; return a token of the owner, good for a day."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    keys = {"keys": [{**jwk, "kid": "bench", "use": "sig", "alg": "RS256"}]}
    (folder / "jwks.json").write_text(json.dumps(keys))
    (folder / "pseudonym-key").write_bytes(b"0123456789abcdef" * 4)
    (folder / "pseudonym-key").chmod(0o600)
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "A1", "iat": now, "exp": now + 86_400}
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": "bench", "typ": "at+jwt"})


def gateway_config(folder: Path, port: int, admin: int, upstream: int) -> dict[str, object]:
    json_body = {
        "format": "json",
        "records": "$.orders[*]",
        "subject": {"account": "$.customer.id"},
    }
    lines = {"format": "ndjson", "subject": {"account": "$.customer.id"}}
    manifest = {
        "match": "manifest.json",
        "format": "json",
        "records": "$.recordings[*]",
        "subject": {"account": "$.customer_id"},
        "vouches_for": "$.file",
    }
    members = [manifest, {"match": "recordings/*.wav", "attribution": "manifest"}]
    return {
        "listen": f"127.0.0.1:{port}",
        "admin": f"127.0.0.1:{admin}",
        "upstream": f"http://127.0.0.1:{upstream}",
        "identity": {
            "issuers": [
                {
                    "issuer": ISSUER,
                    "audience": AUDIENCE,
                    "jwks": str(folder / "jwks.json"),
                    "algorithms": ["RS256"],
                    "identifiers": {"account": "sub"},
                }
            ]
        },
        "policy": {"bundle": str(ROOT / "policies"), "engine": "embedded"},
        "decision_log": {
            "file": str(folder / "decisions.jsonl"),
            "pseudonym_key_file": str(folder / "pseudonym-key"),
        },
        "spool": {"directory": str(folder / "spool")},
        "endpoints": [
            {"name": "small", "path": "/2k.json", "body": json_body},
            {"name": "array", "path": "/10m.json", "body": json_body},
            {"name": "archive", "path": "/100m.zip", "body": {"format": "zip", "members": members}},
            {"name": "lines", "path": "/200m.ndjson", "body": lines},
            {"name": "long", "path": "/1g.ndjson", "body": lines},
        ],
    }


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
            sys.exit(f"{server.args!r} ended: {server.stderr.read().decode()[-2000:]}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError as error:
            if error.code != 503:
                return
        except OSError:
            pass
        time.sleep(0.05)
    sys.exit(f"{url} does not answer")


def nginx_binary() -> str:
    """Exits where there is none."""
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(nginx).exists():
        sys.exit("nginx is needed: apt-get install nginx-light wrk")
    return nginx


@contextmanager
def contest(bodies: Path, folder: Path) -> Iterator[tuple[list[Contestant], str]]:
    """Start the upstream and every contestant there is; yields them and the owner's token."""
    nginx = nginx_binary()
    token = token_and_keys(folder)
    with ExitStack() as stack:
        upstream = free_port()

        def run_nginx(port: int, location: str) -> int:
            path = folder / f"nginx-{port}.conf"
            path.write_text(
                NGINX.format(folder=folder, port=port, upstream=upstream, location=location)
            )
            url = f"http://127.0.0.1:{port}/2k.json"
            return stack.enter_context(started([nginx, "-c", str(path)], url))

        run_nginx(upstream, STATIC.format(bodies=bodies))
        port = free_port()
        proxy = Contestant("nginx proxy_pass", f"http://127.0.0.1:{port}", run_nginx(port, PROXY))
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        raw_command = [sys.executable, "-m", "bench.passthrough", str(port)]
        raw_pid = stack.enter_context(
            started([*raw_command, f"http://127.0.0.1:{upstream}"], f"{url}/2k.json")
        )
        raw = Contestant("raw aiohttp", url, raw_pid)

        def run_gateway(name: str, workers: int) -> Contestant:
            port, admin = free_port(), free_port()
            config = folder / f"gateway-{workers}.yaml"
            log = {"decision_log": {
                "file": str(folder / f"decisions-{workers}.jsonl"),
                "pseudonym_key_file": str(folder / "pseudonym-key"),
            }}  # fmt: skip
            settings = gateway_config(folder, port, admin, upstream) | log | {"workers": workers}
            config.write_text(json.dumps(settings))
            command = [sys.executable, "-m", "gateway", "run", "--config", str(config)]
            pid = stack.enter_context(started(command, f"http://127.0.0.1:{admin}/readyz"))
            return Contestant(name, f"http://127.0.0.1:{port}", pid)

        gateway = run_gateway("gateway", 1)
        yield [gateway, raw, proxy, run_gateway("gateway, 2 processes", 2)], token


@contextmanager
def workspace() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="privacy-gateway-bench-") as name:
        yield Path(name)
