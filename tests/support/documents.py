"""PDFs and images with something in their metadata, made by hand and by libraries."""

import io
import struct
import zlib
from collections.abc import Mapping, Sequence

import pikepdf
from PIL import Image, PngImagePlugin

CATALOG, PAGES = b"<</Type/Catalog/Pages 2 0 R%b>>", b"<</Type/Pages/Count 0/Kids[]>>"


def pdf(
    info: bytes = b"/Subject (A1)",
    *,
    packet: bytes | None = None,
    objects: Sequence[bytes] = (),
    trailer: bytes = b"",
) -> bytes:
    """Object 1 is the document information, 3 the catalog, 4 the XMP or the first of `objects`."""
    bodies = [b"<<%b>>" % info, PAGES, CATALOG % (b"" if packet is None else b"/Metadata 4 0 R")]
    if packet is not None:
        head = b"<</Type/Metadata/Subtype/XML/Length %d>>" % len(packet)
        bodies.append(head + b"stream\n" + packet + b"\nendstream")
    bodies += objects
    data, places = b"%PDF-1.7\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    table += b"".join(b"%010d 00000 n \n" % place for place in places)
    entries = b"<</Size %d/Root 3 0 R/Info 1 0 R%b>>" % (len(bodies) + 1, trailer)
    return data + table + b"trailer\n" + entries + b"\nstartxref\n%d\n%%%%EOF\n" % len(data)


def packed_pdf(
    packed: Mapping[int, bytes],
    *,
    listed: bytes | None = None,
    entries: bytes = b"",
    objects: Sequence[bytes] = (),
    lines: Mapping[int, tuple[int, int, int]] | None = None,
    behind: bytes = b"",
) -> bytes:
    """A PDF whose table is a stream: 1 is the document information, 2 the pages, 3 the catalog, 4
    holds what is `packed`, 5 is the table, then come `objects`. What the table (`lines`) and 4
    (`listed`) say of it may be something else than what is there."""
    pairs, content = b"", b""
    for number, body in packed.items():
        pairs += b"%d %d " % (number, len(content))
        content += body + b" "
    pairs = pairs if listed is None else listed
    head = b"<</Type/ObjStm/N %d/First %d/Length %d>>"
    holder = head % (len(pairs.split()) // 2, len(pairs), len(pairs + content))
    own = {1: b"<</Subject (A1)>>", 2: PAGES, 3: CATALOG % b""}
    bodies = {number: body for number, body in own.items() if number not in packed}
    bodies[4] = holder + b"stream\n" + pairs + content + b"\nendstream" if packed else b"null"
    bodies |= dict(enumerate(objects, 6))
    data, table = b"%PDF-1.7\n", {0: (0, 0, 65535)}
    for number, body in bodies.items():
        table[number] = (1, len(data), 0)
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table |= {number: (2, 4, which) for which, number in enumerate(packed)}
    table[5] = (1, len(data), 0)
    table |= lines or {}
    rows = b"".join(struct.pack(">BIH", *table[number]) for number in sorted(table))
    said = b"<</Type/XRef/W[1 4 2]/Size %d/Root 3 0 R/Info 1 0 R/Length %d%b>>"
    coded = said % (len(table), len(rows), entries) + b"stream\n" + rows + b"\nendstream"
    end = b"%bstartxref\n%d\n%%%%EOF\n" % (behind, len(data))
    return data + b"5 0 obj\n%b\nendobj\n" % coded + end


def xmp(properties: str) -> bytes:
    return (
        "<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?>"
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:pdfx="http://ns.adobe.com/pdfx/1.3/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/">'
        f"{properties}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
    ).encode()


def described(subject: str) -> bytes:
    return xmp(
        f"<dc:description><rdf:Alt><rdf:li xml:lang='x-default'>{subject}</rdf:li></rdf:Alt>"
        "</dc:description>"
    )


def by_qpdf(info: Mapping[str, str], *, packed: bool = False, with_xmp: bool = False) -> bytes:
    out = io.BytesIO()
    document = pikepdf.new()
    document.add_blank_page()
    for name, value in info.items():
        document.docinfo[f"/{name}"] = value
    if with_xmp:
        with document.open_metadata() as meta:
            meta.load_from_docinfo(document.docinfo)
    mode = pikepdf.ObjectStreamMode
    document.save(out, object_stream_mode=mode.generate if packed else mode.disable)
    return out.getvalue()


def png(texts: Mapping[str, str], *, artist: str | None = None, packed: bool = False) -> bytes:
    out, info = io.BytesIO(), PngImagePlugin.PngInfo()
    for name, value in texts.items():
        info.add_text(name, value, zip=packed)
    Image.new("L", (2, 2)).save(out, "PNG", pnginfo=info, exif=_exif(artist))
    return out.getvalue()


def jpeg(artist: str | None) -> bytes:
    out = io.BytesIO()
    Image.new("L", (2, 2)).save(out, "JPEG", exif=_exif(artist))
    return out.getvalue()


def _exif(artist: str | None) -> bytes:
    found = Image.Exif()
    if artist is not None:
        found[0x013B] = artist
    return found.tobytes() if artist is not None else b""


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(
        ">I", zlib.crc32(kind + content)
    )  # fmt: skip


def with_chunk(image: bytes, new: bytes, *, before: bytes = b"IDAT") -> bytes:
    at = image.index(before) - 4
    return image[:at] + new + image[at:]


def with_segment(image: bytes, content: bytes) -> bytes:
    return image[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + image[2:]


def tiff(*entries: tuple[int, int, bytes], order: str = "<") -> bytes:
    """A TIFF structure with one directory: tags, types and values."""
    at = 8 + 2 + 12 * len(entries) + 4
    directory, values = struct.pack(order + "H", len(entries)), b""
    for tag, kind, value in entries:
        directory += struct.pack(order + "HHI", tag, kind, len(value))
        if len(value) <= 4:
            directory += value.ljust(4, b"\0")
        else:
            directory += struct.pack(order + "I", at + len(values))
            values += value
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    return head + directory + bytes(4) + values


def exif_segment(structure: bytes) -> bytes:
    return b"Exif\0\0" + structure
