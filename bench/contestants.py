"""Who takes part, and how each is started and ended. Everything listens on loopback.

    this gateway: embedded engine, an OPA, two processes          reads, decides, logs
    raw aiohttp, nginx, Envoy                                     pass everything through
    aiohttp, bare                                                 small bodies, and nothing else
    nginx + Lua + cjson, Envoy + Lua, mitmproxy + JSON            compare owners, in JSON and NDJSON

One worker each, but for the two processes. The peers that read take the caller's account from a
header: none of them checks a token, asks a policy or writes a log.
"""

import compileall
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import envoy
from bench.bodies import BODIES
from bench.guarded import gateway_config, token_and_keys
from bench.servers import NGINX, ROOT, STATIC, NotHereError, free_port, nginx_binary, started, tool

PEERS = Path(__file__).with_name("peers")
MODULES = Path("/usr/lib/nginx/modules")

EMBEDDED, OPA, RAW = "gateway", "gateway, OPA", "raw aiohttp"
BARE = "aiohttp, bare"
PAIR = "gateway, 2 processes"
OURS = (EMBEDDED, OPA, PAIR)
NGINX_PLAIN, NGINX_LUA = "nginx", "nginx + Lua + cjson"
ENVOY_PLAIN, ENVOY_LUA, MITMPROXY = "Envoy", "Envoy + Lua", "mitmproxy + JSON"
_EVERYTHING = frozenset(body.kind for body in BODIES)
READ_BY_PEERS = frozenset({"json", "ndjson"})

PROXY = (
    "location / { proxy_pass http://origin; proxy_http_version 1.1;"
    ' proxy_set_header Connection ""; FILTER }'
)


@dataclass(frozen=True, slots=True)
class Contestant:
    """A running proxy: where it listens, its process id (and its descendants'), and the kinds of
    body whose every record it compares."""

    name: str
    url: str
    pid: int
    reads: frozenset[str] = frozenset()
    also: tuple[int, ...] = ()

    @property
    def twin(self) -> bool:
        """Whether another one of its kind passes everything through."""
        return self.name in (NGINX_LUA, ENVOY_LUA, MITMPROXY)

    @property
    def pids(self) -> tuple[int, ...]:
        """All that it needs: an OPA beside it, too."""
        return (self.pid, *self.also)


@dataclass(frozen=True, slots=True)
class Contest:
    """Who takes part, who doesn't and why, the owner's token, and the upstream's files."""

    contestants: tuple[Contestant, ...]
    missing: dict[str, str]
    token: str
    bodies: Path

    def __getitem__(self, name: str) -> Contestant:
        return next(each for each in self.contestants if each.name == name)


@contextmanager
def contest(bodies: Path, folder: Path, *, peers: bool = True) -> Iterator[Contest]:
    """Start the upstream and every contestant there is; of the peers only those that pass
    everything through, unless `peers`."""
    token = token_and_keys(folder)
    compileall.compile_dir(ROOT / "gateway", quiet=1)  # as whoever installs a package does
    with ExitStack() as stack:
        arena = Arena(stack, folder, free_port())
        arena.serve(STATIC.format(bodies=bodies))
        entries: dict[str, Callable[[str], Contestant]] = {
            EMBEDDED: arena.gateway,
            OPA: arena.gateway_with_opa,
            PAIR: arena.gateways,
            RAW: arena.raw,
            BARE: arena.bare,
            NGINX_PLAIN: arena.nginx,
            NGINX_LUA: arena.nginx_lua,
            ENVOY_PLAIN: arena.envoy,
            ENVOY_LUA: arena.envoy_lua,
            MITMPROXY: arena.mitmproxy,
        }
        needed = (*OURS, RAW, BARE)
        contestants: list[Contestant] = []
        missing: dict[str, str] = {}
        for name, enter in entries.items():
            if name in needed or peers:
                try:
                    contestants.append(enter(name))
                except NotHereError as error:
                    if name in needed:
                        raise
                    missing[name] = str(error)
        yield Contest(tuple(contestants), missing, token, bodies)


