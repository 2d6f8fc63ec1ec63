"""How bundles get here, and what proves them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le, MaxLen, MinLen

from gateway.constraints import STRICT
from gateway.quantities import Duration, Size

Name = Annotated[str, MinLen(1), MaxLen(256)]


class SigningAlgorithm(StrEnum):
    """The JWS algorithms that OPA signs bundles with. `none` is no member."""

    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    HS256 = "HS256"
    HS384 = "HS384"
    HS512 = "HS512"


@dataclass(frozen=True, slots=True)
class SigningSettings:
    """Who signs the bundles. Where this is set, a bundle without `.signatures.json` is refused, and
    so is one that is signed by anybody else, in any other way.

    `key_file` is a public key in PEM or, for HS256, HS384 and HS512, the secret itself: every byte
    counts, as in `opa build --signing-key FILE`. It is read again for every bundle. `key_id` is the
    name that a signature must give, as `kid` in its header or as the claim `keyid`
    (`opa build --verification-key-id`). `algorithm` is the only one that is accepted. `scope` must
    be the claim of that name; without it, a signature that has a scope is refused. The claim `exp`,
    where there is one, is looked at when a bundle is read.

    A signature is over the bundle, and over nothing beside it. Whoever can write the file that
    `policy.data` names can enable a ground: guard it as the configuration itself, or leave it out
    and sign the deployment's data with the bundle. And a signature doesn't tell that there is a
    newer bundle: a server that answers 304 for ever keeps an old one active.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    key_file: Path
    key_id: Name
    algorithm: SigningAlgorithm
    scope: Name | None = None


@dataclass(frozen=True, slots=True)
class PollingSettings:
    """How often a source is asked whether there is something new.

    A bundle server is asked again after a pause between `min` and `max`, by chance, so that a fleet
    doesn't ask in step; after a failure sooner, with growing pauses up to `max`. With `long_poll`
    the server is asked to answer only when there is something new, at most so much later; where it
    can't (it doesn't answer with the content type `application/vnd.openpolicyagent.bundles`), the
    pauses stay.

    `files` is the pause between two looks at a folder, an archive or `policy.data`. A change counts
    when two looks in a row see the same: nobody copies a folder in one step.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    min: Annotated[Duration, Ge(1)] = 60.0
    max: Annotated[Duration, Ge(1), Le(86400)] = 120.0
    long_poll: Annotated[Duration, Ge(1), Le(600)] | None = None
    files: Annotated[Duration, Ge(0.1), Le(60)] = 2.0

    def __post_init__(self) -> None:
        if self.min > self.max:
            raise ValueError("polling.min must not be more than polling.max")


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """How bundles get here, and what proves them.

    `signing` names the key that bundles must be signed with. `max_size` bounds an archive, and all
    files of a bundle together.

    **Order.** A bundle that is older than the one that was active last is refused, and so is one
    that has the same revision and other content. Revisions that are a whole number (`42`), a
    version of two to four numbers (`v1.10`, `1.10.0`) or a UTC time (`2026-06-01T12:00:00Z`) are in
    order; what follows a `+` doesn't count (`42+9f3c2e1`). Once a revision in order was active, the
    next one must be of the same form and later; to go back to older content, publish it under a new
    revision. A revision of another form, or none, can be neither older nor newer.

    **Last good.** In `state`, a folder of the gateway's own (made 0700), the bundle that was active
    last is kept: with its archive, where it came from a server, so that a start without the server
    is possible, and with its revision, so that an older one is refused after a restart as well.

    **Age.** What the source hasn't confirmed for `max_age` stops counting, and everything is
    refused. A server confirms by serving the active bundle, or with status 304; a folder or an
    archive by being there unchanged.

    **Server.** `token_file` holds a bearer token, read for every request; `ca_file` the
    certificates to trust instead of the system's. `timeout` bounds one request, beyond the time of
    a long poll. Redirects are not followed. Plain http is for loopback, or for a network that
    `allow_http` vouches for: without a signature, whoever can change the bundle can release
    anything.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    signing: SigningSettings | None = None
    polling: PollingSettings = field(default_factory=PollingSettings)
    state: Path | None = None
    max_age: Annotated[Duration, Ge(1)] = 86400.0
    max_size: Annotated[Size, Ge(1024), Le(2**28)] = 2**25
    timeout: Annotated[Duration, Gt(0), Le(600)] = 30.0
    token_file: Path | None = None
    ca_file: Path | None = None
    allow_http: bool = False

    def __post_init__(self) -> None:
        longest = max(self.polling.max, self.polling.long_poll or 0.0) + self.timeout
        if self.max_age < longest:
            raise ValueError("max_age must be longer than a poll takes: polling and timeout")
