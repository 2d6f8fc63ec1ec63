"""XML as it streams by, read strictly by expat, every token with the place where it stands.

Refused is what lets two readers see two documents, or makes one fetch or run something: entities
and document types (but for an element declaration's harmless kind, where it is configured),
processing instructions, XInclude and XOP, encodings other than UTF-8, and prefixes that mean two
namespaces. Nothing is ever opened: expat has no handler to open anything with.

CVE-2013-1664 (entities), CVE-2013-1665 (external ones), CVE-2023-52425 (a large token, read in
small pieces) are what this stands in front of.
"""

import re
from collections.abc import Iterator
from typing import Protocol
from xml.parsers import expat

from gateway.errors import BadUpstream, Code
from gateway.inspection.jsonreader import WINDOW, Blocks
from gateway.inspection.settings import Limits
from gateway.inspection.source import Source
from gateway.inspection.xpath import SEPARATOR

_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
XSI = f"{_INSTANCE}{SEPARATOR}"

_INCLUDING = frozenset({"http://www.w3.org/2001/XInclude", "http://www.w3.org/2004/08/xop/include"})
_URI = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]*:|(?![^/?#]*:))(?:[!#$&-;=?-Z_a-z~]|%[0-9A-Fa-f]{2})*"
)
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_NAME = rb"[^\s\[\]<>/=\"'%&;()|,?*+#]+"
_ATTRIBUTE = re.compile(rb"\s+([^\s=/>]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_TAG = re.compile(rb"<[^\s/>]+(?:%b)*+\s*(/?)>" % _ATTRIBUTE.pattern)
_DOCTYPE = re.compile(
    rb"<!DOCTYPE\s+%(name)b\s*\[(?:\s++|<!--(?:[^-]|-(?!-))*+-->|<!ELEMENT\s[^<>%%\"'&]*>"
    rb"|<!ATTLIST\s+%(name)b(?:\s+%(name)b\s+CDATA\s+#(?:REQUIRED|IMPLIED))*+\s*>)*+\]\s*>"
    % {b"name": _NAME}
)
_LONGEST_DOCTYPE = 64 * 1024
_OFX = re.compile(
    r'OFXHEADER="200" VERSION="[0-9]{3}" SECURITY="NONE" OLDFILEUID="NONE" NEWFILEUID="NONE"\s*'
)


class Visitor(Protocol):
    """What is told about each token. `begin` and `end` are places in the document, in bytes."""

    @property
    def needed(self) -> int | None:
        """The first byte whose text it will still ask for; None where that isn't yet seen."""

    def start(self, name: str, attributes: list[str], begin: int) -> None:
        """A start tag; `attributes` are names and values in turn, without declarations."""

    def end(self, begin: int) -> None:
        """The end of the innermost element; `begin` is where its end tag begins, if it has one."""

    def text(self, text: str, begin: int) -> None:
        """Some of a run of text."""

    def cdata(self, begin: int, opens: bool) -> None:
        """A CDATA section opens or closes; its text comes as any other."""

    def comment(self, begin: int, end: int) -> None:
        """A comment."""

    def doctype(self, begin: int, end: int) -> None:
        """A document type in which there are comments."""


class Scan:
    """One reading of a document. `hinting` from where attributes may say where schemas are.

    Everything raises BadUpstream: BODY_MALFORMED for what isn't well-formed, BODY_AMBIGUOUS for
    what readers treat differently, BODY_TOO_LARGE and BODY_TOO_COMPLEX past a limit.
    """

    def __init__(self, source: Source, limits: Limits, doctype: bool) -> None:
        self._blocks, self._limits, self._with_doctype = Blocks(source), limits, doctype
        self._buffer, self._base = b"", 0
        self._prefixes: dict[str, str] = {}
        self._depth, self._doctype, self._rooted = 0, -1, False
        self.hinting = False
        self._parser = expat.ParserCreate("utf-8", SEPARATOR)

    def run(self, visitor: Visitor) -> Iterator[None]:
        """Tell the visitor of each token; yields after each block, and at the end."""
        self._wire(visitor)
        window = min(WINDOW, self._limits.record)
        # As much again as is held: what isn't complete is looked through about twice.
        while block := self._blocks.read(max(window, len(self._buffer))):
            self._buffer += block
            if self._base == 0 and self._buffer.startswith(_WIDE):
                raise _ambiguous("an encoding other than UTF-8", 0)
            if b"\0" in block:
                # No character of XML. expat takes `<\0` for UTF-16, whatever it was told.
                raise BadUpstream(Code.BODY_MALFORMED, "a NUL")
            self._parse(block, False)
            at = max(self._parser.CurrentByteIndex, self._base)
            needed = self._base if not self._rooted else visitor.needed
            needed = at if needed is None else needed
            longest = max(at - needed, self._base + len(self._buffer) - at)
            if longest > self._limits.record:
                raise self.too_large(needed)
            if 0 <= self._doctype < at - _LONGEST_DOCTYPE:
                raise self.too_large(self._doctype)
            yield
        self._parse(b"", True)
        yield

    @property
    def size(self) -> int:
        """How much of the document has been read."""
        return self._base + len(self._buffer)

    def raw(self, begin: int, end: int) -> bytes:
        """The bytes at a place that is still held."""
        return self._buffer[begin - self._base : end - self._base]

    def forget(self, before: int) -> None:
        """Hold nothing any more that stands before a place; what is before the root, to the end."""
        if self._rooted and before > self._base:
            self._buffer = self._buffer[before - self._base :]
            self._base = before

    def tag(self, begin: int) -> tuple[int, bool]:
        """Where the tag ends that begins there, and whether it is an element by itself: `<a/>`."""
        found = _TAG.match(self._buffer, begin - self._base)
        if found is None:
            raise AssertionError("expat took for a tag what is none")
        return self._base + found.end(), found[3] == b"/"

    def attributes(self, begin: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """Where each attribute stands in the tag, with the space before it, and where its value,
        without quotes; in order, without namespace declarations."""
        end, _ = self.tag(begin)
        for found in _ATTRIBUTE.finditer(self._buffer, begin - self._base, end - self._base):
            if found[1] != b"xmlns" and not found[1].startswith(b"xmlns:"):
                start, stop = found.span()
                value = found.start(2) + 1, found.end(2) - 1
                yield (
                    (self._base + start, self._base + stop),
                    (self._base + value[0], self._base + value[1]),
                )

    def element_end(self, begin: int, end_tag: int) -> int:
        """Where the element ends that begins at `begin`, and its end tag, if any, at `end_tag`."""
        end, alone = self.tag(begin)
        return end if alone else self._base + self._buffer.index(b">", end_tag - self._base) + 1

    def ambiguous(self, what: str) -> BadUpstream:
        """A refusal for what stands at the token that was read last."""
        return _ambiguous(what, self._parser.CurrentByteIndex)

    def too_large(self, begin: int) -> BadUpstream:
        where = f"at byte {begin}"
        return BadUpstream(Code.BODY_TOO_LARGE, f"an element longer than limits.record, {where}")

    def _parse(self, block: bytes, final: bool) -> None:
        try:
            self._parser.Parse(block, final)
        except expat.ExpatError:
            where = f"not well-formed at byte {self._parser.ErrorByteIndex}"
            raise BadUpstream(Code.BODY_MALFORMED, where) from None

    def _wire(self, visitor: Visitor) -> None:
        parser, most = self._parser, 2 * self._limits.fields

        def start(name: str, attributes: list[str]) -> None:
            self._depth += 1
            self._rooted = True
            if self._depth > self._limits.depth:
                raise BadUpstream(Code.BODY_TOO_COMPLEX, "nested deeper than limits.depth")
            if len(attributes) > most:
                raise BadUpstream(Code.BODY_TOO_COMPLEX, "more attributes than limits.fields")
            visitor.start(name, attributes, parser.CurrentByteIndex)

        def end(_name: str) -> None:
            self._depth -= 1
            visitor.end(parser.CurrentByteIndex)

        def text(data: str) -> None:
            visitor.text(data, parser.CurrentByteIndex)

        def cdata() -> None:
            visitor.cdata(parser.CurrentByteIndex, True)

        def cdata_end() -> None:
            visitor.cdata(parser.CurrentByteIndex, False)

        def comment(text: str) -> None:
            if self._doctype < 0:
                begin = parser.CurrentByteIndex
                # Behind the opener: the dashes of `<!-->` are its own.
                end = self._buffer.index(b"-->", begin - self._base + len(b"<!--")) + 3
                visitor.comment(begin, self._base + end)

        def doctype_end() -> None:
            close = self._buffer.index(b">", parser.CurrentByteIndex - self._base) + 1
            begin, self._doctype = self._doctype, -1
            whole = self._buffer[begin - self._base : close]
            if not _DOCTYPE.fullmatch(whole):
                raise _ambiguous("a document type that isn't plain declarations", begin)
            if b"<!--" in whole:
                visitor.doctype(begin, self._base + close)

        parser.ordered_attributes = True
        parser.StartElementHandler, parser.EndElementHandler = start, end
        parser.CharacterDataHandler, parser.CommentHandler = text, comment
        parser.StartCdataSectionHandler, parser.EndCdataSectionHandler = cdata, cdata_end
        parser.EndDoctypeDeclHandler = doctype_end
        parser.XmlDeclHandler = self._declaration
        parser.StartNamespaceDeclHandler = self._namespace
        parser.StartDoctypeDeclHandler = self._doctype_start
        parser.ProcessingInstructionHandler = self._instruction
        parser.EntityDeclHandler = parser.NotationDeclHandler = self._refuse_entity
        parser.SkippedEntityHandler = parser.ExternalEntityRefHandler = self._refuse_entity

    def _declaration(self, version: str, encoding: str | None, _standalone: int) -> None:
        if version != "1.0":
            raise _ambiguous("another version of XML than 1.0", 0)
        if encoding is not None and encoding.lower() != "utf-8":
            raise _ambiguous("an encoding other than UTF-8", 0)

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        """Readers that go by the prefix must find what those find that go by the namespace."""
        if uri in _INCLUDING:
            raise self.ambiguous("an inclusion")
        # libxml2 refuses the document; and a declaration stays, whatever text is in it.
        if not _URI.fullmatch(uri or ""):
            raise self.ambiguous("a namespace that is no URI")
        self.hinting = self.hinting or uri == _INSTANCE
        if prefix is not None and self._prefixes.setdefault(prefix, uri or "") != uri:
            raise self.ambiguous("a prefix that means two namespaces")
        if len(self._prefixes) > self._limits.fields:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "more prefixes than limits.fields")

    def _doctype_start(self, _name: str, system: str | None, public: str | None, _in: bool) -> None:
        if not self._with_doctype or system is not None or public is not None:
            raise self.ambiguous("a document type")
        # expat stands at its `[`, if it has one; it is the first thing behind the declaration.
        self._doctype = self._base + self._buffer.rindex(
            b"<!DOCTYPE", 0, self._parser.CurrentByteIndex - self._base
        )

    def _instruction(self, target: str, data: str) -> None:
        if target != "OFX" or self._rooted or not _OFX.fullmatch(data):
            raise self.ambiguous("a processing instruction")

    def _refuse_entity(self, *_: object) -> int:
        raise self.ambiguous("an entity")


def _ambiguous(what: str, at: int) -> BadUpstream:
    return BadUpstream(Code.BODY_AMBIGUOUS, f"{what}, at byte {at}")
