"""Character encodings: received bytes → clean UTF-8 text, piece by piece, and exactly back.

Formats made of lines and cells read UTF-8, whatever came. Each encoding here decodes strictly and
one-to-one, so that what a format keeps is encoded back to the very bytes that came.

An encoding is proven by a byte order mark or named by the configuration, never guessed. A U+FEFF
after the first character, or a control character other than tab, CR and LF, is refused: some
readers end a line or the whole text there, others don't.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from gateway.errors import BadUpstream, Code


class Charset(StrEnum):
    """The encodings there are, by the names of their Python codecs."""

    UTF_8 = "utf-8"
    UTF_16_LE = "utf-16-le"
    UTF_16_BE = "utf-16-be"
    LATIN_1 = "iso-8859-1"
    WINDOWS_1252 = "windows-1252"


_UTF_16 = frozenset({Charset.UTF_16_LE, Charset.UTF_16_BE})

LABELS: dict[str, frozenset[Charset]] = {
    "utf-8": frozenset({Charset.UTF_8}),
    "utf8": frozenset({Charset.UTF_8}),
    "us-ascii": frozenset({Charset.UTF_8}),
    "ascii": frozenset({Charset.UTF_8}),
    "utf-16": _UTF_16,
    "utf-16-le": frozenset({Charset.UTF_16_LE}),
    "utf-16le": frozenset({Charset.UTF_16_LE}),
    "utf-16-be": frozenset({Charset.UTF_16_BE}),
    "utf-16be": frozenset({Charset.UTF_16_BE}),
    "iso-8859-1": frozenset({Charset.LATIN_1}),
    "latin-1": frozenset({Charset.LATIN_1}),
    "latin1": frozenset({Charset.LATIN_1}),
    "windows-1252": frozenset({Charset.WINDOWS_1252}),
    "cp1252": frozenset({Charset.WINDOWS_1252}),
}
"""Lower-case label, in a configuration or a `charset` parameter → what it may stand for."""

_MARKS = {
    codecs.BOM_UTF8: Charset.UTF_8,
    codecs.BOM_UTF16_LE: Charset.UTF_16_LE,
    codecs.BOM_UTF16_BE: Charset.UTF_16_BE,
}
_LONGEST_MARK = 3

_CONTROLS = bytes({*range(0x20)} - {*b"\t\r\n"})
_U_FEFF = codecs.BOM_UTF8
_UNCLEAN = re.compile(b"[" + re.escape(_CONTROLS) + b"]|" + _U_FEFF)
_C1 = re.compile("[\x80-\x9f]")


def known_label(label: str) -> str:
    """`label` itself. Raises ValueError, naming the labels there are."""
    if label.lower() not in LABELS:
        raise ValueError(f"unknown encoding; the encodings are {', '.join(LABELS)}")
    return label


@dataclass(frozen=True, slots=True)
class Encoding:
    """How one body is encoded: the charset, and the byte order mark that stood before the text."""

    charset: Charset
    mark: bytes = b""

    def encode(self, text: bytes) -> bytes:
        """UTF-8 text as it came."""
        return text if self.charset is Charset.UTF_8 else text.decode().encode(self.charset)


def settle(configured: str | None, head: bytes) -> Encoding:
    """The encoding of a body that begins with `head` (at least its first three bytes, if any).

    Raises BadUpstream(BODY_AMBIGUOUS) where a byte order mark contradicts the configuration, and
    where UTF-16 of either byte order is configured and no mark says which. `auto` that no
    response has decided is as if nothing were configured.
    """
    mark = next((mark for mark in _MARKS if head.startswith(mark)), b"")
    if configured in (None, "auto"):
        return Encoding(_MARKS[mark] if mark else Charset.UTF_8, mark)
    permitted = LABELS[configured.lower()]
    if mark:
        if _MARKS[mark] not in permitted:
            raise BadUpstream(
                Code.BODY_AMBIGUOUS, "a byte order mark that contradicts the encoding"
            )
        return Encoding(_MARKS[mark], mark)
    if len(permitted) > 1:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "UTF-16 without a byte order mark")
    return Encoding(min(permitted))


def read_text(chunks: Iterable[bytes], configured: str | None) -> tuple[Encoding, Iterator[bytes]]:
    """The encoding, and the text behind the byte order mark as UTF-8.

    Each piece is non-empty and ends at a character's end. Raises BadUpstream like `settle`; while
    the pieces are read BODY_MALFORMED for bytes that the encoding doesn't have, BODY_AMBIGUOUS for
    characters that readers treat differently. The text before such a fault is handed out first,
    so that how the body was cut into chunks never changes what is found.
    """
    source = iter(chunks)
    head = b""
    for chunk in source:
        head += chunk
        if len(head) >= _LONGEST_MARK:
            break
    encoding = settle(configured, head)
    return encoding, _pieces(head[len(encoding.mark) :], source, encoding.charset)


def _pieces(head: bytes, chunks: Iterator[bytes], charset: Charset) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(charset)("strict")
    received = ((chunk, False) for chunk in chain((head,), chunks))
    for chunk, final in chain(received, ((b"", True),)):
        fault: BadUpstream | None = None
        try:
            text = decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            text = error.object[: error.start].decode(charset)
            fault = BadUpstream(Code.BODY_MALFORMED, f"bytes that are not {charset}")
        if charset is Charset.LATIN_1 and (c1 := _C1.search(text)):
            # WHATWG readers take the label for windows-1252, which has letters and signs here.
            text = text[: c1.start()]
            fault = BadUpstream(Code.BODY_AMBIGUOUS, "C1 control characters in ISO-8859-1")
        piece = text.encode()
        # Looking first whether there is any is four times as fast as a search for where.
        suspect = len(piece.translate(None, _CONTROLS)) < len(piece) or _U_FEFF in piece
        if suspect and (unclean := _UNCLEAN.search(piece)):
            piece = piece[: unclean.start()]
            fault = BadUpstream(Code.BODY_AMBIGUOUS, "a control character, or U+FEFF in the text")
        if piece:
            yield piece
        if fault:
            raise fault
