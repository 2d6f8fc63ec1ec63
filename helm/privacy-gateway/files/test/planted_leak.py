"""What `helm test` plays, with the gateway's own image and the packages in it.

    python planted_leak.py CONFIG DATA_URL ADMIN_URL

1. The gateway that runs: it is ready, its self-proof holds, and its door is shut. Nobody here has a
   token of its issuer, so no real export is asked for.
2. A planted leak: a second gateway, in this pod, with this image, this configuration and this
   policy. Planted are an endpoint and its two ends: an issuer whose key we have, and an upstream
   whose answers we write. Through real sockets the caller's own record must arrive, and a
   stranger's must not.

Exit code 0 where everything went as it must.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from ruamel.yaml import YAML

PLANTED = "planted-leak"
PATIENCE = float(os.environ.get("PLANTED_LEAK_PATIENCE", "60"))
"""Seconds for each gateway to get ready."""
CURVES: Mapping[str, type[Any]] = {
    "ES256": ec.SECP256R1,
    "ES384": ec.SECP384R1,
    "ES512": ec.SECP521R1,
}


class Failed(Exception):
    """One sentence."""


def main() -> int:
    config, data, admin = sys.argv[1:]
    try:
        settings = YAML(typ="safe").load(Path(config))
        check_running(settings, data, admin)
        with tempfile.TemporaryDirectory() as folder:
            play(settings, Path(config).parent, Path(folder))
    except Failed as fault:
        print(f"FAILED  {fault}")
        return 1
    return 0


def passed(what: str) -> None:
    print(f"ok      {what}", flush=True)


# --- the gateway that runs ------------------------------------------------------------------------


def check_running(settings: Any, data: str, admin: str) -> None:
    checks = until_ready(admin)
    if checks.get("self_proof") is not True:
        raise Failed("the running gateway has no self-proof")
    passed("the running gateway is ready, and its self-proof holds")
    refused(data, f"/{secrets.token_hex(8)}", "endpoint_unknown", 404)
    passed("a path that no endpoint names: 404, and nothing of the upstream")
    forged = {"Authorization": f"Bearer {jwt.encode({'sub': 'A1'}, secrets.token_bytes(32))}"}
    for endpoint in settings["endpoints"]:
        method = (endpoint.get("methods") or ["GET"])[0]
        path = endpoint["path"].replace("{", "").replace("}", "")
        refused(data, path, "token_rejected", 401, method)
        refused(data, path, "token_rejected", 401, method, forged)
        passed(f"{endpoint['name']} without a token, and with a forged one: 401")


def refused(
    url: str, path: str, code: str, status: int, method: str = "GET",
    headers: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    got, _, body = ask(url, path, headers, method)
    if got != status:
        raise Failed(f"{method} {path} got {got} instead of {status}")
    try:
        problem = json.loads(body)
    except ValueError:
        raise Failed(f"{method} {path} was not answered by a gateway") from None
    if not isinstance(problem, dict) or problem.get("code") != code:
        raise Failed(f"{method} {path} was not refused with {code}")
    if problem.keys() != {"type", "status", "code", "exchange_id"}:
        raise Failed(f"the refusal of {method} {path} says more than it may")


def ask(
    url: str, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> tuple[int, str, bytes]:
    """Status, header fields and body, as they came."""
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname or "", place.port or 80, timeout=15)
    try:
        connection.request(method, path, headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, str(answer.headers), answer.read()
    except OSError as error:
        raise Failed(f"{url} can't be reached: {error}") from None
    finally:
        connection.close()


def until_ready(admin: str, alive: Callable[[], bool] = lambda: True) -> dict[str, Any]:
    """The checks of /readyz, when all hold."""
    deadline, said = time.monotonic() + PATIENCE, "nothing"
    while time.monotonic() < deadline and alive():
        try:
            status, _, body = ask(admin, "/readyz")
            if status == 200:
                checks: dict[str, Any] = json.loads(body)["checks"]
                return checks
            said = body.decode(errors="replace")
        except Failed as fault:
            said = str(fault)
        time.sleep(0.2)
    raise Failed(f"a gateway does not get ready; {admin}/readyz says: {said}")


# --- the planted leak -----------------------------------------------------------------------------


def play(settings: Any, home: Path, folder: Path) -> None:
    issuer = settings["identity"]["issuers"][0]
    kind, source = next(iter(issuer["identifiers"].items()))
    own, claims = planted(source)
    stranger, _ = planted(source)
    key = Issuer(issuer)
    bodies: dict[str, bytes] = {}
    with serving(bodies) as upstream:
        config = second(settings, home, folder, upstream, key, kind)
        with gateway(config, folder) as url:
            bearer = {"Authorization": f"Bearer {key.token(claims, settings.get('policy') or {})}"}
            bodies[f"/{PLANTED}"] = records(own)
            status, _, body = ask(url, f"/{PLANTED}", bearer)
            if status == 200 and json.loads(body) == [{"owner": own}]:
                passed("the caller's own record arrives, whole")
            elif code_of(body) == "blocked_by_policy":
                # Its right, at an endpoint that it doesn't know; the self-proof has seen one pass.
                print("note    this policy releases nothing here: only the stranger's half counts")
            else:
                raise Failed(f"the caller's own record met {code_of(body)}, not the policy")
            for owners in ((own, stranger), (stranger,), (stranger, own, stranger)):
                bodies[f"/{PLANTED}"] = records(*owners)
                status, fields, body = ask(url, f"/{PLANTED}", bearer)
                if str(stranger) in fields or str(stranger).encode() in body:
                    raise Failed("LEAK: a stranger's record was released")
                if status != 200 and code_of(body) != "blocked_by_policy":
                    raise Failed(f"a stranger's record met {code_of(body)}, not the policy")
            passed("a stranger's record does not, alone or among the caller's own")


def records(*owners: str | int) -> bytes:
    return json.dumps([{"owner": owner} for owner in owners]).encode()


def code_of(body: bytes) -> str:
    try:
        return str(json.loads(body)["code"])
    except (ValueError, TypeError, KeyError):
        return "no refusal code"


def planted(source: Any) -> tuple[str | int, dict[str, Any]]:
    """Somebody new: their identifier, and the claims that it is made of."""
    if isinstance(source, str) and "{" in source:
        value, claims = source, {}
        for name in (piece.split("}")[0] for piece in source.split("{")[1:]):
            claims[name] = secrets.token_hex(8)
            value = value.replace(f"{{{name}}}", claims[name])
        return value, claims
    name = source if isinstance(source, str) else source["claim"]
    if not isinstance(source, str) and source.get("type") == "integer":
        number = 10**15 + secrets.randbelow(10**14)
        return number, {name: number}
    text = secrets.token_hex(8)
    if name == "email":
        text += "@example.org"
        return text, {name: text, "email_verified": True}
    return text, {name: text}


class Issuer:
    """The configured one, with a key of ours."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self.algorithm = settings["algorithms"][0]
        self._key: Any
        if self.algorithm in CURVES:
            self._key = ec.generate_private_key(CURVES[self.algorithm]())
        elif self.algorithm == "EdDSA":
            self._key = ed25519.Ed25519PrivateKey.generate()
        else:
            self._key = rsa.generate_private_key(65537, 2048)

    def jwks(self) -> str:
        public = jwt.get_algorithm_by_name(self.algorithm).to_jwk(
            self._key.public_key(), as_dict=True
        )
        public.pop("key_ops", None)
        return json.dumps(
            {"keys": [public | {"kid": PLANTED, "alg": self.algorithm, "use": "sig"}]}
        )

    def token(self, claims: Mapping[str, Any], policy: Any) -> str:
        """Holds what the configuration says that every ordinary caller holds (`policy.proof`)."""
        proof, audience = policy.get("proof") or {}, self._settings["audience"]
        payload: dict[str, Any] = {
            "sub": secrets.token_hex(8),
            **(proof.get("claims") or {}),
            **claims,
            "iss": self._settings["issuer"],
            "aud": audience if isinstance(audience, str) else audience[0],
            "iat": int(time.time()),
            "exp": int(time.time()) + 300,
        }
        if proof.get("scopes"):
            payload["scope"] = " ".join(proof["scopes"])
        if proof.get("roles"):
            payload["roles"] = list(proof["roles"])
        types = self._settings.get("types") or "at+jwt"
        headers = {"kid": PLANTED, "typ": types if isinstance(types, str) else types[0]}
        return jwt.encode(
            payload, self._key, self.algorithm, {k: v for k, v in headers.items() if v}
        )


