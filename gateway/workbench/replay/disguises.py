"""A logged question → questions that a policy can be asked.

The pseudonyms of the bundle's own words become those words again, and so do those of the words
that the question itself holds in plain (its endpoint, kinds, labels, categories): a scope may be
compared with the name of an endpoint. What is left is opaque, and is put into two disguises that
keep equality and type and turn everything else around: letters, length, order, sign.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, assert_never

from gateway.decisionlog.pseudonyms import NUMBER, Pseudonyms
from gateway.workbench.replay.vocabulary import Constant

_PSEUDONYM = re.compile(r"[pn]1:[0-9a-f]{32}", re.ASCII)
_TURNED = str.maketrans("0123456789abcdef", "FEDCBA9876543210")
_FAR = 2**62
"""Numbers in disguise are this far from zero, to one side or the other, and fit into 64 bits."""


class Disguise(Enum):
    """Two ways to spell what nobody knows."""

    PLAIN = "plain"
    TURNED = "turned"


class Disguises:
    """Disguises the questions of one log, for policies whose words are `words`."""

    def __init__(self, names: Pseudonyms, words: Iterable[Constant]) -> None:
        self._words: Mapping[str, Constant] = {names.value(word): word for word in words}
        self._name: Callable[[str], str] = lru_cache(maxsize=65_536)(names.value)

    def of(self, question: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The question in each of the two disguises."""
        # The exchange's id and time are nobody's words, and new in every entry.
        rest = {name: value for name, value in question.items() if name != "exchange"}
        own = {self._name(text): text for text in _plain(rest)}
        plain, turned = (_Speller(self._words, own, each).spell(question) for each in Disguise)
        return plain, turned


@dataclass(frozen=True, slots=True)
class _Speller:
    words: Mapping[str, Constant]
    own: Mapping[str, str]
    disguise: Disguise

    def spell(self, value: Any) -> Any:
        """A JSON value with every pseudonym in it replaced."""
        match value:
            case str() if _PSEUDONYM.fullmatch(value):
                own = self.own.get(value)
                word = self.words.get(value) if own is None else own
                return _opaque(value, self.disguise) if word is None else word
            case list():
                return [self.spell(each) for each in value]
            case dict():
                return {self.spell(name): self.spell(each) for name, each in value.items()}
            case _:
                return value


def _opaque(pseudonym: str, disguise: Disguise) -> str | int:
    """Different for different pseudonyms, and of the type of what stood there."""
    number = int(pseudonym[3:18], 16) if pseudonym.startswith(NUMBER) else None
    match disguise:
        case Disguise.PLAIN:
            return pseudonym if number is None else _FAR + number
        case Disguise.TURNED:
            # Before every letter and digit, in the opposite order, in capitals, shorter.
            return "!" + pseudonym[3:].translate(_TURNED) if number is None else -_FAR - number
        case _:
            assert_never(disguise)


def _plain(value: Any) -> Iterator[str]:
    match value:
        case str() if not _PSEUDONYM.fullmatch(value):
            yield value
        case list():
            for each in value:
                yield from _plain(each)
        case dict():
            for name, each in value.items():
                yield from _plain(name)
                yield from _plain(each)
