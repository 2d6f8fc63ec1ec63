"""What a PDF says of itself (ISO 32000-2 section 14.3): its document information and its XMP.

Readers mend PDFs, and show the one or the other of two places that say who wrote the document. So
a PDF is taken only as it leaves its writer (`pdftable`): an update is appended to a PDF, and a file
for the web has two tables; both are refused, and so is what is encrypted.

What is left is read by pypdf, in its strict mode; it comes with the extra `metadata`. Only the few
objects on the way are parsed, no page. What the information says and what XMP says for the same
name are values of it: whoever asks wants one.
"""

import io
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import locators, pdftable, xmp

LIBRARY = "pypdf"

_ENTRIES = 10_000
"""In a dictionary or an array."""
_LONGEST = 1 << 22
"""Bytes that a stream on the way may unfold to."""

_PROPERTIES = {
    "Title": (f"{xmp.DC}title", f"{xmp.XAP}Title", f"{xmp.PHOTOSHOP}Title"),
    "Author": (
        f"{xmp.DC}creator",
        f"{xmp.XAP}Author",
        f"{xmp.PHOTOSHOP}Author",
        f"{xmp.TIFF}Artist",
    ),
    "Subject": (
        f"{xmp.DC}description",
        f"{xmp.XAP}Description",
        f"{xmp.PHOTOSHOP}Caption",
        f"{xmp.TIFF}ImageDescription",
    ),
    "Creator": (f"{xmp.XAP}CreatorTool",),
}
"""Where XMP has what the information has, and what its readers take for the same (the aliases of
Adobe's XMP Toolkit). Any entry may be a property of its own name of `pdf` and `pdfx`, too."""


def read(data: bytes, names: Collection[str]) -> dict[str, list[str]]:
    """The values of each name, those of the document information first. Raises BadUpstream."""
    begin = pdftable.check_ends(data)
    with _refusing(), _bounded():
        document = _Document(data, begin)
        found = document.information(names)
        packet = document.packet()
    wanted = {
        each: name
        for name in names
        for each in (f"{xmp.PDF}{name}", f"{xmp.PDFX}{name}", *_PROPERTIES.get(name, ()))
    }
    for name, values in xmp.values(packet, wanted).items() if packet else ():
        found[name] = [*found.get(name, ()), *values]
    return found


class _Document:
    """The objects of a PDF that say something. `pypdf` raises whatever it likes."""

    def __init__(self, data: bytes, begin: int) -> None:
        pypdf = library()
        if b"/Encrypt" in data:
            raise _encrypted()
        self._reader = pypdf.PdfReader(
            io.BytesIO(data), strict=True, xref_stream_maximum_entries=pdftable.OBJECTS
        )
        if self._reader.is_encrypted:
            raise _encrypted()
        if {"/Prev", "/XRefStm"} & self._reader.trailer.keys():
            raise _ambiguous("a PDF of several revisions or tables")
        self._objects = pdftable.check(data, begin, self._reader)

    def information(self, names: Collection[str]) -> dict[str, list[str]]:
        trailer = self._reader.trailer
        if "/Info" not in trailer:
            return {}
        entries = self._object(trailer.raw_get("/Info"))
        if not isinstance(entries, library().generic.DictionaryObject):
            raise _ambiguous("a document information that isn't one")
        present = {str(name).removeprefix("/") for name in entries}
        for name in names:
            locators.check_names(dict.fromkeys(present), (name,), f"pdf:{name}")
        return {name: [_text(entries.raw_get(f"/{name}"))] for name in names if name in present}

    def packet(self) -> bytes:
        """The XMP of the document; nothing where it has none."""
        catalog = self._object(self._reader.trailer.raw_get("/Root"))
        if "/Metadata" not in catalog:
            return b""
        stream = self._object(catalog.raw_get("/Metadata"))
        coded = stream.get("/Filter", "/FlateDecode") != "/FlateDecode"
        if coded or {"/DecodeParms", "/F"} & stream.keys():
            raise _ambiguous("an XMP packet in a coding of its own")
        return bytes(stream.get_data())

    def _object(self, reference: Any) -> Any:
        """What a reference leads to, which must be an object: readers search for one."""
        if reference.idnum not in self._objects or reference.generation != 0:
            raise _ambiguous("a reference in a PDF that leads nowhere")
        return reference.get_object()


def _text(value: Any) -> str:
    """A text, which must be ASCII or UTF-16 with its mark: what else a text may be in, readers
    guess. A backslash is an escape that they don't know alike."""
    original = getattr(value, "original_bytes", None)
    if isinstance(value, str) and isinstance(original, bytes):
        try:
            utf_16 = original.startswith(b"\xfe\xff")
            text = original[2:].decode("utf-16-be") if utf_16 else original.decode("ascii")
        except UnicodeDecodeError:
            text = ""
        if text == value and "\\" not in text:
            return text
    raise _ambiguous("a text in a PDF that readers may decode differently")


@cache
def library() -> Any:
    """pypdf, which logs nothing: its messages quote what is in a file."""
    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)
    return pypdf


@contextmanager
def _bounded() -> Iterator[None]:
    """pypdf with limits for a few small objects."""
    with library().apply_configuration(
        zlib_maximum_output_length=_LONGEST,
        lzw_maximum_output_length=_LONGEST,
        run_length_maximum_output_length=_LONGEST,
        zlib_maximum_recovery_input_length=0,
        dictionary_maximum_element_count=_ENTRIES,
        array_maximum_element_count=_ENTRIES,
        jbig2dec_binary=None,
    ):
        yield


@contextmanager
def _refusing() -> Iterator[None]:
    """pypdf's errors as refusals. It has several kinds, and lets others through."""
    import pypdf.errors

    try:
        yield
    except BadUpstream:
        raise
    except (MemoryError, RecursionError, pypdf.errors.LimitReachedError):
        raise BadUpstream(Code.BODY_TOO_COMPLEX, "a PDF that takes too much") from None
    except Exception:  # noqa: BLE001 - what it can't read is no PDF, whatever it says
        raise BadUpstream(Code.BODY_MALFORMED, "a PDF with a fault in it") from None


def _ambiguous(what: str) -> BadUpstream:
    return BadUpstream(Code.BODY_AMBIGUOUS, what)


def _encrypted() -> BadUpstream:
    return BadUpstream(Code.MEMBER_UNSUPPORTED, "an encrypted PDF")
