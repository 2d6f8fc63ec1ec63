"""The gateway's configuration in a measurement, and the token of the caller who asks."""

import json
import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from bench.bodies import BODIES, LONG, OWNER
from bench.servers import ROOT

STREAMED = "/stream-200m.ndjson"
"""The 200 MB once more, released as they come."""
ISSUER, AUDIENCE = "https://id.example.org", "data-export"


def token_and_keys(folder: Path) -> str:
    """Write `jwks.json` and `pseudonym-key`; return a token of the owner, good for a day."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    keys = {"keys": [{**jwk, "kid": "bench", "use": "sig", "alg": "RS256"}]}
    (folder / "jwks.json").write_text(json.dumps(keys))
    (folder / "pseudonym-key").write_bytes(b"0123456789abcdef" * 4)
    (folder / "pseudonym-key").chmod(0o600)
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": OWNER, "iat": now, "exp": now + 86_400}
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": "bench", "typ": "at+jwt"})


_ORDERS = {"subject": {"account": "$.customer.id"}}
_MANIFEST = {
    "match": "manifest.json",
    "format": "json",
    "records": "$.recordings[*]",
    "subject": {"account": "$.customer_id"},
    "vouches_for": "$.file",
}
_RECORDINGS: dict[str, object] = {
    "format": "zip",
    "members": [_MANIFEST, {"match": "recordings/*.wav", "attribution": "manifest"}],
}
SPECS: dict[str, dict[str, object]] = {
    "json": {"format": "json", "records": "$.orders[*]", **_ORDERS},
    "ndjson": {"format": "ndjson", **_ORDERS},
    "redact": {"format": "ndjson", **_ORDERS},
    "csv": {"format": "csv", "subject": {"account": "customer_id"}},
    "zip": _RECORDINGS,
    "deflated": _RECORDINGS,
    "inflated": {
        "format": "zip",
        "members": [{"match": "orders/*.ndjson", "format": "ndjson", **_ORDERS}],
    },
}
"""How the gateway reads each kind of body."""


def gateway_config(folder: Path, port: int, admin: int, upstream: int) -> dict[str, object]:
    """A gateway in front of all bodies; a third of those that are to be redacted may leave."""
    kinds = {body.path: body.kind for body in BODIES}
    kinds |= {f"/planted-{body.file}": body.kind for body in BODIES if body.planted}
    kinds[f"/{LONG}"] = kinds[STREAMED] = "ndjson"
    redacting = {path: kind == "redact" for path, kind in kinds.items()}
    names = {path: "body-" + path[1:].replace(".", "-") for path in kinds}
    partial = {names[path]: "redact" for path in kinds if redacting[path]}
    data = {"grounds": {"self_access": True}, "partial": partial}
    (folder / "deployment.json").write_text(json.dumps(data))
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
        "policy": {
            "bundle": str(ROOT / "policies"),
            "engine": "embedded",
            "data": str(folder / "deployment.json"),
        },
        "decision_log": {
            "file": str(folder / f"decisions-{port}.jsonl"),
            "pseudonym_key_file": str(folder / "pseudonym-key"),
        },
        "spool": {"directory": str(folder / f"spool-{port}")},
        "endpoints": [
            {"name": names[path], "path": path, "body": SPECS[kind]}
            | ({"release": "stream"} if path == STREAMED else {})
            for path, kind in kinds.items()
        ],
    }
