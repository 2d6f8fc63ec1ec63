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


class ProvenTokens:
    """The tokens proven last, by a digest of their Authorization lines."""

    def __init__(self) -> None:
        self._proven: OrderedDict[bytes, Proven] = OrderedDict()

    def find(self, authorization: Sequence[bytes]) -> Proven | None:
        """The same single line, proven before."""
        if len(authorization) != 1:
            return None
        digest = _digest(authorization[0])
        proven = self._proven.get(digest)
        if proven is not None:
            self._proven.move_to_end(digest)
        return proven

    def remember(self, authorization: Sequence[bytes], proven: Proven) -> None:
        """Replaces what was known of the line; forgets the one not seen for longest."""
        digest = _digest(authorization[0])
        self._proven[digest] = proven
        self._proven.move_to_end(digest)
        if len(self._proven) > _MOST:
            self._proven.popitem(last=False)

    def forget(self, authorization: Sequence[bytes]) -> None:
        """A token that no longer counts is no longer kept."""
        self._proven.pop(_digest(authorization[0]), None)


def _digest(line: bytes) -> bytes:
    return hashlib.sha256(line).digest()
