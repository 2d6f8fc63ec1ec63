"""Identifiers as keyed hashes (GDPR Art. 4(5)): `p1:` and 32 hex digits.

    pseudonym = HMAC-SHA-256(key, parts)[:16]
    parts     = for each of namespace, kind, type, value: length (4 bytes, big-endian), bytes

The lengths make the encoding injective: no two identifiers share the bytes that are hashed, so
that under one key the same pseudonym means the same kind, type and value, and nothing else is
learned from it. Without the key a list of every possible account number matches nothing. 128 bits
keep accidental collisions out of reach.

The values of a logged question have a namespace of their own, without a kind: a path segment that
equals an identifier must be seen to equal it. There a text is `p1:…` and a number `n1:…`.
"""

import struct
from collections.abc import Callable
from hashlib import sha256
from typing import Any, TypeVar

from gateway.model import Actor, Caller, Identifier, SubjectRef

_MOST = 4096
"""Pseudonyms of one sort that are remembered."""

PREFIX = "p1:"
NUMBER = "n1:"
"""Before the pseudonym of a number in a question: whoever replays it must know the type."""


class Pseudonyms:
    """Makes pseudonyms under one key, and keeps none of them (`Remembered` does, for a moment).

    A subject and a caller's identifier with the same kind and value have the same pseudonym, and so
    have their bare values: an auditor must be able to see that somebody received their own data.
    """

    def __init__(self, key: bytes) -> None:
        """`key` is a derived one: 32 bytes. Raises ValueError for another length."""
        if len(key) != sha256().digest_size:
            raise ValueError("expected a derived key")
        # HMAC as RFC 2104 spells it, both pads hashed once: a third of `hmac.digest`'s time.
        block = key.ljust(sha256().block_size, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))
        # What all values of a type share is hashed once, too: there are dozens in a question.
        self._text, self._integer, self._fraction = (
            self._begun(b"value", each).copy for each in (b"str", b"int", b"float")
        )

    def subject(self, subject: SubjectRef | Identifier) -> str:
        """The pseudonym of a data subject. Raises TypeError if the value is no str and no int."""
        return self._digest(b"subject", subject.kind.encode(*_UTF8), *_typed(subject.value))

    def party(self, issuer: str, name: str) -> str:
        """The pseudonym of a party: an id means something to its issuer only."""
        return self._digest(b"party", issuer.encode(*_UTF8), *_typed(name))

    def text(self, text: str) -> str:
        """The pseudonym of some other text, for what may hold an identifier but shouldn't."""
        return self._digest(b"text", text.encode(*_UTF8))

    def value(self, value: str | float) -> str:
        """The pseudonym of a value in a question, wherever it stands. Raises TypeError for others.

        Numbers are one type, as in JSON: 1 and 1.0 are equal, 1 and "1" are not.
        """
        if type(value) is str:  # nearly always, and dozens of times in an entry
            inner, prefix, part = self._text(), PREFIX, value.encode("utf-8", "surrogatepass")
        elif type(value) is float and not value.is_integer():
            inner, prefix, part = self._fraction(), NUMBER, struct.pack(">d", value)
        elif type(value) in (int, float):
            inner, prefix, part = self._integer(), NUMBER, _typed(int(value))[1]
        else:
            raise TypeError(f"no pseudonym for a {type(value).__name__}")
        inner.update(len(part).to_bytes(4, "big") + part)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return prefix + outer.hexdigest()[:32]

    def _digest(self, *parts: bytes) -> str:
        inner, outer = self._begun(*parts), self._outer.copy()
        outer.update(inner.digest())
        return PREFIX + outer.hexdigest()[:32]

    def _begun(self, *parts: bytes) -> Any:
        inner = self._inner.copy()
        inner.update(b"".join([len(part).to_bytes(4, "big") + part for part in parts]))
        return inner


class Remembered:
    """The pseudonyms of entries that are written together, each made once: of those of one endpoint
    most values are the same. `forget` ends it with their group, so that no identifier is kept here
    for longer than the exchanges it came in take to end; and so does its own size.
    """

    def __init__(self, names: Pseudonyms) -> None:
        self._names = names
        self.values = _Made(names.value)
        """By value in a question, see `Pseudonyms.value`. No boolean has one: here it would find
        the number that it equals, so that whoever may have one doesn't ask."""
        self.subjects = _Made(names.subject)
        self._parties: _Made[tuple[str, str]] = _Made(lambda party: names.party(*party))

    def forget(self) -> None:
        for made in (self.values, self.subjects, self._parties):
            made.clear()

    def caller(self, caller: Caller) -> str:
        """The pseudonym of the authenticated party."""
        return self._parties[caller.issuer, caller.id]

    def actor(self, actor: Actor, caller: Caller) -> str:
        """The pseudonym of the acting party; without an issuer of its own it has the caller's."""
        return self._parties[caller.issuer if actor.issuer is None else actor.issuer, actor.id]

    def text(self, text: str) -> str:
        return self._names.text(text)


_Key = TypeVar("_Key")


class _Made(dict[_Key, str]):
    """By what they are of; no more than `_MOST`."""

    def __init__(self, make: Callable[[_Key], str]) -> None:
        self._make = make

    def __missing__(self, key: _Key) -> str:
        if len(self) >= _MOST:
            self.clear()
        made = self[key] = self._make(key)
        return made


# Lone surrogates come out of JSON escapes; "surrogatepass" keeps them, and keeps them distinct.
_UTF8 = ("utf-8", "surrogatepass")


def _typed(value: str | int) -> tuple[bytes, bytes]:
    if type(value) is str:
        return b"str", value.encode(*_UTF8)
    if type(value) is int:
        # Not decimal: Python refuses to print integers beyond 4,300 digits.
        return b"int", value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)
    raise TypeError(f"an identifier is a str or an int, not {type(value).__name__}")
