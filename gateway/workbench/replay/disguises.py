"""A logged question → questions that a policy can be asked.

The pseudonyms of the bundle's own words become those words again, and so do those of the words
that the question itself holds in plain (its endpoint, kinds, labels, categories): a scope may be
compared with the name of an endpoint. What is left is opaque, and is put into two disguises that
keep equality and type and turn everything else around: letters, length, order, sign.

Both are made in the question's own JSON, where a pseudonym is a whole text and nothing else is.
"""

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import lru_cache
from typing import assert_never

import msgspec

from gateway.decisionlog.pseudonyms import NUMBER, Pseudonyms
from gateway.workbench.replay.vocabulary import Constant

_PSEUDONYM = re.compile(rb'"[pn]1:[0-9a-f]{32}"')
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')
_TURNED = bytes.maketrans(b"0123456789abcdef", b"FEDCBA9876543210")
_FAR = 2**62
"""Numbers in disguise are this far from zero, to one side or the other, and fit into 64 bits."""


class Disguise(Enum):
    """Two ways to spell what nobody knows."""

    PLAIN = "plain"
    TURNED = "turned"


class Disguises:
    """Disguises the questions of one log, for policies whose words are `words`."""

    def __init__(self, names: Pseudonyms, words: Iterable[Constant]) -> None:
        self._words: Mapping[bytes, bytes] = {
            _quoted(names.value(word)): msgspec.json.encode(word) for word in words
        }
        # Cached: the configuration's few words are in every question.
        self._pseudonym = lru_cache(maxsize=65_536)(
            lambda text: _quoted(names.value(msgspec.json.decode(text, type=str)))
        )

    def of(self, question: bytes) -> tuple[bytes, bytes]:
        """The question in each of the two disguises. All three are JSON."""
        texts = {text for text in _TEXT.findall(question) if not _PSEUDONYM.fullmatch(text)}
        own = {self._pseudonym(text): text for text in texts}
        plain, turned = (self._spelled(question, own, each) for each in Disguise)
        return plain, turned

    def _spelled(self, question: bytes, own: Mapping[bytes, bytes], disguise: Disguise) -> bytes:
        words = self._words

        def spell(match: re.Match[bytes]) -> bytes:
            found = match[0]
            return own.get(found) or words.get(found) or _opaque(found, disguise)

        return _PSEUDONYM.sub(spell, question)


def _quoted(pseudonym: str) -> bytes:
    return b'"%s"' % pseudonym.encode()


def _opaque(pseudonym: bytes, disguise: Disguise) -> bytes:
    """Different for different pseudonyms, and of the type of what stood there."""
    number = int(pseudonym[4:19], 16) if pseudonym[1:4] == _NUMBER else None
    match disguise:
        case Disguise.PLAIN:
            return pseudonym if number is None else b"%d" % (_FAR + number)
        case Disguise.TURNED:
            # Before every letter and digit, in the opposite order, in capitals, shorter.
            turned = b'"!' + pseudonym[4:].translate(_TURNED)
            return turned if number is None else b"%d" % (-_FAR - number)
        case _:
            assert_never(disguise)


_NUMBER = NUMBER.encode()
