"""The formats, as a table one can read. A new format is a file here and a row in `FORMATS`.

A format is two functions over one reading of the bytes (both walk the same scan, so that what is
kept is decided by exactly what was counted), and what the rest of the gateway must know of it; see
`reader`.
"""

from gateway.inspection import xpath
from gateway.inspection.formats import csv, javascript, json, jsonseq, ndjson, sse, xml, zip
from gateway.inspection.formats.reader import Reader
from gateway.model import Format

__all__ = ["FORMATS", "Reader"]

_OWNED = frozenset({"subject", "category", "vouches_for"})

FORMATS: dict[Format, Reader] = {
    Format.JSON: Reader(
        json.MEDIA_TYPES,
        "json",
        _OWNED | {"records", "totals"},
        json.detect,
        json.inspect,
        json.rewrite,
        vouching=json.vouching,
        streams=True,
    ),
    Format.NDJSON: Reader(
        ndjson.MEDIA_TYPES,
        "ndjson",
        _OWNED,
        ndjson.detect,
        ndjson.inspect,
        ndjson.rewrite,
        vouching=ndjson.vouching,
        streams=True,
    ),
    Format.JSON_SEQ: Reader(
        jsonseq.MEDIA_TYPES,
        "json-seq",
        _OWNED,
        jsonseq.detect,
        jsonseq.inspect,
        jsonseq.rewrite,
        vouching=jsonseq.vouching,
        streams=True,
    ),
    Format.SSE: Reader(
        sse.MEDIA_TYPES,
        "sse",
        _OWNED,
        sse.detect,
        sse.inspect,
        sse.rewrite,
        vouching=sse.vouching,
        streams=True,
    ),
    Format.JAVASCRIPT: Reader(
        javascript.MEDIA_TYPES,
        "js",
        _OWNED | {"records", "totals"},
        javascript.detect,
        javascript.inspect,
        javascript.rewrite,
        vouching=javascript.vouching,
        charset="utf-8",
    ),
    Format.CSV: Reader(
        csv.MEDIA_TYPES,
        "csv",
        _OWNED | {"delimiter", "encoding", "quote"},
        csv.detect,
        csv.inspect,
        csv.rewrite,
        locator=csv.column,
        vouching=csv.vouching,
        streams=True,
    ),
    Format.XML: Reader(
        xml.MEDIA_TYPES,
        "xml",
        _OWNED | {"records", "namespaces", "doctype"},
        xml.detect,
        xml.inspect,
        xml.rewrite,
        locator=xpath.check,
        vouching=xml.vouching,
    ),
    Format.ZIP: Reader(
        zip.MEDIA_TYPES,
        "zip",
        frozenset({"members"}),
        zip.detect,
        zip.inspect,
        zip.rewrite,
        random_access=True,
    ),
}
