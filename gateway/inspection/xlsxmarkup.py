"""A part of an XLSX as tokens, and the texts in it (ECMA-376 part 1, section 18.4).

`xmlscan` reads the markup. Comments and CDATA sections are refused here: no program writes them
into a workbook, and readers disagree about a text that one of them cuts in two.

What a cell shows is a text, or runs of text in several fonts, one behind the other. Phonetic runs
stand beside it, and are refused: some readers take them for more of the text. So are texts with
space around them that isn't said to be kept (Excel drops it), and `_x000D_`, which stands for a
character to some readers only, in names and formats too.
"""

import re
from collections.abc import Iterator

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.inspection.source import Source
from gateway.inspection.xmlscan import Scan
from gateway.inspection.xpath import SEPARATOR

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_XML_SPACE = f"http://www.w3.org/XML/1998/namespace{SEPARATOR}space"

_SPACE = " \t\r\n"
# openpyxl takes `x005F_` out of a text, whatever stands before it.
_ESCAPE = re.compile("_x[0-9A-Fa-f]{4}_|x005F_")

_FONT = frozenset(
    {
        "rFont", "charset", "family", "b", "i", "strike", "outline", "shadow", "condense", "extend",
        "color", "sz", "u", "vertAlign", "scheme",
    }
)  # fmt: skip
"""What a run's font may say (18.4.7). Some readers find a text in it, or the end of a string."""

START, END, TEXT = "start", "end", "text"
Token = tuple[str, str, list[str]]
"""Which of the three it is, an element's name or the text, names and values of attributes in
turn."""


def tokens(source: Source, limits: Limits, namespace: str = MAIN) -> Iterator[Token]:
    """The tokens of a part; the names of elements in `namespace` without it.

    Raises BadUpstream as `xmlscan` does.
    """
    scan, seen = Scan(source, limits, doctype=False), _Seen(namespace)
    for _ in scan.run(seen):
        yield from seen.tokens
        seen.tokens.clear()
        scan.forget(seen.at)


def elements(
    source: Source, limits: Limits, namespace: str = MAIN
) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    """Each element of a part: the names of those around it and its own, and its attributes."""
    path: list[str] = []
    for kind, name, attributes in tokens(source, limits, namespace):
        if kind == START:
            path.append(name)
            yield tuple(path), dict(zip(attributes[::2], attributes[1::2], strict=True))
        elif kind == END:
            path.pop()


def check_text(text: str, kept: bool) -> str:
    """The text, if all readers read it alike; `kept` where the space around it is said to be.

    Raises BadUpstream(BODY_AMBIGUOUS).
    """
    if not kept and text.strip(_SPACE) != text:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a text with space around it that isn't preserved")
    if _ESCAPE.search(text):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "an escape that some readers decode")
    return text


def keeps_space(attributes: list[str]) -> bool:
    """Whether the space around a text is said to be part of it."""
    return (_XML_SPACE, "preserve") in zip(attributes[::2], attributes[1::2], strict=True)


def check_blank(text: str) -> None:
    """Nothing but white space stands where only elements may."""
    if text.strip(_SPACE):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a text beside the cells")


class RichText:
    """What is inside a shared string or an inline one: `t`, or runs `r` with a `t` in each."""

    __slots__ = ("_kept", "_path", "_plain", "_runs", "_text")

    def __init__(self) -> None:
        self._path: list[str] = []
        self._text: list[str] = []
        self._runs: list[str] = []
        self._plain = self._kept = False

    def start(self, name: str, attributes: list[str]) -> None:
        self._path.append(name)
        match self._path:
            case ["t"] | ["r", "t"]:
                again = self._text and len(self._path) == 2
                if self._plain or again or (self._runs and len(self._path) == 1):
                    raise BadUpstream(Code.BODY_AMBIGUOUS, "a text beside a text in one cell")
                self._plain = len(self._path) == 1
                self._text, self._kept = [""], keeps_space(attributes)
            case ["r"]:
                if self._plain:
                    raise BadUpstream(Code.BODY_AMBIGUOUS, "a text beside a text in one cell")
            case ["r", "rPr"] | ["phoneticPr"]:
                pass
            case ["r", "rPr", font] if font in _FONT:
                pass
            case _:
                raise BadUpstream(Code.BODY_TOO_COMPLEX, "phonetic runs, or what is no text")

    def end(self) -> None:
        name = self._path.pop()
        if name == "t" and self._plain:
            self._runs.append(check_text("".join(self._text), self._kept))
        elif name == "r" and not self._path:
            self._runs.append(check_text("".join(self._text), self._kept))
            self._text = []

    def text(self, text: str) -> None:
        if self._path in (["t"], ["r", "t"]):
            self._text.append(text)
        else:
            check_blank(text)

    def whole(self) -> str:
        """All of it."""
        return check_text("".join(self._runs), kept=True)


class _Seen:
    """See `xmlscan.Visitor`: the tokens of a block."""

    needed = None

    def __init__(self, namespace: str) -> None:
        self.tokens: list[Token] = []
        self.at = 0
        self._prefix = namespace + SEPARATOR

    def start(self, name: str, attributes: list[str], begin: int) -> None:
        self.at = begin
        # A name in no namespace, too, must be like none in ours.
        own = name.startswith(self._prefix)
        known = name[len(self._prefix) :] if own else f"{SEPARATOR}{name}"
        self.tokens.append((START, known, attributes))

    def end(self, begin: int) -> None:
        self.at = begin
        self.tokens.append((END, "", []))

    def text(self, text: str, begin: int) -> None:
        self.at = begin
        self.tokens.append((TEXT, text, []))

    def cdata(self, _begin: int, _opens: bool) -> None:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a CDATA section in a workbook")

    def comment(self, _begin: int, _end: int) -> None:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a comment in a workbook's markup")

    def doctype(self, _begin: int, _end: int) -> None:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a document type")
