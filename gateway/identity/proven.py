"""Tokens proven before: an export of many pages or files comes with one token many times.

Only the signature is not checked twice. A remembered token counts while its issuer's key set still
holds the very key that verified it (every read of the set makes new ones), and its times are held
against the clock at each use, so that rotation, the keys' maximum age and `exp` work as without.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.identity.jwks import VerifyingKey
from gateway.identity.tokens import UnverifiedToken
from gateway.model import Caller

_MOST = 1_024
"""Tokens remembered: some KiB each."""


@dataclass(frozen=True, slots=True, repr=False)
class Proven:
    """A token, the key that verified it, and whom it names."""

    token: UnverifiedToken
    key: VerifyingKey
    caller: Caller


def digest_of(authorization: Sequence[bytes]) -> bytes:
    """What a single Authorization line is known by; nothing for several, which are no token."""
    return hashlib.sha256(authorization[0]).digest() if len(authorization) == 1 else b""


class ProvenTokens:
    """The tokens proven last, by the digest of their Authorization line."""

    def __init__(self) -> None:
        self._proven: OrderedDict[bytes, Proven] = OrderedDict()

    def take(self, digest: bytes) -> Proven | None:
        """The same line, proven before. It is forgotten: a token that no longer counts is no longer
        kept, and one that does is remembered again."""
        return self._proven.pop(digest, None)

    def remember(self, digest: bytes, proven: Proven) -> None:
        """Replaces what was known of the line; forgets the one not seen for longest."""
        self._proven[digest] = proven
        self._proven.move_to_end(digest)
        if len(self._proven) > _MOST:
            self._proven.popitem(last=False)