@contextmanager
def serving(bodies: Mapping[str, bytes]) -> Iterator[str]:
    """An upstream on loopback that answers a path with its body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = bodies.get(self.path, b"[]")
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def second(
    settings: Any, home: Path, folder: Path, upstream: str, key: Issuer, kind: str
) -> Path:  # fmt: skip
    """The running gateway's configuration with planted ends, and places of its own to write to."""
    (folder / "jwks.json").write_text(key.jwks())
    secret = folder / "pseudonym-key"
    secret.touch(0o600)
    secret.write_bytes(secrets.token_bytes(32))
    issuer = {**settings["identity"]["issuers"][0], "jwks": str(folder / "jwks.json")}
    policy = {**(settings.get("policy") or {})}
    policy.pop("shadow", None)
    delivery = {**(policy.get("delivery") or {})}
    delivery.pop("state", None)
    for section, names in ((policy, ("bundle", "data")), (delivery, ("token_file", "ca_file"))):
        for name in names:
            if name in section and "://" not in section[name]:
                section[name] = str(home / section[name])
    if "signing" in delivery:
        named = str(home / delivery["signing"]["key_file"])
        delivery["signing"] = {**delivery["signing"], "key_file": named}
    config = {
        **settings,
        "listen": "127.0.0.1:0",
        "admin": "127.0.0.1:0",
        "upstream": upstream,
        "identity": {"issuers": [issuer]},
        "policy": {**policy, "delivery": delivery} if delivery else policy,
        "decision_log": {"file": str(folder / "log.jsonl"), "pseudonym_key_file": str(secret)},
        "spool": {"directory": str(folder / "spool"), "limit": "16MiB"},
        "endpoints": [
            {
                "name": PLANTED,
                "path": f"/{PLANTED}",
                "body": {"format": "json", "records": "$[*]", "subject": {kind: "$.owner"}},
            }
        ],
    }
    path = folder / "gateway.yaml"
    path.write_text(json.dumps(config))
    return path


@contextmanager
def gateway(config: Path, folder: Path) -> Iterator[str]:
    """Its data port, once it is ready. Of its environment only the policy's counts: the rest is the
    running gateway's ports and places."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PRIVACY_GATEWAY_")
        or (name.startswith("PRIVACY_GATEWAY_POLICY__") and not name.endswith("__DELIVERY__STATE"))
    }
    with (folder / "stderr").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "gateway", "run", "--config", str(config)],
            stdout=subprocess.PIPE, stderr=log, env=kept,
        )  # fmt: skip
    try:
        assert process.stdout
        line = process.stdout.readline()
        if not line:
            raise Failed(f"the second gateway does not start: {(folder / 'stderr').read_text()}")
        words = json.loads(line)
        until_ready(words["admin"], lambda: process.poll() is None)
        yield words["listen"]
    finally:
        process.terminate()
        process.wait()
        if process.stdout:
            process.stdout.close()


if __name__ == "__main__":
    sys.exit(main())
