"""What cells refer to: shared strings and number formats, held in bounded memory."""

from array import array
from typing import NamedTuple

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.inspection.source import Source
from gateway.inspection.xlsxmarkup import (
    END,
    START,
    RichText,
    check_blank,
    check_text,
    elements,
    tokens,
)

_HELD = 4
"""Shared strings take up so many records of `limits.record` together."""

_STYLES = 65_536
"""More than any program writes (Excel: 65,490)."""

_BUILT_IN = frozenset((*range(23), *range(37, 50)))
"""ECMA-376 part 1, 18.8.30. Those between and behind them depend on the reader's language."""

_LONGEST_CODE = 1024

_PLAIN = frozenset({"General", "GENERAL", "0"})


class NumberFormat(NamedTuple):
    """How a number is shown: one of the built-in formats, or a code that the workbook has."""

    number: int = 0
    code: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether an integer is shown as its digits, and as no date."""
        return self.number in (0, 1) if self.code is None else self.code in _PLAIN


class Strings:
    """The shared strings, by their place: one run of bytes, and where each of them ends.

    Raises BadUpstream: BODY_TOO_LARGE, and as `xlsxmarkup` does.
    """

    def __init__(self, source: Source | None, limits: Limits) -> None:
        self._text, self._ends = bytearray(), array("Q", (0,))
        if source:
            self._read(source, limits)

    def at(self, place: int) -> str:
        """Raises BadUpstream(BODY_MALFORMED) where there is none."""
        if place + 1 >= len(self._ends):
            raise BadUpstream(Code.BODY_MALFORMED, "a shared string that isn't there")
        return self._text[self._ends[place] : self._ends[place + 1]].decode()

    def _read(self, source: Source, limits: Limits) -> None:
        depth, rich = 0, RichText()
        for kind, name, attributes in tokens(source, limits):
            if kind == START:
                if depth >= 2:
                    rich.start(name, attributes)
                elif name != ("sst", "si")[depth]:
                    raise BadUpstream(Code.BODY_TOO_COMPLEX, "no shared strings, or more than them")
                else:
                    rich = RichText()
                depth += 1
            elif kind == END:
                depth -= 1
                if depth >= 2:
                    rich.end()
                elif depth == 1:
                    self._text += rich.whole().encode()
                    self._ends.append(len(self._text))
                    if len(self._text) + 8 * len(self._ends) > _HELD * limits.record:
                        raise BadUpstream(Code.BODY_TOO_LARGE, "too many shared strings")
            elif depth >= 2:
                rich.text(name)
            else:
                check_blank(name)


class NumberFormats:
    """The number format of each cell style. Raises BadUpstream."""

    def __init__(self, source: Source | None, limits: Limits) -> None:
        self._codes: dict[int, str] = {}
        numbers = array("L")
        for path, attributes in elements(source, limits) if source else ():
            match path:
                case ("styleSheet", "numFmts", "numFmt"):
                    self._declare(attributes)
                case ("styleSheet", "cellXfs", "xf"):
                    numbers.append(_number(attributes.get("numFmtId", "0")))
            if max(len(numbers), len(self._codes)) > _STYLES:
                raise BadUpstream(Code.BODY_TOO_COMPLEX, "more styles than any program has")
        self._styles = [self._of(number) for number in numbers or (0,)]

    def of(self, style: int) -> NumberFormat:
        """Raises BadUpstream for a style that isn't there, or that readers take for several."""
        found = self._styles[style] if style < len(self._styles) else None
        if found is None:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a number format that isn't there")
        return found

    def _declare(self, attributes: dict[str, str]) -> None:
        number, code = _number(attributes.get("numFmtId", "")), attributes.get("formatCode", "")
        if not 0 < len(code) <= _LONGEST_CODE or self._codes.setdefault(number, code) != code:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a number format of no code, or of two")
        check_text(code, kept=True)

    def _of(self, number: int) -> NumberFormat | None:
        code = self._codes.get(number)
        return NumberFormat(number, code) if code or number in _BUILT_IN else None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadUpstream(Code.BODY_MALFORMED, "a style without a number")
    return int(text)
