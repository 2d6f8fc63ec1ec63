"""Which builtins a policy may call: OPA's capabilities, without those that make a decision depend
on anything but the question and the data.

`policies/capabilities/opa.json` and `embedded.json` are in OPA's own format, so that
`opa check --capabilities` and `opa build --capabilities` hold a policy against the very same list.
`tools/capabilities` writes them from the pinned OPA and from what regorus really knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from gateway.policy.engine import EngineKind
from gateway.policy.shipped import shipped

REPLAYABLE = "a decision must be replayable"
OUTSIDE = "a policy must not reach outside"
PRIVATE = "it writes what a question holds into a log"

WITHHELD = {
    "crypto.x509.parse_and_verify_certificates": REPLAYABLE,  # reads the clock
    "crypto.x509.parse_and_verify_certificates_with_options": REPLAYABLE,  # ... without a time
    "http.send": OUTSIDE,
    "internal.print": PRIVATE,
    "io.jwt.decode_verify": REPLAYABLE,  # reads the clock where no time is given
    "io.jwt.encode_sign": REPLAYABLE,  # some signatures hold random numbers
    "io.jwt.encode_sign_raw": REPLAYABLE,
    "json.match_schema": OUTSIDE,  # a schema may refer to one elsewhere
    "json.verify_schema": OUTSIDE,
    "net.cidr_contains": OUTSIDE,
    "net.cidr_contains_matches": OUTSIDE,
    "net.cidr_expand": OUTSIDE,
    "net.cidr_intersects": OUTSIDE,
    "net.cidr_is_valid": OUTSIDE,
    "net.cidr_merge": OUTSIDE,
    "net.cidr_overlap": OUTSIDE,
    "net.lookup_ip_addr": OUTSIDE,
    "opa.runtime": OUTSIDE,
    "print": PRIVATE,
    "providers.aws.sign_req": OUTSIDE,
    "rand.intn": REPLAYABLE,
    "time.now_ns": REPLAYABLE,
    "trace": PRIVATE,
    "uuid.rfc4122": REPLAYABLE,
}
"""Builtin → why no policy may call it, whatever the engine. `net` goes as a whole: a question
holds no address, so that a policy which asks for one is mistaken."""


_LONGEST = max(name.count(".") for name in WITHHELD) + 1


def withheld(reference: Sequence[str], shortest: int = 1) -> str | None:
    """The builtin of `shortest` parts or more that a reference leads to or through, though no
    policy may use it."""
    names = (".".join(reference[:length]) for length in range(shortest, _LONGEST + 1))
    return next((name for name in names if name in WITHHELD), None)


def forbidden(builtin: str) -> str:
    """Why a withheld builtin can't be used, in one sentence."""
    return f"{builtin} is not allowed: {WITHHELD[builtin]}"


class _Builtin(msgspec.Struct):
    name: str
    infix: str = ""


class _File(msgspec.Struct):
    builtins: list[_Builtin]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`callable` are the builtins that a policy may call by name, `elsewhere` those that another
    engine has and this one lacks."""

    engine: str
    callable: frozenset[str]
    elsewhere: frozenset[str]

    def refusal(self, name: str) -> str | None:
        """Why a builtin of this name can't be called, in one sentence; None where it can, or where
        no builtin has this name at all."""
        if name in WITHHELD:
            return forbidden(name)
        if name in self.elsewhere:
            return f"{name} is not known to {self.engine}"
        return None


def path(kind: EngineKind) -> Path:
    """The capabilities file of an engine."""
    return shipped() / "capabilities" / f"{kind.value}.json"


@cache
def capabilities(kind: EngineKind) -> Capabilities:
    """What an engine offers. Operators are not called by name: regorus couldn't."""
    names = {each: _named(each) for each in EngineKind}
    engine = "OPA" if kind is EngineKind.OPA else "the embedded engine"
    every = frozenset[str]().union(*names.values())
    return Capabilities(engine, names[kind], every - names[kind])


def _named(kind: EngineKind) -> frozenset[str]:
    file = msgspec.json.decode(path(kind).read_bytes(), type=_File)
    return frozenset(
        builtin.name
        for builtin in file.builtins
        if not builtin.name.startswith("internal.")
        and (kind is EngineKind.OPA or not builtin.infix)
    )
