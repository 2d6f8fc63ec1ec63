"""Where to guess that a batch of JSON records ends; whoever guesses proves it (see `jsonscan`)."""

import re

TRIES = 8
SHORTEST = 256
"""How many guesses a batch is worth, and how many bytes a batch that is worth a guess."""

_HEAD = re.compile(rb'[ \t\n\r]*+(?:\{[ \t\n\r]*+"[^"\\]{0,64}+"|.)', re.DOTALL)
_START = re.compile(rb"[ \t\n\r]*+.", re.DOTALL)
_TAIL = re.compile(rb'[]}"]*+[ \t\n\r]*\Z')


class Guide:
    """Where to guess the end of a batch.

    `marker` is what stands between two records, learnt from two neighbours: the end of a record as
    far as they agree, a comma, the beginning of a record. `comma` is the comma's place in it.
    `size` is how far to guess: less after wrong guesses, so that many short arrays in a row are
    not each searched for the records of the others. `wary` once a guess was wrong, `wrong` where
    the last one was.
    """

    def __init__(self, size: int) -> None:
        self.marker, self.comma, self.size = b"", 0, size
        self.wary = self.wrong = False

    def learn(self, first: bytes, second: bytes) -> None:
        """What stands between these two, which are neighbours."""
        tail = _text(_TAIL.search(first[-64:]))
        while not second.endswith(tail):
            tail = tail[1:]
        head = _text(_HEAD.match(second))
        if head.lstrip() != _text(_HEAD.match(first)).lstrip():
            head = _text(_START.match(second))
        self.marker, self.comma = tail + b"," + head, len(tail)


def _text(match: re.Match[bytes] | None) -> bytes:
    return match[0] if match else b""