class Arena:
    """Starts each of them in front of one upstream."""

    def __init__(self, stack: ExitStack, folder: Path, upstream: int) -> None:
        self._stack, self._folder, self._upstream = stack, folder, upstream

    def serve(self, location: str) -> None:
        """Start the upstream, an nginx that serves these locations."""
        self._nginx("upstream", self._upstream, location)

    def gateway(self, name: str, **settings: object) -> Contestant:
        port, admin = free_port(), free_port()
        config = gateway_config(self._folder, port, admin, self._upstream) | settings
        path = self._folder / f"gateway-{port}.yaml"
        path.write_text(json.dumps(config))
        command = [sys.executable, "-m", "gateway", "run", "--config", str(path)]
        return self._started(name, port, command, f"http://127.0.0.1:{admin}/readyz", _EVERYTHING)

    def gateways(self, name: str) -> Contestant:
        return self.gateway(name, workers=2)

    def gateway_with_opa(self, name: str) -> Contestant:
        binary, port = tool("opa"), free_port()
        bundle = self._folder / "policies"
        shutil.copytree(ROOT / "policies", bundle, ignore=shutil.ignore_patterns("*_test.rego"))
        deployment = bundle / "privacy" / "deployment" / "data.json"
        shutil.copy(self._folder / "deployment.json", deployment)
        address = f"127.0.0.1:{port}"
        command = [binary, "run", "--server", "--addr", address, "--bundle", str(bundle)]
        quiet = [*command, "--disable-telemetry", "--log-level", "error"]
        opa = self._started("OPA", port, quiet, f"http://{address}/health?bundles")
        ours = self.gateway(name, policy={"engine": "opa", "opa": opa.url})
        return Contestant(name, ours.url, ours.pid, ours.reads, (opa.pid,))

    def raw(self, name: str, *options: str) -> Contestant:
        port = free_port()
        upstream = f"http://127.0.0.1:{self._upstream}"
        command = [sys.executable, "-m", "bench.passthrough", str(port), upstream, *options]
        return self._started(name, port, command)

    def bare(self, name: str) -> Contestant:
        return self.raw(name, "--bare")

    def nginx(self, name: str) -> Contestant:
        return self._nginx(name, free_port(), PROXY.replace("FILTER", ""))

    def nginx_lua(self, name: str) -> Contestant:
        modules = [MODULES / f"{each}_module.so" for each in ("ndk_http", "ngx_http_lua")]
        if lacking := [each.name for each in modules if not each.exists()]:
            raise NotHereError(f"there is no {lacking[0]}: make bench installs it")
        lua = f"body_filter_by_lua_file {PEERS / 'check.lua'};"
        location = PROXY.replace("FILTER", lua)
        loaded = "".join(f"load_module {each}; " for each in modules)
        return self._nginx(name, free_port(), location, loaded, READ_BY_PEERS)

    def envoy(self, name: str) -> Contestant:
        return self._envoy(name, "")

    def envoy_lua(self, name: str) -> Contestant:
        return self._envoy(name, (PEERS / "envoy.lua").read_text(), READ_BY_PEERS)

    def mitmproxy(self, name: str) -> Contestant:
        port = free_port()
        mode = f"reverse:http://127.0.0.1:{self._upstream}"
        command = [
            tool("mitmdump"), "--quiet", "--mode", mode, "--listen-host", "127.0.0.1",
            "--listen-port", str(port), "--scripts", str(PEERS / "mitm.py"), "--set",
            f"confdir={self._folder / 'mitmproxy'}", "--set", "connection_strategy=lazy",
        ]  # fmt: skip
        return self._started(name, port, command, reads=READ_BY_PEERS)

    def _nginx(
        self,
        name: str,
        port: int,
        location: str,
        modules: str = "",
        reads: frozenset[str] = frozenset(),
    ) -> Contestant:
        path = self._folder / f"nginx-{port}.conf"
        path.write_text(
            NGINX.format(
                folder=self._folder, port=port, upstream=self._upstream, location=location,
                modules=modules,
            )
        )  # fmt: skip
        return self._started(name, port, [nginx_binary(), "-c", str(path)], reads=reads)

    def _envoy(self, name: str, script: str, reads: frozenset[str] = frozenset()) -> Contestant:
        port = free_port()
        path = self._folder / f"envoy-{port}.json"
        path.write_text(json.dumps(envoy.configuration(port, self._upstream, script)))
        command = [
            tool("envoy"), "--config-path", str(path), "--concurrency", "1", "--log-level",
            "critical", "--disable-hot-restart",
        ]  # fmt: skip
        return self._started(name, port, command, reads=reads)

    def _started(
        self,
        name: str,
        port: int,
        command: list[str],
        ready: str = "",
        reads: frozenset[str] = frozenset(),
    ) -> Contestant:
        url = f"http://127.0.0.1:{port}"
        pid = self._stack.enter_context(started(command, ready or f"{url}{BODIES[0].path}"))
        return Contestant(name, url, pid, reads)
