"""Archive members and whose they are: patterns over names, and owners from path and manifest.

A pattern is matched against a whole name, segment by segment:

    *        any text inside one segment         recordings/*.wav
    **       any number of segments              **/messages.json
    {kind}   a non-empty run inside one segment  accounts/{account}/photo.jpg
             that is an identifier of that kind

Names are hostile: a pattern is matched in time linear in the name for each wildcard of a segment,
and where a name can be cut into identifiers in two ways, it is refused.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import assert_never

from gateway.errors import BadUpstream, Code
from gateway.inspection.locators import identifier
from gateway.inspection.settings import MemberSpec
from gateway.inspection.tally import Owners
from gateway.model import Attribution, Format, SubjectRef

__all__ = ["UNMATCHED", "Member", "Pattern", "compile_pattern", "first_match", "joint"]

_TOKEN = re.compile(r"(?P<star>\*)|\{(?P<kind>[A-Za-z][A-Za-z0-9_.-]*)\}|(?P<text>[^*{}]+)")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern.

    `text` is as configured, `kinds` are the identifier kinds of its captures, by group number.
    `greedy` and `lazy` accept the same names; their groups are the first and the last of all
    ways to cut a name, so that where they are equal there is only one way.
    """

    text: str
    greedy: re.Pattern[str]
    lazy: re.Pattern[str]
    kinds: tuple[tuple[int, str], ...]

    def match(self, name: str) -> Owners | None:
        """The owners that a name names (perhaps none), or None where it doesn't match.

        Raises BadUpstream(BODY_AMBIGUOUS) where it names them in two ways.
        """
        found = self.greedy.fullmatch(name)
        if found is None:
            return None
        if not self.kinds:
            return ()
        other = self.lazy.fullmatch(name)
        if other is None or found.groups() != other.groups():
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a member's name names its owner in two ways")
        owners = {
            kind: SubjectRef(kind, identifier(found[group], self.text))
            for group, kind in self.kinds
        }
        if any(found[group] != owners[kind].value for group, kind in self.kinds):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a member's name names two owners of one kind")
        return tuple(owners.values())


@lru_cache(maxsize=1024)
def compile_pattern(text: str) -> Pattern:
    """Raises ValueError, naming what is wrong with the pattern."""
    greedy: list[str] = []
    lazy: list[str] = []
    kinds: list[tuple[int, str]] = []
    groups = 0
    segments = text.split("/")
    if segments.count("**") > 2:
        raise ValueError("more than two **")
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        if segment == "**":
            groups += 1
            tail = "[^/]+" if last else ""
            greedy.append(f"((?:[^/]+/)*{tail})")
            lazy.append(f"((?:[^/]+/)*?{tail})")
            continue
        separator = "" if last else "/"
        tokens = _tokens(segment)
        if not any(token["kind"] for token in tokens):
            plain = _without_captures(tokens) + separator
            greedy.append(plain)
            lazy.append(plain)
            continue
        if sum(1 for token in tokens if not token["text"]) > 2:
            raise ValueError("a segment with an identifier has at most one more wildcard")
        for token in tokens:
            if token["text"]:
                literal = re.escape(token["text"])
                greedy.append(literal)
                lazy.append(literal)
                continue
            groups += 1
            run = "[^/]*" if token["star"] else "[^/]+"
            greedy.append(f"({run})")
            lazy.append(f"({run}?)")
            if token["kind"]:
                kinds.append((groups, token["kind"]))
        greedy.append(separator)
        lazy.append(separator)
    return Pattern(text, re.compile("".join(greedy)), re.compile("".join(lazy)), tuple(kinds))


