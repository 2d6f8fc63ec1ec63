"""Planted persons: callers and strangers who look like real ones, and are nobody.

A policy that can tell them from real persons may answer planted questions rightly and real ones
wrongly: on purpose, or because it is right about identifiers of one form only. So they are written
as the configuration says that a kind is written, in several forms, and hold what every caller
holds. They come from a random salt: no data names them, and what is said of them is of nobody.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from gateway.model import Actor, Caller, Identifier, SubjectRef

FORMS = 3
"""How many forms of text there are: a UUID, a number, a letter and a number."""


@dataclass(frozen=True, slots=True)
class Look:
    """How identifiers of a kind are written: with this text around what differs, or as integers."""

    around: tuple[str, ...] = ("", "")
    integer: bool = False


@dataclass(frozen=True, slots=True)
class Holdings:
    """What every ordinary caller holds besides identifiers, and nobody's data opens to."""

    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)


_PLAIN = Look()


@dataclass(frozen=True, slots=True)
class Cast:
    """The planted persons of one issuer. `looks` are the kinds that it vouches for, `salt` is
    random hex, `form` one of the FORMS."""

    issuer: str
    looks: Mapping[str, Look]
    salt: str
    holds: Holdings = field(default_factory=Holdings)
    form: int = 0

    def own(self, kind: str) -> SubjectRef:
        return self.person(kind, "own")

    def foreign(self, kind: str) -> SubjectRef:
        return self.person(kind, "foreign")

    def person(self, kind: str, who: str) -> SubjectRef:
        """Somebody of this name in this play."""
        look = self.looks.get(kind, _PLAIN)
        digits = self._number(f"{kind}/{who}")
        if look.integer:
            return SubjectRef(kind, digits)
        return SubjectRef(kind, self._text(f"{kind}/{who}", digits).join(look.around))

    def lookalikes(self, kind: str) -> Iterator[tuple[str, SubjectRef, SubjectRef]]:
        """How two alike differ, a caller's identifier, and a stranger's that lax comparisons take
        for it: types, letters, spaces, Unicode, kinds."""
        number = self._number(kind)
        name = f"Zo{self._digest(kind)[:10]}-Ren\u00e9".join(self.looks.get(kind, _PLAIN).around)
        for about, mine, theirs in (
            ("a number as text", number, str(number)),
            ("text as a number", str(number), number),
            ("a number one larger", number, number + 1),
            ("other letters", name, name.upper()),
            ("a space more", name, f"{name} "),
            ("a text that begins alike", name, f"{name}0"),
            ("a part of the text", f"{name}0", name),
            ("another spelling in Unicode", name, name.replace("\u00e9", "e\u0301")),
            ("a pattern", name, "*"),
            ("no text", name, ""),
        ):
            yield about, SubjectRef(kind, mine), SubjectRef(kind, theirs)
        other = next((each for each in self.looks if each != kind), f"{kind}_2")
        yield "the same text of another kind", SubjectRef(kind, name), SubjectRef(other, name)

    def caller(self, *held: SubjectRef, actor: str | None = None) -> Caller:
        """A caller with these identifiers, and nothing that could open somebody else's data."""
        first = next(iter(held or map(self.own, self.looks)))
        return Caller(
            issuer=self.issuer,
            id=str(first.value),
            identifiers=tuple(Identifier(each.kind, each.value) for each in held),
            actor=Actor(actor, self.issuer) if actor else None,
            scopes=self.holds.scopes,
            roles=self.holds.roles,
            claims=self.holds.claims,
        )

    @property
    def everything(self) -> Caller:
        """The caller with an identifier of every kind that the issuer vouches for."""
        return self.caller(*map(self.own, self.looks))

    def _text(self, name: str, digits: int) -> str:
        text = self._digest(name)
        match self.form:
            case 0:
                return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:32]))
            case 1:
                return str(digits)
            case _:
                return f"{chr(65 + digits % 26)}{digits}"

    def _number(self, name: str) -> int:
        """Twelve digits."""
        return 10**11 + int(self._digest(name)[:12], 16) % (9 * 10**11)

    def _digest(self, name: str) -> str:
        return sha256(f"{self.salt}/{name}".encode()).hexdigest()
