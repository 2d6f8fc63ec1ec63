"""XMP (ISO 16684-1): the texts of some properties in a packet, wherever they stand in it.

A property is an element or an attribute of a description, its text its own or that of the items of
a list, or an attribute in place of either (`rdf:value`, `rdf:resource`). Other readers take the
first or the last of them, or the one in their language; here all of them are found, and whoever
asks wants one value. A document type is refused, and with it entities; so is a value that stands
elsewhere and is only named (`rdf:nodeID`), which XMP doesn't know and other readers of RDF do.
"""

import re
from collections.abc import Mapping
from xml.parsers import expat

from gateway.errors import BadUpstream, Code

_BETWEEN = " "
"""Namespace and name; no namespace has it in it."""

DC = f"http://purl.org/dc/elements/1.1/{_BETWEEN}"
XAP = f"http://ns.adobe.com/xap/1.0/{_BETWEEN}"
PDF = f"http://ns.adobe.com/pdf/1.3/{_BETWEEN}"
PDFX = f"http://ns.adobe.com/pdfx/1.3/{_BETWEEN}"

PHOTOSHOP = f"http://ns.adobe.com/photoshop/1.0/{_BETWEEN}"
TIFF = f"http://ns.adobe.com/tiff/1.0/{_BETWEEN}"

_RDF = f"http://www.w3.org/1999/02/22-rdf-syntax-ns#{_BETWEEN}"
_NODE = f"{_RDF}nodeID"
_ABOUT = {f"http://www.w3.org/XML/1998/namespace{_BETWEEN}lang", f"{_RDF}parseType"}
"""Attributes in a property that say something about its value; all others are values."""

_MOST = 1 << 20
"""Bytes of a packet."""
_DEEPEST = 64
_BLANK = " \t\r\n"
_ENCODING = re.compile(rb"""<\?xml[^>]*\bencoding\s*=\s*["'](?!utf-?8["'])""", re.IGNORECASE)


def values(packet: bytes, wanted: Mapping[str, str]) -> dict[str, list[str]]:
    """The texts of each property: `wanted` is namespace and name in one → what it is called here.

    Raises BadUpstream: BODY_MALFORMED, BODY_AMBIGUOUS for a packet that isn't UTF-8 or has a
    document type, BODY_TOO_LARGE, BODY_TOO_COMPLEX.
    """
    if len(packet) > _MOST:
        raise BadUpstream(Code.BODY_TOO_LARGE, "an XMP packet that is too large")
    if _ENCODING.search(packet[:256]):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "an XMP packet that isn't in UTF-8")
    walk = _Walk(wanted)
    parser = expat.ParserCreate("utf-8", _BETWEEN)
    parser.buffer_text = True
    parser.StartElementHandler = walk.start
    parser.EndElementHandler = walk.end
    parser.CharacterDataHandler = walk.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        packet.decode()  # expat follows the mark of UTF-16, whatever it was told
        parser.Parse(packet, True)
    except (expat.ExpatError, UnicodeDecodeError):
        raise BadUpstream(Code.BODY_MALFORMED, "an XMP packet with a fault in it") from None
    return walk.found


class _Walk:
    """`open` says for each open element which property it belongs to, if to any."""

    def __init__(self, wanted: Mapping[str, str]) -> None:
        self._wanted = wanted
        self._open: list[str | None] = [None]
        self._texts: list[str] = []
        self.found: dict[str, list[str]] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._take()
        inside = self._wanted.get(name, self._open[-1])
        for each, value in attributes.items():
            if each == _NODE:
                raise BadUpstream(Code.BODY_AMBIGUOUS, "an XMP packet with named nodes")
            named = self._wanted.get(each, None if each in _ABOUT else inside)
            if named is not None:
                self.found.setdefault(named, []).append(value)
        self._open.append(inside)
        if len(self._open) > _DEEPEST:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "an XMP packet that is nested too deep")

    def text(self, text: str) -> None:
        self._texts.append(text)

    def end(self, _name: str) -> None:
        self._take()
        self._open.pop()

    def _take(self) -> None:
        text, self._texts = "".join(self._texts), []
        inside = self._open[-1]
        if inside is not None and text.strip(_BLANK):
            self.found.setdefault(inside, []).append(text)


def _refuse_doctype(*_: object) -> None:
    raise BadUpstream(Code.BODY_AMBIGUOUS, "an XMP packet with a document type")