def _tokens(segment: str) -> list[re.Match[str]]:
    tokens: list[re.Match[str]] = []
    at = 0
    while at < len(segment):
        token = _TOKEN.match(segment, at)
        if token is None:
            raise ValueError("a brace that doesn't enclose an identifier kind")
        tokens.append(token)
        at = token.end()
    if not tokens:
        raise ValueError("an empty segment")
    if any(not (one["text"] or two["text"]) for one, two in pairwise(tokens)):
        raise ValueError("two wildcards with nothing between them; ** is a segment of its own")
    return tokens


def _without_captures(tokens: list[re.Match[str]]) -> str:
    """A star takes as little as it can and never gives it back: only the last one matters."""
    pieces: list[str] = []
    last_star = max((index for index, token in enumerate(tokens) if token["star"]), default=-1)
    index = 0
    while index < len(tokens):
        literal = tokens[index]["text"]
        if literal:
            pieces.append(re.escape(literal))
        elif index == last_star:
            pieces.append("[^/]*")
        else:
            index += 1
            pieces.append(f"(?>[^/]*?{re.escape(tokens[index]['text'])})")
        index += 1
    return "".join(pieces)


UNMATCHED = MemberSpec(match="**", attribution=Attribution.NONE)
"""How a member is read that no pattern matches."""


def first_match(name: str, specs: Iterable[MemberSpec]) -> tuple[MemberSpec, Owners]:
    """The first specification whose pattern matches, or UNMATCHED, and the owners in the name.

    Raises BadUpstream(BODY_AMBIGUOUS) where the name can be read in two ways.
    """
    for spec in specs:
        owners = compile_pattern(spec.match).match(name)
        if owners is not None:
            return spec, owners
    return UNMATCHED, ()


@dataclass(frozen=True, slots=True)
class Member:
    """What is known about one member besides its contents.

    `named` are the owners in its name, `vouched` those that a manifest names for it, `held` those
    of everything in the archive, `told` those in a header of its own.
    """

    spec: MemberSpec
    named: Owners
    vouched: Owners
    held: Owners = ()
    told: Owners = ()

    @property
    def is_structured(self) -> bool:
        """Whether the member is made of records of its own, or says itself whose it is."""
        return self.spec.format is not Format.OPAQUE or bool(self.spec.subject)

    @property
    def tells(self) -> bool:
        """Whether what is inside names owners by itself."""
        return bool(self.spec.subject or self.spec.members or self.spec.embedded)

    def outer_owners(self) -> Owners:
        """The owners of the whole member, as its configuration attributes it.

        Empty: it is an orphan. Raises BadUpstream(BODY_AMBIGUOUS) where path, manifest, archive and
        its own header name different owners of one kind; of different kinds, they own the member
        together.
        """
        both = joint(joint(self.named, self.vouched), self.told)
        if self.tells:
            shared = self.spec.attribution is Attribution.CONTAINER
            return joint(both, self.held) if shared else both
        match self.spec.attribution:
            case Attribution.MANIFEST:
                return both if self.vouched else ()
            case Attribution.PATH:
                return both if self.named else ()
            case Attribution.CONTAINER:
                return joint(both, self.held) if self.held else ()
            case Attribution.DIRECT:
                return both if self.told else ()
            case Attribution.NONE:
                return ()
            case other:
                assert_never(other)

    def owners(self, found: Owners) -> Owners:
        """The owners of a record inside, `found` being those that it names itself."""
        if not self.tells:
            return self.outer_owners()
        return joint(found, self.outer_owners()) if found else ()


def joint(own: Owners, other: Owners) -> Owners:
    """All owners of both, which must agree where they name the same kinds.

    Raises BadUpstream(BODY_AMBIGUOUS).
    """
    if not (own and other):
        return own or other
    for kind in {owner.kind for owner in own} & {owner.kind for owner in other}:
        values = {owner for owner in own if owner.kind == kind}
        if values != {owner for owner in other if owner.kind == kind}:
            raise BadUpstream(
                Code.BODY_AMBIGUOUS, "content, path and manifest name different owners"
            )
    return own + tuple(owner for owner in other if owner not in own)
